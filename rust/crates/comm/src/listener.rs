// SPDX-License-Identifier: Apache-2.0
//! Where connections come from: a TCP port, or a socket in the file system.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::error::CommError;

/// A connection, whatever it is made of.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A socket that listens.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens at `host:port` (port 0 takes a free one) or `unix:path`; returns the port, 0 for a path.
    pub(crate) async fn bind(address: &str) -> Result<(Self, u16), CommError> {
        let wrong = |reason: &dyn std::fmt::Display| CommError::Listen {
            address: address.to_owned(),
            reason: reason.to_string(),
        };
        if let Some(path) = address.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            let listener = UnixListener::bind(&path).map_err(|error| wrong(&error))?;
            return Ok((Self::Unix(listener, path), 0));
        }
        let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong(&"it is not host:port"))?;
        let host = match host.trim_start_matches('[').trim_end_matches(']') {
            "" => "0.0.0.0",
            host => host,
        };
        let port: u16 = port.parse().map_err(|error| wrong(&error))?;
        let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(|error| wrong(&error))?.collect();
        // As Go does: a client that knows of one kind only knows of this one.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let listener = TcpListener::bind(addresses.as_slice()).await.map_err(|error| wrong(&error))?;
        let port = listener.local_addr().map_err(|error| wrong(&error))?.port();
        Ok((Self::Tcp(listener), port))
    }

    /// Waits for a connection; the second is whose it is.
    pub(crate) async fn accept(&self) -> std::io::Result<(Box<dyn Connection>, Arc<str>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // It fails where the client has gone already, which reading tells as well.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), peer.to_string().into()))
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), format!("unix:{}", path.display()).into()))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Somebody may have removed it already.
            drop(std::fs::remove_file(path));
        }
    }
}

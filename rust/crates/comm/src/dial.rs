// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 connections to a server.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use tokio::io::BufReader;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::Status;

use crate::error::CommError;
use crate::gathered::Gathered;
use crate::heard::{Heard, Hearing};
use crate::listener::Connection;
use crate::tls::{ClientTls, connector};

/// Largest header block of an answer, as Go's clients have it. A larger one ends its call; one that is larger by far
/// ends the connection with all its calls, so this is far above what an honest server sends.
const MAX_HEADER_BYTES: u32 = 16 << 20;

/// What a server may have on the way that was not read yet: of a call, of all calls of a connection. Whoever reads one
/// call slowly must not hold up the others.
const WINDOW_BYTES: (u32, u32) = (1 << 20, 32 << 20);

/// Longest frame that a server may send: blocks come in fewer reads than in frames of 16 KiB, which are usual.
const FRAME_BYTES: u32 = 64 << 10;

/// What of an encrypted connection is read from the system at a time: TLS itself would ask for 4 KiB.
const READ_BYTES: usize = 64 << 10;

/// What a client allows; the defaults are Fabric's.
#[derive(Debug, Clone, Copy)]
pub struct ClientLimits {
    /// Largest message in either direction.
    pub max_message_bytes: usize,
    /// A silent server is pinged that often.
    pub keepalive: Duration,
    /// A connection whose ping is not answered for so long is given up.
    pub keepalive_timeout: Duration,
    /// Longest pause between two attempts to connect again.
    pub max_backoff: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 100 << 20,
            keepalive: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            max_backoff: Duration::from_secs(120),
        }
    }
}

impl ClientLimits {
    /// Refuses a message of so many bytes that is over the limit.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Status> {
        let most = self.max_message_bytes;
        if bytes <= most {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!("Sent message larger than max ({bytes} vs. {most})")))
    }
}

/// A server and the way to it.
pub(crate) struct Target {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authority: Authority,
    shown: Mutex<Option<Vec<u8>>>,
}

impl Target {
    /// Takes `host:port` or `unix:path`.
    pub(crate) fn new(address: &str, tls: Option<&ClientTls>) -> Result<Self, CommError> {
        let name = tls.map(|tls| tls.server_name.as_str()).filter(|name| !name.is_empty());
        let named = if address.starts_with("unix:") { "localhost" } else { address };
        let authority = name.unwrap_or(named).parse();
        Ok(Self {
            address: address.to_owned(),
            tls: tls.map(|tls| connector(tls, address)).transpose()?,
            authority: authority.map_err(|error: http::uri::InvalidUri| CommError::Connect {
                address: address.to_owned(),
                reason: error.to_string(),
            })?,
            shown: Mutex::default(),
        })
    }

    /// The certificate, in DER, that the server has shown on the newest connection; none in plain text.
    pub(crate) fn server_certificate(&self) -> Option<Vec<u8>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The URI of a method, `/package.Service/Method`.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, Status> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        Uri::from_parts(parts).map_err(|_| Status::unimplemented(format!("{path:?} is no method")))
    }

    /// Connects, and waits until the server has said that it speaks HTTP/2. The connection ends with `until`.
    pub(crate) async fn connect(
        &self,
        limits: &ClientLimits,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Result<SendRequest<Bytes>, String> {
        let (heard, Hearing { speaks_http2, last, patience }) = Heard::server(self.open().await?);
        let (stream, turns) = Gathered::new(heard);
        let handshake = Builder::new()
            .initial_window_size(WINDOW_BYTES.0)
            .initial_connection_window_size(WINDOW_BYTES.1)
            .max_frame_size(FRAME_BYTES)
            .max_header_list_size(MAX_HEADER_BYTES)
            .enable_push(false)
            .handshake(stream);
        let (sender, mut connection) = handshake.await.map_err(|error| error.to_string())?;
        tokio::select! {
            heard = speaks_http2 => heard.map_err(|_| "it does not speak HTTP/2".to_owned())?,
            ended = &mut connection => return Err(ended.err().map_or_else(|| "it hung up".to_owned(), |error| error.to_string())),
        }
        let pings = connection.ping_pong();
        let (interval, timeout) = (limits.keepalive, limits.keepalive_timeout);
        tokio::spawn(async move {
            let watch = async {
                match pings {
                    Some(pings) => last.watch(pings, interval, timeout).await,
                    None => std::future::pending().await,
                }
            };
            let talk = turns.take(|context| Pin::new(&mut connection).poll(context));
            // What ends it, the calls on it are told by HTTP/2.
            tokio::select! {
                _ = talk => {}
                () = watch => {}
                () = patience.lost() => {}
                () = until => {}
            }
        });
        Ok(sender)
    }

    async fn open(&self) -> Result<Box<dyn Connection>, String> {
        let stream: Box<dyn Connection> = if let Some(path) = self.address.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            Box::new(UnixStream::connect(path).await.map_err(|error| error.to_string())?)
        } else {
            let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            Box::new(stream)
        };
        match &self.tls {
            None => Ok(stream),
            Some((connector, name)) => {
                let stream = BufReader::with_capacity(READ_BYTES, stream);
                let secured = connector.connect(name.clone(), stream).await.map_err(|error| error.to_string())?;
                let shown = secured.get_ref().1.peer_certificates().and_then(<[_]>::first);
                *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown.map(|first| first.to_vec());
                Ok(Box::new(secured))
            }
        }
    }
}

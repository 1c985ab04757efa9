// SPDX-License-Identifier: Apache-2.0
//! The first bytes of a client on an HTTP/2 connection (RFC 9113, section 3.4).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::listener::{Connection, writes_through};

pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose client has sent the preface; it is read once more.
pub(crate) struct Begun {
    connection: Box<dyn Connection>,
    again: &'static [u8],
}

/// Waits for the preface; none when something else comes.
pub(crate) async fn read(mut connection: Box<dyn Connection>) -> Option<Begun> {
    let mut begin = [0; PREFACE.len()];
    connection.read_exact(&mut begin).await.ok()?;
    (begin == *PREFACE).then_some(Begun { connection, again: PREFACE })
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.again.is_empty() {
            return Pin::new(&mut self.connection).poll_read(context, into);
        }
        let (now, later) = self.again.split_at(self.again.len().min(into.remaining()));
        into.put_slice(now);
        self.again = later;
        Poll::Ready(Ok(()))
    }
}

writes_through!(Begun);

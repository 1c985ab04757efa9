// SPDX-License-Identifier: Apache-2.0
//! What is heard of a server: whether it speaks HTTP/2 at all, and whether it is still there.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::listener::{Connection, writes_through};

/// What comes before a frame's payload, and the type of the frame that comes first (RFC 9113, sections 4.1 and 6.5).
const FRAME_HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;

/// When something came last.
#[derive(Clone)]
pub(crate) struct Last(Arc<Mutex<Instant>>);

impl Last {
    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Pings a server of which nothing was heard for `interval`; returns when it does not answer within `timeout`.
    pub(crate) async fn watch(self, mut pings: PingPong, interval: Duration, timeout: Duration) {
        loop {
            let silent_until = self.get() + interval;
            if silent_until > Instant::now() {
                tokio::time::sleep_until(silent_until).await;
            } else if !matches!(tokio::time::timeout(timeout, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
                return;
            }
        }
    }
}

/// A connection to a server that is listened to.
pub(crate) struct Heard {
    connection: Box<dyn Connection>,
    last: Last,
    head: Vec<u8>,
    speaks_http2: Option<oneshot::Sender<()>>,
}

impl Heard {
    /// The second tells when the server's settings have come; it fails with the connection.
    pub(crate) fn new(connection: Box<dyn Connection>) -> (Self, oneshot::Receiver<()>, Last) {
        let (sender, receiver) = oneshot::channel();
        let last = Last(Arc::new(Mutex::new(Instant::now())));
        let heard = Self { connection, last: last.clone(), head: Vec::new(), speaks_http2: Some(sender) };
        (heard, receiver, last)
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.last.set();
        if self.speaks_http2.is_some() {
            self.head.extend(bytes.iter().take(FRAME_HEAD_BYTES - self.head.len()));
            if self.head.len() == FRAME_HEAD_BYTES
                && let Some(tell) = self.speaks_http2.take()
                && self.head[3] == SETTINGS
            {
                // Whoever dialled may have given up.
                let _ = tell.send(());
            }
        }
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.connection).poll_read(context, into))?;
        let came = &into.filled()[before..];
        if !came.is_empty() {
            self.hear(came);
        }
        Poll::Ready(Ok(()))
    }
}

writes_through!(Heard);

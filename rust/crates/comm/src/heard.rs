// SPDX-License-Identifier: Apache-2.0
//! What is heard of the other end: whether it speaks HTTP/2 at all, whether it is still there, and whether it floods.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::frames::Frames;
use crate::listener::Connection;
use crate::patience::Patience;
use crate::preface::PREFACE;

/// What a connection may read before the others have their turn: one thread serves them all.
const TURN_BYTES: usize = 64 << 10;

/// What a frame is reckoned to cost beside its bytes.
const FRAME_COST: usize = 256;

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

    /// Pings an end of which nothing was heard for `interval`; returns when it does not answer within `timeout`.
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

/// A connection that is listened to.
pub(crate) struct Heard {
    connection: Box<dyn Connection>,
    last: Last,
    incoming: Frames,
    outgoing: Frames,
    speaks_http2: Option<oneshot::Sender<()>>,
    patience: Arc<Patience>,
    /// What was read in this turn.
    turn: usize,
    flooded: bool,
    /// Nothing is said any more, and nothing matters that comes.
    shut: bool,
}

/// What is told of a connection that is listened to.
pub(crate) struct Hearing {
    /// Comes with the other end's settings; fails with the connection, or when something else came first.
    pub(crate) speaks_http2: oneshot::Receiver<()>,
    pub(crate) last: Last,
    pub(crate) patience: Arc<Patience>,
}

impl Heard {
    /// Listens to a client, whose frames come after the preface.
    pub(crate) fn client(connection: Box<dyn Connection>) -> (Self, Hearing) {
        Self::new(connection, PREFACE.len(), 0)
    }

    /// Listens to a server.
    pub(crate) fn server(connection: Box<dyn Connection>) -> (Self, Hearing) {
        Self::new(connection, 0, PREFACE.len())
    }

    fn new(connection: Box<dyn Connection>, before_incoming: usize, before_outgoing: usize) -> (Self, Hearing) {
        let (sender, speaks_http2) = oneshot::channel();
        let last = Last(Arc::new(Mutex::new(Instant::now())));
        let patience = Arc::new(Patience::new());
        let heard = Self {
            connection,
            last: last.clone(),
            incoming: Frames::after(before_incoming),
            outgoing: Frames::after(before_outgoing),
            speaks_http2: Some(sender),
            patience: Arc::clone(&patience),
            turn: 0,
            flooded: false,
            shut: false,
        };
        (heard, Hearing { speaks_http2, last, patience })
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.last.set();
        let Self { incoming, speaks_http2, patience, flooded, turn, .. } = self;
        incoming.pass(bytes, |head| {
            *turn += FRAME_COST;
            if let Some(tell) = speaks_http2.take()
                && head.is_settings()
            {
                // Whoever dialled may have given up.
                let _ = tell.send(());
            }
            *flooded |= head.is_overhead() && !patience.bear();
        });
    }

    fn say(&mut self, bytes: &[u8]) {
        let Self { outgoing, patience, .. } = self;
        outgoing.pass(bytes, |head| {
            if !head.is_overhead() {
                patience.sent();
            }
        });
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.flooded && !self.shut {
            // Whoever is told hangs up.
            return Poll::Pending;
        }
        if self.turn >= TURN_BYTES {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let polled = Pin::new(&mut self.connection).poll_read(context, into);
        if polled.is_pending() {
            self.turn = 0;
        }
        ready!(polled)?;
        let came = &into.filled()[before..];
        if !came.is_empty() {
            self.turn += came.len();
            if !self.shut {
                self.hear(came);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write(context, from))?;
        self.say(&from[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Pin::new(&mut self.connection).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write_vectored(context, from))?;
        let mut left = written;
        for part in from {
            let said = left.min(part.len());
            self.say(&part[..said]);
            left -= said;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}

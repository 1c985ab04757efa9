// SPDX-License-Identifier: Apache-2.0
//! Gathers what HTTP/2 writes, so that it goes out together.
//!
//! HTTP/2 flushes each message of more than a few hundred bytes by itself: every answer would be two packets, each of
//! them encrypted, handed to the system and read by itself. Here nothing is written before all tasks that can run had
//! their turn:
//!
//! ```text
//!  task of a call ──send──┐                          ┌─ others may send, too
//!                         ▼                          │
//!  task of the connection: turn, gather ──woken again─┴─► turn, gather ──► written at once
//! ```

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are gathered: what one record of TLS holds. Longer writes pass through as they are.
const MAX_BYTES: usize = 16 << 10;

/// A connection that gathers what is written to it in the turns of whoever has its [`Turns`].
pub(crate) struct Gathered<C>(Arc<Mutex<Gathering<C>>>);

/// The turns of the task that a connection belongs to.
pub(crate) struct Turns<C>(Arc<Mutex<Gathering<C>>>);

struct Gathering<C> {
    connection: C,
    bytes: BytesMut,
    /// Whether it is somebody's turn; outside of it nothing is held back.
    turn: bool,
    /// Whether others have had their turn since something was gathered.
    waited: bool,
    /// Whether the connection may hold back what it was given.
    unflushed: bool,
    /// Why a turn's end could not write, until somebody is told.
    failure: Option<Error>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Gathered<C> {
    pub(crate) fn new(connection: C) -> (Self, Turns<C>) {
        let (bytes, failure) = (BytesMut::new(), None);
        let gathering = Gathering { connection, bytes, turn: false, waited: false, unflushed: false, failure };
        let shared = Arc::new(Mutex::new(gathering));
        (Self(Arc::clone(&shared)), Turns(shared))
    }
}

impl<C: AsyncWrite + Unpin> Turns<C> {
    /// What `poll` comes to, which uses the connection.
    pub(crate) async fn take<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        std::future::poll_fn(|context| {
            lock(&self.0).turn = true;
            let polled = poll(context);
            lock(&self.0).end_turn(polled.is_pending(), context);
            polled
        })
        .await
    }
}

impl<C: AsyncWrite + Unpin> Gathering<C> {
    /// Lets others have their turn first, or writes. Whoever goes on at once has not ended a turn.
    fn end_turn(&mut self, is_over: bool, context: &mut Context<'_>) {
        self.turn = false;
        if !is_over || (self.bytes.is_empty() && !self.unflushed) {
            return;
        }
        if !self.waited && !self.bytes.is_empty() {
            self.waited = true;
            context.waker().wake_by_ref();
            return;
        }
        if let Poll::Ready(written) = self.poll_flushed(context) {
            self.waited = false;
            if let Err(error) = written {
                self.failure = Some(error);
                context.waker().wake_by_ref();
            }
        }
    }

    /// Writes all that is gathered.
    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.bytes.is_empty() {
            self.unflushed = true;
            let written = ready!(Pin::new(&mut self.connection).poll_write(context, &self.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.bytes.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes it, and has the connection write what it holds back.
    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_written(context))?;
        ready!(Pin::new(&mut self.connection).poll_flush(context))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

fn lock<C>(gathering: &Mutex<Gathering<C>>) -> MutexGuard<'_, Gathering<C>> {
    gathering.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: AsyncRead + Unpin> AsyncRead for Gathered<C> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut lock(&self.0).connection).poll_read(context, into)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Gathered<C> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(from)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let mut gathering = lock(&self.0);
        let length = from.iter().map(|part| part.len()).sum();
        if gathering.bytes.len() + length > MAX_BYTES {
            ready!(gathering.poll_written(context))?;
        }
        if length > MAX_BYTES {
            gathering.unflushed = true;
            return Pin::new(&mut gathering.connection).poll_write_vectored(context, from);
        }
        from.iter().for_each(|part| gathering.bytes.extend_from_slice(part));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut gathering = lock(&self.0);
        if let Some(error) = gathering.failure.take() {
            return Poll::Ready(Err(error));
        }
        if gathering.turn { Poll::Ready(Ok(())) } else { gathering.poll_flushed(context) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut gathering = lock(&self.0);
        ready!(gathering.poll_written(context))?;
        Pin::new(&mut gathering.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    /// What has come, whole.
    fn come(end: &mut DuplexStream) -> Vec<u8> {
        let mut room = vec![0; 1 << 20];
        let mut buffer = ReadBuf::new(&mut room);
        let _ = Pin::new(end).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        buffer.filled().to_vec()
    }

    /// Writes and flushes in one turn, as HTTP/2 does with each message; whether the turn's task is woken again.
    fn turn(gathered: &mut Gathered<DuplexStream>, turns: &Turns<DuplexStream>, parts: &[&[u8]]) -> Poll<Result<()>> {
        let mut take = std::pin::pin!(turns.take(|context| {
            for part in parts {
                ready!(Pin::new(&mut *gathered).poll_write(context, part))?;
                ready!(Pin::new(&mut *gathered).poll_flush(context))?;
            }
            Poll::<Result<()>>::Pending
        }));
        take.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_written_in_a_turn_goes_out_after_the_next() {
        let (here, mut there) = duplex(1 << 20);
        let (mut gathered, turns) = Gathered::new(here);
        assert!(turn(&mut gathered, &turns, &[b"a", b"b"]).is_pending());
        assert_eq!(come(&mut there), b"");
        assert!(turn(&mut gathered, &turns, &[b"c"]).is_pending());
        assert_eq!(come(&mut there), b"abc");
        assert!(turn(&mut gathered, &turns, &[]).is_pending());
        assert_eq!(come(&mut there), b"");
    }

    #[tokio::test]
    async fn outside_of_turns_nothing_is_held_back() {
        let (here, mut there) = duplex(1 << 20);
        let (mut gathered, turns) = Gathered::new(here);
        assert!(turn(&mut gathered, &turns, &[b"a"]).is_pending());
        gathered.write_all(b"b").await.unwrap();
        gathered.flush().await.unwrap();
        assert_eq!(come(&mut there), b"ab");
    }

    #[test]
    fn what_is_gathered_is_bounded_and_keeps_its_order() {
        let (here, mut there) = duplex(1 << 20);
        let (mut gathered, turns) = Gathered::new(here);
        let (half, long) = (vec![1; MAX_BYTES / 2 + 1], vec![2; MAX_BYTES + 1]);
        assert!(turn(&mut gathered, &turns, &[&half, &half]).is_pending());
        assert_eq!(come(&mut there), half);
        assert!(turn(&mut gathered, &turns, &[&long]).is_pending());
        assert_eq!(come(&mut there), [half, long].concat());
    }

    #[test]
    fn a_full_connection_is_waited_for() {
        let (here, mut there) = duplex(8);
        let (mut gathered, turns) = Gathered::new(here);
        assert!(turn(&mut gathered, &turns, &[b"0123456789"]).is_pending());
        for expected in [&b""[..], b"01234567", b"89", b""] {
            assert_eq!(come(&mut there), expected);
            assert!(turn(&mut gathered, &turns, &[]).is_pending());
        }
        let long = vec![3; MAX_BYTES];
        assert!(turn(&mut gathered, &turns, &[&long, &long, &long]).is_pending());
        assert!(lock(&turns.0).bytes.len() <= MAX_BYTES);
    }

    #[test]
    fn a_failure_is_told() {
        let (here, there) = duplex(8);
        let (mut gathered, turns) = Gathered::new(here);
        drop(there);
        assert!(turn(&mut gathered, &turns, &[b"a"]).is_pending());
        assert!(turn(&mut gathered, &turns, &[]).is_pending());
        assert!(matches!(turn(&mut gathered, &turns, &[b"b"]), Poll::Ready(Err(_))));
    }
}

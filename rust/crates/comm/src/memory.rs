// SPDX-License-Identifier: Apache-2.0
//! How much memory calls hold, counted where their bytes come in and where they are let go.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tonic::Status;

/// What gRPC puts before a message: whether it is compressed, and its length.
pub(crate) const PREFIX_BYTES: usize = 5;

/// A call that holds no more than this is never refused for what others hold.
const SMALL_BYTES: usize = 64 << 10;

/// Bytes that all calls of a server, or of a process's clients, hold.
#[derive(Debug, Default)]
pub(crate) struct Memory(AtomicUsize);

/// Bytes that one call holds; they are let go with it.
#[derive(Debug)]
pub(crate) struct Held {
    mine: AtomicUsize,
    all: Arc<Memory>,
}

impl Held {
    pub(crate) fn new(all: Arc<Memory>) -> Self {
        Self { mine: AtomicUsize::new(0), all }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.mine.fetch_add(bytes, Ordering::AcqRel);
        self.all.0.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Adds bytes that came in; an error when all calls together hold more than `most`, and this one has its share.
    pub(crate) fn receive(&self, bytes: usize, most: usize) -> Result<(), Status> {
        self.add(bytes);
        if self.all() > most && self.mine() > SMALL_BYTES {
            let refused = "too many messages are held here that are not whole or not taken; try again later";
            return Err(Status::resource_exhausted(refused));
        }
        Ok(())
    }

    /// Lets go of as much as is held, at most `bytes`.
    pub(crate) fn release(&self, bytes: usize) {
        let keep = |mine: usize| Some(mine.saturating_sub(bytes));
        if let Ok(before) = self.mine.fetch_update(Ordering::AcqRel, Ordering::Acquire, keep) {
            self.all.0.fetch_sub(before.min(bytes), Ordering::AcqRel);
        }
    }

    pub(crate) fn mine(&self) -> usize {
        self.mine.load(Ordering::Acquire)
    }

    pub(crate) fn all(&self) -> usize {
        self.all.0.load(Ordering::Acquire)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release(usize::MAX);
    }
}

/// A client's bytes, counted; the call fails when all calls together hold too much and it has its share in that.
pub(crate) struct Metered {
    incoming: Incoming,
    held: Arc<Held>,
    most: usize,
}

impl Metered {
    /// At most `most` bytes may be held by all calls.
    pub(crate) fn new(incoming: Incoming, held: Arc<Held>, most: usize) -> Self {
        Self { incoming, held, most }
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            Some(Ok(frame)) => frame,
        };
        let received = self.held.receive(frame.data_ref().map_or(0, Bytes::len), self.most);
        Poll::Ready(Some(received.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

// SPDX-License-Identifier: Apache-2.0
//! How much memory calls hold, counted where their bytes come in and where they are let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Status;

/// What gRPC puts before a message: whether it is compressed, and its length.
pub(crate) const PREFIX_BYTES: usize = 5;

/// A call that holds no more than this is never refused for what others hold.
pub(crate) const SMALL_BYTES: usize = 64 << 10;

/// Bytes that some calls hold together: those of a connection, of a server, of a process's clients.
#[derive(Debug)]
pub(crate) struct Memory {
    held: AtomicUsize,
    most: usize,
    /// What it is a part of.
    whole: Option<Arc<Memory>>,
}

impl Memory {
    /// Of which calls may hold `most`, where only received bytes are refused.
    pub(crate) fn new(most: usize) -> Self {
        Self { held: AtomicUsize::new(0), most, whole: None }
    }

    /// A part that has no bound of its own.
    pub(crate) fn part(self: &Arc<Self>) -> Self {
        Self { held: AtomicUsize::new(0), most: usize::MAX, whole: Some(Arc::clone(self)) }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::AcqRel);
        if let Some(whole) = &self.whole {
            whole.add(bytes);
        }
    }

    fn sub(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::AcqRel);
        if let Some(whole) = &self.whole {
            whole.sub(bytes);
        }
    }

    fn is_full(&self) -> bool {
        self.held() > self.most || self.whole.as_ref().is_some_and(|whole| whole.is_full())
    }
}

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
        self.all.add(bytes);
    }

    /// Adds bytes that came in; an error when all calls together hold too much, and this one has its share in that.
    pub(crate) fn receive(&self, bytes: usize) -> Result<(), Status> {
        self.add(bytes);
        if self.all.is_full() && self.mine() > SMALL_BYTES {
            let refused = "too many messages are held here that are not whole or not taken; try again later";
            return Err(Status::resource_exhausted(refused));
        }
        Ok(())
    }

    /// Lets go of as much as is held, at most `bytes`.
    pub(crate) fn release(&self, bytes: usize) {
        let keep = |mine: usize| Some(mine.saturating_sub(bytes));
        if let Ok(before) = self.mine.fetch_update(Ordering::AcqRel, Ordering::Acquire, keep) {
            self.all.sub(before.min(bytes));
        }
    }

    pub(crate) fn mine(&self) -> usize {
        self.mine.load(Ordering::Acquire)
    }

    pub(crate) fn all(&self) -> usize {
        self.all.held()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release(usize::MAX);
    }
}

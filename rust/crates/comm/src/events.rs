// SPDX-License-Identifier: Apache-2.0
//! What happens to calls, queued for whoever answers them.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tonic::Status;

use crate::error::CommError;
use crate::runtime::runtime;

/// Something that happened to a call.
#[derive(Debug)]
pub struct Event {
    /// The call's number, never used again by this server or hub.
    pub call: u64,
    /// What it was.
    pub happened: Happened,
}

/// What can happen to a call.
#[derive(Debug)]
pub enum Happened {
    /// A client calls a method that it asks once, and this is what it asks.
    Asked {
        /// `/package.Service/Method`.
        path: String,
        /// The client's address.
        peer: Arc<str>,
        /// The client's certificate chain in DER, its own first; empty without mutual TLS.
        certificates: Arc<[Vec<u8>]>,
        /// The request.
        message: Bytes,
    },
    /// A client calls any other method.
    Begun {
        /// `/package.Service/Method`.
        path: String,
        /// The client's address.
        peer: Arc<str>,
        /// The client's certificate chain in DER, its own first; empty without mutual TLS.
        certificates: Arc<[Vec<u8>]>,
    },
    /// A message came.
    Message(Bytes),
    /// The client has no more messages.
    HalfClosed,
    /// The server, or what happened to the connection, has ended a call that was made.
    Finished(Status),
    /// So much was taken of what had piled up to be sent that more may follow.
    Writable,
    /// A call that was answered is over, or was given up.
    Ended,
}

/// A queue of events, and a descriptor that is readable while there are some.
#[derive(Debug)]
pub(crate) struct Events {
    queue: Mutex<Vec<Event>>,
    wake: OwnedFd,
    /// Woken instead, where a task takes the events.
    follower: OnceLock<Notify>,
    open: AtomicUsize,
}

/// That a task takes events, until this is dropped.
#[derive(Debug)]
pub struct Following(AbortHandle);

impl Following {
    /// Takes no more.
    pub fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.end();
    }
}

impl Events {
    pub(crate) fn new() -> Result<Self, CommError> {
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| CommError::System { what: "event descriptor", reason: error.to_string() })?;
        Ok(Self { queue: Mutex::default(), wake, follower: OnceLock::new(), open: AtomicUsize::new(0) })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// Calls whose beginning was told and whose end was not yet taken: what an answering side that lags must know.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Queues what happened to a call, all to be taken at once.
    pub(crate) fn push<const N: usize>(&self, call: u64, happened: [Happened; N]) {
        let is_begin = |happened: &&Happened| matches!(happened, Happened::Begun { .. } | Happened::Asked { .. });
        let begun = happened.iter().filter(is_begin).count();
        self.open.fetch_add(begun, Ordering::AcqRel);
        let mut queue = self.lock();
        queue.extend(happened.map(|happened| Event { call, happened }));
        if queue.len() == N {
            match self.follower.get() {
                Some(follower) => follower.notify_one(),
                // It fails only when the counter is full, and then the descriptor is readable anyway.
                None => drop(rustix::io::write(&self.wake, &1u64.to_ne_bytes())),
            }
        }
    }

    /// Counts a call as over of whose end nobody needs to be told.
    pub(crate) fn forget(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Takes what has happened, for whoever waits for the descriptor.
    pub(crate) fn drain(&self) -> Vec<Event> {
        // Nothing to read means that nothing was pushed.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        self.take()
    }

    /// Has `take` take what happens, on the thread that everything else runs on: it must not wait.
    pub(crate) fn follow(self: &Arc<Self>, take: impl Fn(Vec<Event>) + Send + 'static) -> Result<Following, CommError> {
        let events = Arc::clone(self);
        let task = runtime()?.spawn(async move {
            let follower = events.follower.get_or_init(Notify::new);
            loop {
                take(events.take());
                follower.notified().await;
            }
        });
        Ok(Following(task.abort_handle()))
    }

    fn take(&self) -> Vec<Event> {
        let events = std::mem::take(&mut *self.lock());
        let ended = events.iter().filter(|event| matches!(event.happened, Happened::Ended)).count();
        self.open.fetch_sub(ended, Ordering::AcqRel);
        events
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_tells_of_events() {
        let events = Events::new().unwrap();
        let readable = || {
            let mut fds = [rustix::event::PollFd::new(&events.wake, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() == 1
        };
        assert!(!readable());
        events.push(1, [Happened::HalfClosed]);
        events.push(2, [Happened::Writable, Happened::Ended]);
        assert!(readable());
        let calls: Vec<u64> = events.drain().into_iter().map(|event| event.call).collect();
        assert_eq!(calls, [1, 2, 2]);
        assert!(!readable() && events.drain().is_empty());
    }
}

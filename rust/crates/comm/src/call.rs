// SPDX-License-Identifier: Apache-2.0
//! A call under way: what comes in, and what goes out.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tonic::{Code, Status, Streaming};

use crate::events::{Events, Happened};
use crate::memory::{Held, Memory, PREFIX_BYTES};

/// Bytes of unread messages at which no more are read from the client, unless a single one is larger.
const UNREAD_BYTES: usize = 4 << 20;

/// What a message is reckoned to cost beside its bytes: without it, empty messages could pile up without end.
const MESSAGE_COST: usize = 256;

/// Bytes of messages that wait to be sent from which on the sender is asked to wait; and when all calls together
/// have [`ALL_UNSENT_BYTES`] waiting.
const UNSENT_BYTES: usize = 1 << 20;
const FAIR_UNSENT_BYTES: usize = 64 << 10;

/// Bytes of all calls' messages that wait for clients that read slowly, from which on each call gets less.
const ALL_UNSENT_BYTES: usize = 256 << 20;

/// What goes to the client.
enum Outgoing {
    Message(Bytes),
    End(Option<Status>),
}

/// What the one who answers needs of a call.
pub(crate) struct Call {
    outgoing: UnboundedSender<Outgoing>,
    unsent: Held,
    sender_waits: AtomicBool,
    unread: AtomicUsize,
    read: Notify,
    received: Arc<Held>,
}

impl Call {
    /// Queues a message; false asks the sender to wait until the call is writable.
    pub(crate) fn send(&self, message: Bytes) -> bool {
        self.unsent.add(message.len());
        let writable = self.writable();
        if !writable {
            self.sender_waits.store(true, Ordering::Release);
        }
        // The client may be gone; its end is told by an event.
        drop(self.outgoing.send(Outgoing::Message(message)));
        writable
    }

    /// Ends the call after what is queued; no status for success.
    pub(crate) fn finish(&self, status: Option<Status>) {
        drop(self.outgoing.send(Outgoing::End(status)));
    }

    /// Says that a message of so many bytes was taken.
    pub(crate) fn consumed(&self, bytes: usize) {
        self.received.release(bytes + PREFIX_BYTES);
        let before = self.unread.fetch_sub(bytes + MESSAGE_COST, Ordering::AcqRel);
        if before >= UNREAD_BYTES {
            self.read.notify_one();
        }
    }

    fn writable(&self) -> bool {
        let most = if self.unsent.all() > ALL_UNSENT_BYTES { FAIR_UNSENT_BYTES } else { UNSENT_BYTES };
        self.unsent.mine() <= most
    }

    async fn room(&self) {
        while self.unread.load(Ordering::Acquire) >= UNREAD_BYTES {
            self.read.notified().await;
        }
    }
}

/// The calls under way, by number, and what waits to be sent by all of them.
#[derive(Default)]
pub(crate) struct Calls {
    calls: Mutex<FxHashMap<u64, Arc<Call>>>,
    unsent: Arc<Memory>,
}

impl Calls {
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Call>> {
        self.lock().get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Arc<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a call as gRPC wants it. When it is dropped, the call is over.
pub(crate) struct Answer {
    id: u64,
    call: Arc<Call>,
    outgoing: UnboundedReceiver<Outgoing>,
    over: bool,
    incoming: Option<AbortHandle>,
    calls: Arc<Calls>,
    events: Arc<Events>,
}

impl Answer {
    /// Begins a call: whoever answers is told, and its messages are read.
    pub(crate) fn begin(
        id: u64,
        begun: Happened,
        messages: Streaming<Bytes>,
        received: Arc<Held>,
        calls: &Arc<Calls>,
        events: &Arc<Events>,
    ) -> Self {
        let (sender, outgoing) = unbounded_channel();
        let call = Arc::new(Call {
            outgoing: sender,
            unsent: Held::new(Arc::clone(&calls.unsent)),
            sender_waits: AtomicBool::new(false),
            unread: AtomicUsize::new(0),
            read: Notify::new(),
            received,
        });
        calls.lock().insert(id, Arc::clone(&call));
        events.push(id, begun);
        let incoming = tokio::spawn(read(id, messages, Arc::clone(&call), Arc::clone(events)));
        Self {
            id,
            call,
            outgoing,
            over: false,
            incoming: Some(incoming.abort_handle()),
            calls: Arc::clone(calls),
            events: Arc::clone(events),
        }
    }
}

/// Messages, and at the end a status unless it is success.
impl Stream for Answer {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let outgoing = ready!(self.outgoing.poll_recv(context));
        Poll::Ready(match outgoing {
            Some(Outgoing::Message(message)) => {
                self.call.unsent.release(message.len());
                if self.call.writable() && self.call.sender_waits.swap(false, Ordering::AcqRel) {
                    self.events.push(self.id, Happened::Writable);
                }
                Some(Ok(message))
            }
            Some(Outgoing::End(status)) => {
                self.over = true;
                status.map(Err)
            }
            None => None,
        })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            incoming.abort();
        }
        self.calls.lock().remove(&self.id);
        self.events.push(self.id, Happened::Ended);
    }
}

/// Reads a client's messages, no faster than they are taken.
async fn read(id: u64, mut messages: Streaming<Bytes>, call: Arc<Call>, events: Arc<Events>) {
    loop {
        call.room().await;
        match messages.message().await {
            Ok(Some(message)) => {
                call.unread.fetch_add(message.len() + MESSAGE_COST, Ordering::AcqRel);
                events.push(id, Happened::Message(message));
            }
            Ok(None) => break events.push(id, Happened::HalfClosed),
            Err(status) => break call.finish(Some(named_as_elsewhere(status))),
        }
    }
}

/// Other gRPC implementations call a message over the limit exhausted resources.
fn named_as_elsewhere(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::resource_exhausted(status.message()),
        _ => status,
    }
}

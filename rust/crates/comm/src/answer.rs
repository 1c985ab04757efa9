// SPDX-License-Identifier: Apache-2.0
//! The server's end of calls.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;
use tonic::{Status, Streaming};

use crate::call::{Call, Outgoing, Sending};
use crate::events::{Events, Happened};
use crate::memory::{Held, Memory};

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
    sending: Sending,
    over: bool,
    incoming: AbortHandle,
    calls: Arc<Calls>,
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
        let (call, sending) = Call::new(id, &calls.unsent, received, events);
        calls.lock().insert(id, Arc::clone(&call));
        call.tell([begun]);
        let incoming = tokio::spawn(read(messages, Arc::clone(&call))).abort_handle();
        Self { id, call, sending, over: false, incoming, calls: Arc::clone(calls) }
    }
}

/// Messages, and at the end a status unless it is success.
impl Stream for Answer {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.sending.poll(context)) {
            Some(Outgoing::Message(message)) => Some(Ok(message)),
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
        self.incoming.abort();
        self.calls.lock().remove(&self.id);
        self.call.tell([Happened::Ended]);
    }
}

async fn read(messages: Streaming<Bytes>, call: Arc<Call>) {
    match call.read(messages).await {
        Ok(()) => call.tell([Happened::HalfClosed]),
        Err(status) => call.finish(Some(status)),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One call to a server, messages both ways, for threads that wait.
//!
//! Several threads may talk over it. Each may ask something and wait for its own answer: whoever reads the messages
//! tells an answer from the rest by a key, and gives it to the thread that waits under that key.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tonic::Status;

use crate::call::Messages;
use crate::dial::{ClientLimits, Target};
use crate::error::CommError;
use crate::exchange::{Answer, begin, converse};
use crate::link::Link;
use crate::memory::{Held, Memory};
use crate::runtime::runtime;
use crate::tls::ClientTls;

/// Tells what an answer answers; none for other messages.
pub type Route = fn(&[u8]) -> Option<Vec<u8>>;

/// A call with messages both ways.
pub struct ClientStream {
    outgoing: UnboundedSender<Bytes>,
    shared: Arc<Shared>,
    task: AbortHandle,
    /// The connection ends with it.
    link: Link,
}

struct Shared {
    route: Route,
    state: Mutex<State>,
    /// Tells one thread that a message came, or all that the call is over.
    came: Condvar,
}

#[derive(Default)]
struct State {
    unread: VecDeque<Bytes>,
    waiting: HashMap<Vec<u8>, SyncSender<Bytes>>,
    /// Why the call is over; empty where the server ended it without an error.
    over: Option<String>,
}

impl ClientStream {
    /// Connects to `host:port` or `unix:path` and calls a method such as `/package.Service/Method`.
    pub fn connect(
        address: &str,
        tls: Option<&ClientTls>,
        method: &'static str,
        max_message_bytes: usize,
        route: Route,
    ) -> Result<Self, CommError> {
        let limits = ClientLimits { max_message_bytes, ..ClientLimits::default() };
        let link = Link::new(Target::new(address, tls)?, limits);
        let connected = runtime()?.block_on(link.connect());
        let mut server = connected.map_err(|reason| CommError::Connect { address: address.to_owned(), reason })?;
        let (outgoing, to_send) = unbounded_channel();
        let shared = Arc::new(Shared { route, state: Mutex::default(), came: Condvar::new() });
        let sharing = Arc::clone(&shared);
        let uri = link.target.uri(method);
        let task = runtime()?.spawn(async move {
            let talk = async {
                let (response, stream) = begin(&mut server, uri?, None)?;
                let receiving = async {
                    let held = Arc::new(Held::new(Arc::new(Memory::new(usize::MAX))));
                    match Answer::begin(response, held, max_message_bytes).await? {
                        Some(messages) => read(messages, &sharing).await,
                        None => Ok(()),
                    }
                };
                converse(receiving, stream, Outgoing(to_send)).await
            };
            let ended: Result<(), Status> = talk.await;
            sharing.end(ended.err().map(|status| status.message().to_owned()).unwrap_or_default());
        });
        Ok(Self { outgoing, shared, task: task.abort_handle(), link })
    }

    /// Sends a message; nothing happens to it once the call is over.
    pub fn send(&self, message: &[u8]) {
        drop(self.outgoing.send(Bytes::copy_from_slice(message)));
    }

    /// The next message that is no awaited answer; none once the call is over.
    pub fn next(&self) -> Option<Bytes> {
        let mut state = self.shared.lock();
        loop {
            if let Some(message) = state.unread.pop_front() {
                return Some(message);
            }
            if state.over.is_some() {
                return None;
            }
            state = self.shared.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends a message and waits for the answer with this key; none when the call is over before it came.
    pub fn ask(&self, key: Vec<u8>, message: &[u8]) -> Option<Bytes> {
        let (sender, answer) = sync_channel(1);
        {
            let mut state = self.shared.lock();
            if state.over.is_some() {
                return None;
            }
            state.waiting.insert(key, sender);
        }
        self.send(message);
        answer.recv().ok()
    }

    /// Hangs up.
    pub fn close(&self) {
        self.task.abort();
        self.link.close();
        self.shared.end(String::new());
    }

    /// Why the call is over; empty where it ended without an error, none while it goes on.
    #[must_use]
    pub fn over(&self) -> Option<String> {
        self.shared.lock().over.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: String) {
        let mut state = self.lock();
        state.over.get_or_insert(why);
        state.waiting.clear();
        drop(state);
        self.came.notify_all();
    }
}

async fn read(mut messages: Answer, shared: &Shared) -> Result<(), Status> {
    while let Some(message) = messages.next().await? {
        let key = (shared.route)(&message);
        let mut state = shared.lock();
        if let Some(waiting) = key.and_then(|key| state.waiting.remove(&key)) {
            // Whoever waited may have gone.
            drop(waiting.send(message));
        } else {
            state.unread.push_back(message);
            drop(state);
            shared.came.notify_one();
        }
    }
    Ok(())
}

/// Messages to be sent, as a stream.
struct Outgoing(UnboundedReceiver<Bytes>);

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

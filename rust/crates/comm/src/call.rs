// SPDX-License-Identifier: Apache-2.0
//! A call under way, seen from either end: what comes in, and what goes out.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::Status;

use crate::events::{Events, Happened};
use crate::memory::{Held, Memory, PREFIX_BYTES};
use crate::message::Message;
use crate::responder::{Answer, Responder};

/// Bytes of unread messages at which no more are read from the other end, unless a single one is larger.
const UNREAD_BYTES: usize = 4 << 20;

/// What a message is reckoned to cost beside its bytes: without it, empty messages could pile up without end.
const MESSAGE_COST: usize = 256;

/// Bytes of messages that wait to be sent from which on the sender is asked to wait; and when all calls together
/// have [`ALL_UNSENT_BYTES`] waiting.
const UNSENT_BYTES: usize = 1 << 20;
const FAIR_UNSENT_BYTES: usize = 64 << 10;

/// Bytes of all calls' messages that wait for others who read slowly, from which on each call gets less.
const ALL_UNSENT_BYTES: usize = 256 << 20;

/// Messages that are answered where they come in, one after another, before others on this thread have their turn.
const ANSWERS_A_TURN: usize = 16;

/// What goes to the other end.
pub(crate) enum Outgoing {
    Message(Message),
    /// A server's status; a client has none, and no more messages.
    End(Option<Status>),
}

/// Makes a message on the thread that sends it, or says how the call ends without one.
pub type Make = Box<dyn FnOnce() -> Result<Bytes, Status> + Send>;

/// What waits to be sent.
enum Queued {
    Ready(Outgoing),
    /// A message that is still to be made, and what it is reckoned to hold until then.
    Unmade(Make, usize),
}

/// What the one who talks needs of a call.
pub(crate) struct Call {
    id: u64,
    outgoing: UnboundedSender<Queued>,
    unsent: Held,
    sender_waits: AtomicBool,
    unread: AtomicUsize,
    read: Notify,
    finished: AtomicBool,
    responder: OnceLock<Arc<dyn Responder>>,
    answered: AtomicBool,
    pub(crate) received: Arc<Held>,
    events: Arc<Events>,
}

impl Call {
    /// Begins a call; the second is what will be sent.
    pub(crate) fn new(
        id: u64,
        unsent: &Arc<Memory>,
        received: Arc<Held>,
        events: &Arc<Events>,
    ) -> (Arc<Self>, Sending) {
        let (sender, outgoing) = unbounded_channel();
        let call = Arc::new(Self {
            id,
            outgoing: sender,
            unsent: Held::new(Arc::clone(unsent)),
            sender_waits: AtomicBool::new(false),
            unread: AtomicUsize::new(0),
            read: Notify::new(),
            finished: AtomicBool::new(false),
            responder: OnceLock::new(),
            answered: AtomicBool::new(false),
            received,
            events: Arc::clone(events),
        });
        (Arc::clone(&call), Sending { call, outgoing })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Queues a message; false asks the sender to wait until the call is writable.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.queue(message);
        let writable = self.writable();
        if !writable {
            self.sender_waits.store(true, Ordering::Release);
        }
        writable
    }

    /// Queues a message for whoever does not wait until the call is writable.
    pub(crate) fn queue(&self, message: Message) {
        self.unsent.add(message.bytes());
        // The other end may be gone, which an event tells.
        drop(self.outgoing.send(Queued::Ready(Outgoing::Message(message))));
    }

    /// Has the other end's messages answered where they come in, from the next one on.
    pub(crate) fn answer_with(&self, responder: Arc<dyn Responder>) {
        self.responder.get_or_init(|| responder);
    }

    /// Ends what is sent after what is queued; for a server, without a status for success.
    pub(crate) fn finish(&self, status: Option<Status>) {
        self.finished.store(true, Ordering::Release);
        drop(self.outgoing.send(Queued::Ready(Outgoing::End(status))));
    }

    /// Sends the one message of a call that asked once, and ends it well; whoever answers has forgotten it by then.
    pub(crate) fn answer(&self, message: Message) {
        self.answered.store(true, Ordering::Release);
        self.queue(message);
        self.finish(None);
    }

    /// [`Self::answer`] with a message that is made where it is sent, of parts of so many bytes.
    pub(crate) fn answer_made(&self, bytes: usize, make: Make) {
        self.answered.store(true, Ordering::Release);
        self.unsent.add(bytes);
        drop(self.outgoing.send(Queued::Unmade(make, bytes)));
        self.finish(None);
    }

    /// Tells whoever answers that the call is over, unless that is known.
    pub(crate) fn end(&self) {
        if self.answered.load(Ordering::Acquire) {
            self.events.forget();
        } else {
            self.tell([Happened::Ended]);
        }
    }

    /// Whether what is queued is all that will be sent.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Says that a message of so many bytes was taken.
    pub(crate) fn consumed(&self, bytes: usize) {
        self.received.release(bytes + PREFIX_BYTES);
        let before = self.unread.fetch_sub(bytes + MESSAGE_COST, Ordering::AcqRel);
        if before >= UNREAD_BYTES {
            self.read.notify_one();
        }
    }

    /// Tells of the other end's messages, no faster than they are taken, until it has no more.
    pub(crate) async fn read(&self, messages: &mut impl Messages) -> Result<(), Status> {
        let mut answered = 0;
        loop {
            tokio::select! {
                biased;
                () = self.room() => {}
                kept = messages.keep() => match kept? {},
            }
            let Some(message) = messages.next().await? else { return Ok(()) };
            match self.responder.get().map_or(Answer::Pass, |responder| responder.respond(&message)) {
                Answer::Pass => {
                    self.count(message.len());
                    self.tell([Happened::Message(message)]);
                    continue;
                }
                Answer::Nothing => {}
                Answer::Send(answer) => self.queue(answer.into()),
            }
            self.received.release(message.len() + PREFIX_BYTES);
            answered += 1;
            if answered % ANSWERS_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Tells of a call and its first message.
    pub(crate) fn tell_first(&self, asked: Happened, bytes: usize) {
        self.count(bytes);
        self.tell([asked]);
    }

    fn count(&self, bytes: usize) {
        self.unread.fetch_add(bytes + MESSAGE_COST, Ordering::AcqRel);
    }

    /// Tells whoever talks what happened.
    pub(crate) fn tell<const N: usize>(&self, happened: [Happened; N]) {
        self.events.push(self.id, happened);
    }

    fn writable(&self) -> bool {
        let most = if self.unsent.all() > ALL_UNSENT_BYTES { FAIR_UNSENT_BYTES } else { UNSENT_BYTES };
        self.unsent.mine() <= most
    }

    /// Waits until messages are taken, and, where they are answered here, until answers are.
    async fn room(&self) {
        while self.unread.load(Ordering::Acquire) >= UNREAD_BYTES || (self.is_answered() && !self.writable()) {
            self.read.notified().await;
        }
    }

    fn is_answered(&self) -> bool {
        self.responder.get().is_some()
    }
}

/// What is queued to be sent.
pub(crate) struct Sending {
    call: Arc<Call>,
    outgoing: UnboundedReceiver<Queued>,
}

impl Sending {
    /// Takes the next; whoever waits for room is told when there is some.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let outgoing = ready!(self.outgoing.poll_recv(context)).map(|queued| self.made(queued));
        if let Some(Outgoing::Message(message)) = &outgoing {
            let call = &self.call;
            call.unsent.release(message.bytes());
            if call.writable() {
                if call.sender_waits.swap(false, Ordering::AcqRel) {
                    call.tell([Happened::Writable]);
                }
                if call.is_answered() {
                    call.read.notify_one();
                }
            }
        }
        Poll::Ready(outgoing)
    }
}

impl Sending {
    fn made(&self, queued: Queued) -> Outgoing {
        match queued {
            Queued::Ready(outgoing) => outgoing,
            Queued::Unmade(make, bytes) => {
                let answer = make();
                self.call.unsent.release(bytes);
                match answer {
                    Ok(message) => {
                        let message = Message::from(message);
                        self.call.unsent.add(message.bytes());
                        Outgoing::Message(message)
                    }
                    Err(status) => Outgoing::End(Some(status)),
                }
            }
        }
    }
}

/// Where messages come from.
pub(crate) trait Messages: Send {
    /// Waits for a message; none when there are no more.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Status>> + Send;

    /// Takes in what comes while no message is wanted; it ends only with an error.
    fn keep(&mut self) -> impl Future<Output = Result<Infallible, Status>> + Send;
}

/// The calls under way, by number, and what waits to be sent by all of them.
pub(crate) struct Calls {
    calls: Mutex<FxHashMap<u64, Arc<Call>>>,
    pub(crate) unsent: Arc<Memory>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { calls: Mutex::default(), unsent: Arc::new(Memory::new(usize::MAX)) }
    }
}

impl Calls {
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Call>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn insert(&self, call: &Arc<Call>) {
        self.lock().insert(call.id(), Arc::clone(call));
    }

    pub(crate) fn remove(&self, call: &Call) {
        self.lock().remove(&call.id());
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Arc<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A client's calls: begun by whoever talks, told by events.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use tokio::task::AbortHandle;
use tonic::Status;

use crate::call::{Call, Messages, Sending};
use crate::dial::{ClientLimits, Target};
use crate::error::CommError;
use crate::events::{Event, Events, Following, Happened};
use crate::exchange::{Answer, begin, converse};
use crate::line::Line;
use crate::link::Link;
use crate::memory::{Held, Memory, PREFIX_BYTES};
use crate::message::Message;
use crate::responder::Responder;
use crate::runtime::runtime;
use crate::tls::ClientTls;

/// Bytes of messages that are not whole or not taken, of all calls of a hub.
const MAX_HELD_BYTES: usize = 1 << 30;

/// What all channels of an event loop share: one queue of events.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    events: Arc<Events>,
    received: Arc<Memory>,
    unsent: Arc<Memory>,
    next: AtomicU64,
}

impl Hub {
    /// Begins without channels.
    pub fn new() -> Result<Self, CommError> {
        let shared = Shared {
            events: Arc::new(Events::new()?),
            received: Arc::new(Memory::new(MAX_HELD_BYTES)),
            unsent: Arc::new(Memory::new(usize::MAX)),
            next: AtomicU64::new(0),
        };
        Ok(Self(Arc::new(shared)))
    }

    /// A descriptor that is readable while there are events.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.events.descriptor()
    }

    /// Takes what has happened, in order.
    #[must_use]
    pub fn drain(&self) -> Vec<Event> {
        self.0.events.drain()
    }

    /// Has `take` take every event, on the thread that everything else runs on: it must not wait. Nobody drains them
    /// then.
    pub fn follow(&self, take: impl Fn(Event) + Send + 'static) -> Result<Following, CommError> {
        self.0.events.follow(move |events| events.into_iter().for_each(&take))
    }

    /// A way to the server at `host:port` or `unix:path`; nothing is connected yet.
    pub fn channel(
        &self,
        address: &str,
        tls: Option<&ClientTls>,
        limits: ClientLimits,
    ) -> Result<GrpcChannel, CommError> {
        let link = Arc::new(Link::new(Target::new(address, tls)?, limits));
        Ok(GrpcChannel { hub: self.clone(), link })
    }

    fn begin(&self) -> (Arc<Call>, Sending) {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let received = Arc::new(Held::new(Arc::clone(&self.0.received)));
        Call::new(id, &self.0.unsent, received, &self.0.events)
    }
}

/// A server and the connection to it, which is made again when it was lost. Dropping it ends its calls.
pub struct GrpcChannel {
    hub: Hub,
    link: Arc<Link>,
}

impl GrpcChannel {
    /// Connects for the first time, and waits for that; not to be called where events are taken.
    pub fn begin(&self) -> Result<(), CommError> {
        let begun = runtime()?.block_on(self.link.begin());
        begun.map_err(|reason| CommError::Connect { address: self.link.target.address().to_owned(), reason })
    }

    /// Connects; the end of what is returned tells how that went.
    pub fn connect(&self, timeout: Option<Duration>) -> Result<OutgoingCall, CommError> {
        let (call, _) = self.hub.begin();
        let link = Arc::clone(&self.link);
        self.start(call, timeout, async move { link.ready().await.map(|_| None) })
    }

    /// Calls a method with one message and awaits one: it is told together with the end.
    pub fn ask(&self, path: &str, message: &[u8], timeout: Option<Duration>) -> Result<OutgoingCall, CommError> {
        let (call, _) = self.hub.begin();
        let message = self.link.limits.check(message.len()).map(|()| Message::copied(message));
        let (link, path, mine) = (Arc::clone(&self.link), path.to_owned(), Arc::clone(&call));
        self.start(call, timeout, async move {
            let mut parts = message?.into_parts().into_iter().peekable();
            let mut server = link.ready().await?;
            let (response, mut stream) = begin(&mut server, link.target.uri(&path)?, timeout)?;
            // Where it fails, the answer does, too.
            while let Some(part) = parts.next() {
                drop(stream.send_data(part, parts.peek().is_none()));
            }
            match incoming(response, &mine, &link.limits).await? {
                Some(messages) => only(messages).await.map(Some),
                None => Err(no_message()),
            }
        })
    }

    /// Calls a method with messages in both directions.
    pub fn converse(&self, path: &str, timeout: Option<Duration>) -> Result<OutgoingCall, CommError> {
        let (call, sending) = self.hub.begin();
        let (link, path, mine) = (Arc::clone(&self.link), path.to_owned(), Arc::clone(&call));
        self.start(call, timeout, async move {
            let mut server = link.ready().await?;
            let (response, stream) = begin(&mut server, link.target.uri(&path)?, timeout)?;
            let receiving = async {
                match incoming(response, &mine, &link.limits).await? {
                    Some(mut messages) => mine.read(&mut messages).await,
                    None => Ok(()),
                }
            };
            converse(receiving, stream, sending).await.map(|()| None)
        })
    }

    /// The certificate, in DER, that the server has shown on the newest connection; none in plain text.
    #[must_use]
    pub fn server_certificate(&self) -> Option<Vec<u8>> {
        self.link.target.server_certificate()
    }

    /// Ends the connection and all calls, for good.
    pub fn close(&self) {
        self.link.close();
    }

    fn start(
        &self,
        call: Arc<Call>,
        timeout: Option<Duration>,
        talk: impl Future<Output = Result<Option<Bytes>, Status>> + Send + 'static,
    ) -> Result<OutgoingCall, CommError> {
        let end = End(Some(Arc::clone(&call)));
        let running = runtime()?.spawn(async move {
            let ended = match timeout {
                None => talk.await,
                Some(most) => tokio::time::timeout(most, talk).await.unwrap_or_else(|_| Err(too_late())),
            };
            end.tell(ended);
        });
        Ok(OutgoingCall { call, task: running.abort_handle(), limits: self.link.limits })
    }
}

impl Drop for GrpcChannel {
    fn drop(&mut self) {
        self.close();
    }
}

/// A call that was made. Dropping it takes it back.
pub struct OutgoingCall {
    call: Arc<Call>,
    task: AbortHandle,
    limits: ClientLimits,
}

impl OutgoingCall {
    /// What events call it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.call.id()
    }

    /// Sends a message; false asks to wait until the call is writable. A message over the limit ends the call.
    #[must_use]
    pub fn send(&self, message: impl Into<Message>) -> bool {
        let message = message.into();
        match self.limits.check(message.bytes() - PREFIX_BYTES) {
            Ok(()) => self.call.send(message),
            Err(status) => {
                self.call.tell([Happened::Finished(status)]);
                self.cancel();
                true
            }
        }
    }

    /// Has the server's messages answered where they come in, from the next one on.
    #[must_use]
    pub fn answer_with(&self, responder: Arc<dyn Responder>) -> Line {
        self.call.answer_with(responder);
        Line::new(&self.call)
    }

    /// Says that there are no more messages.
    pub fn half_close(&self) {
        self.call.finish(None);
    }

    /// Says that so many bytes of messages were taken, so that more may come.
    pub fn consumed(&self, bytes: usize) {
        self.call.consumed(bytes);
    }

    /// Takes the call back; what is told of it afterwards does not matter any more.
    pub fn cancel(&self) {
        self.task.abort();
    }
}

impl Drop for OutgoingCall {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Tells how a call ended, whatever becomes of the task that talks.
struct End(Option<Arc<Call>>);

impl End {
    fn tell(mut self, ended: Result<Option<Bytes>, Status>) {
        let Some(call) = self.0.take() else { return };
        match ended {
            Ok(Some(message)) => call.tell([Happened::Message(message), Happened::Finished(Status::ok(""))]),
            Ok(None) => call.tell([Happened::Finished(Status::ok(""))]),
            Err(status) => call.tell([Happened::Finished(status)]),
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.tell([Happened::Finished(Status::cancelled("the call was given up"))]);
        }
    }
}

async fn incoming(response: ResponseFuture, call: &Call, limits: &ClientLimits) -> Result<Option<Answer>, Status> {
    Answer::begin(response, Arc::clone(&call.received), limits.max_message_bytes).await
}

/// The message of an answer that must have exactly one.
async fn only(mut messages: Answer) -> Result<Bytes, Status> {
    let message = messages.next().await?.ok_or_else(no_message)?;
    match messages.next().await? {
        None => Ok(message),
        Some(_) => Err(Status::internal("the server sent more than one message")),
    }
}

fn no_message() -> Status {
    Status::internal("the server ended the call without a message")
}

fn too_late() -> Status {
    Status::deadline_exceeded("Deadline Exceeded")
}

// SPDX-License-Identifier: Apache-2.0
//! The server's end of calls.
//!
//! ```text
//!  headers ──admit──▶ asking ──first message──▶ told ──status──▶ over
//!             │         │                         │
//!             └ refused └ taken back, or stalled: nobody was told
//! ```
//!
//! Whoever answers is told of a call that asks once when it has asked, and of any other call at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderValue, Method, Request, StatusCode, header, request};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use crate::asking::Asking;
use crate::call::{Call, Outgoing, Sending};
use crate::events::Happened;
use crate::exchange::room;
use crate::host::{Host, Visit};
use crate::incoming::Incoming;
use crate::memory::Held;
use crate::reply::{Ended, GRPC, Reply};
use crate::told::{self, Unanswered};
use crate::waiting::Place;

/// How often it is looked whether a client that takes nothing is the only one a call waits for.
const LOOK: Duration = Duration::from_secs(1);

/// Answers a call.
pub(crate) async fn answer(visit: Visit, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (asked, stream) = request.into_parts();
    let mut reply = Reply::new(respond);
    if let Err(refused) = check(&asked) {
        told::unanswered(&visit.peer, Unanswered::NoGrpc);
        return reply.refuse_http(refused);
    }
    let admitted = match Admitted::new(&visit.host) {
        Ok(admitted) => admitted,
        Err(status) => {
            told::unanswered(&visit.peer, Unanswered::Limit);
            return reply.end(&status);
        }
    };
    let held = Arc::new(Held::new(Arc::clone(&visit.guest.received)));
    let place = Arc::new(Place::new(visit.guest.id, Arc::clone(&held)));
    let incoming = Incoming::new(stream, Arc::clone(&held), visit.host.limits.max_message_bytes);
    let path = asked.uri.path().to_owned();
    let asks_once = visit.host.is_asked_once(&path);
    let encoding = asked.headers.get("grpc-encoding").and_then(|name| name.to_str().ok()).map(str::to_owned);
    let asking = Asking::new(incoming, &visit, &place, asks_once, encoding);
    let ended = tokio::select! {
        ended = talk(&mut reply, &visit, path, asking, admitted, &place, held) => ended,
        () = place.yielded() => {
            told::unanswered(&visit.peer, Unanswered::PlaceNeeded);
            Err(Ended::With(Status::resource_exhausted(
                "the server needs the place of a call that waits for its client; try again later",
            )))
        }
    };
    match ended {
        Ok(()) => {}
        Err(Ended::Gone) => told::unanswered(&visit.peer, Unanswered::Cancelled),
        Err(Ended::With(status)) => reply.end(&status),
    }
}

/// A call is a POST of gRPC messages (`doc/PROTOCOL-HTTP2.md` of gRPC).
fn check(asked: &request::Parts) -> Result<(), StatusCode> {
    if asked.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let kind = asked.headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if !kind.starts_with(GRPC.as_bytes()) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// That a call was let in. It counts here until it is told of, and then until its end was taken.
struct Admitted(Arc<Host>);

impl Admitted {
    fn new(host: &Arc<Host>) -> Result<Self, Status> {
        let open = host.untold.fetch_add(1, Ordering::AcqRel) + host.events.open();
        let admitted = Self(Arc::clone(host));
        if open >= host.limits.max_all_calls && !host.waiting.give_way() {
            return Err(Status::resource_exhausted("the server has too many calls under way; try again later"));
        }
        Ok(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.untold.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Receives and sends until the call is over.
async fn talk(
    reply: &mut Reply,
    visit: &Visit,
    path: String,
    mut asking: Asking,
    admitted: Admitted,
    place: &Arc<Place>,
    held: Arc<Held>,
) -> Result<(), Ended> {
    let host = &visit.host;
    let first = if asking.asks_once() {
        Some(asking.first(reply).await?)
    } else {
        reply.begin()?;
        asking.listen().await;
        None
    };
    host.guests.turn(&visit.guest).await;
    let (call, mut sending) = Call::new(host.next_call(), &host.calls.unsent, held, &host.events);
    let asks_once = first.is_some();
    let _told = Told::new(visit, &call, path, first);
    drop(admitted);
    let receiving = async {
        match call.read(&mut asking).await {
            Ok(()) if asks_once => {}
            Ok(()) => call.tell([Happened::HalfClosed]),
            Err(status) => call.finish(Some(status)),
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = send(reply, &mut sending, &call, visit, place) => ended,
        never = receiving => never,
    }
}

/// That a call was told of; when it is dropped, the call is over.
struct Told<'a> {
    host: &'a Host,
    call: &'a Call,
}

impl<'a> Told<'a> {
    fn new(visit: &'a Visit, call: &'a Arc<Call>, path: String, first: Option<Bytes>) -> Self {
        visit.host.calls.insert(call);
        let (peer, certificates) = (Arc::clone(&visit.peer), Arc::clone(&visit.certificates));
        match first {
            None => call.tell([Happened::Begun { path, peer, certificates }]),
            Some(message) => {
                let bytes = message.len();
                call.tell_first(Happened::Asked { path, peer, certificates, message }, bytes);
            }
        }
        Self { host: &visit.host, call }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.host.calls.remove(self.call);
        self.call.end();
    }
}

/// Sends what is queued, as fast as the client takes it, to the end.
async fn send(
    reply: &mut Reply,
    sending: &mut Sending,
    call: &Call,
    visit: &Visit,
    place: &Arc<Place>,
) -> Result<(), Ended> {
    loop {
        let outgoing = std::future::poll_fn(|context| match reply.poll_gone(context) {
            Poll::Ready(()) => Poll::Ready(Err(Ended::Gone)),
            Poll::Pending => sending.poll(context).map(Ok),
        });
        match outgoing.await? {
            Some(Outgoing::Message(message)) => {
                for part in message.into_parts() {
                    send_part(reply, part, call, visit, place).await?;
                }
            }
            Some(Outgoing::End(Some(status))) => return Err(Ended::With(status)),
            Some(Outgoing::End(None)) => return Err(Ended::With(Status::ok(""))),
            None => return Err(Ended::Gone),
        }
    }
}

/// Sends a message, or a part of one.
async fn send_part(
    reply: &mut Reply,
    mut part: Bytes,
    call: &Call,
    visit: &Visit,
    place: &Arc<Place>,
) -> Result<(), Ended> {
    let to = reply.begin()?;
    let mut waits = None;
    while !part.is_empty() {
        let until = Instant::now() + visit.host.limits.message_timeout;
        let room = loop {
            let look = if waits.is_some() { until } else { Instant::now() + LOOK };
            match timeout_at(look, room(to, part.len())).await {
                Ok(None) => return Err(Ended::Gone),
                Ok(Some(room)) => break room.map_err(|_| Ended::Gone)?,
                Err(_) if waits.is_some() => {
                    told::unanswered(&visit.peer, Unanswered::NotTaken);
                    return Err(Ended::With(Status::deadline_exceeded("the answer was not taken in time")));
                }
                // Until then it was others that the call waited for, too.
                Err(_) if call.is_finished() => waits = Some(visit.host.waiting.wait(place)),
                Err(_) => {}
            }
        };
        to.send_data(part.split_to(room.min(part.len())), false).map_err(|_| Ended::Gone)?;
        if let Some(waits) = &mut waits {
            waits.again();
        }
    }
    Ok(())
}

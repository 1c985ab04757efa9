// SPDX-License-Identifier: Apache-2.0
//! A gRPC server: accepts connections and turns calls into events.

use std::os::fd::RawFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::accept::{Phase, accept};
use crate::call::Make;
use crate::error::CommError;
use crate::events::{Event, Following, Happened};
use crate::host::Host;
use crate::limits::Limits;
use crate::line::Line;
use crate::listener::Listener;
use crate::message::Message;
use crate::responder::Responder;
use crate::runtime::runtime;
use crate::tls::{Acceptors, ServerTls};

/// Longest text of an error, as it is written in a header, and longest details.
const MAX_TEXT_BYTES: usize = 3 << 10;
const MAX_DETAILS_BYTES: usize = 3 << 10;

/// A server that listens. Dropping it ends its calls.
pub struct Server {
    port: u16,
    host: Arc<Host>,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// Listens and serves at `host:port` (port 0 takes a free one) or `unix:path`.
    pub fn start(address: &str, tls: Option<ServerTls>, limits: Limits) -> Result<Self, CommError> {
        let acceptors = tls.map(Acceptors::new).transpose()?;
        let runtime = runtime()?;
        let (listener, port) = runtime.block_on(Listener::bind(address))?;
        let host = Arc::new(Host::new(acceptors, limits)?);
        let (phase, watched) = watch::channel(Phase::Serving);
        runtime.spawn(accept(Arc::clone(&host), listener, watched));
        Ok(Self { port, host, phase })
    }

    /// The TCP port that it listens at; 0 for a path.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says of a method that a client asks once: its calls are told of when they have asked.
    pub fn asks_once(&self, path: &str) {
        self.host.asks_once(path);
    }

    /// A descriptor that is readable while there are events.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.host.events.descriptor()
    }

    /// Takes what has happened, in order.
    #[must_use]
    pub fn drain(&self) -> Vec<Event> {
        let events = self.host.events.drain();
        self.host.guests.next_round();
        for event in &events {
            // A request is taken with the event, so that no more has to be said of it.
            if let Happened::Asked { message, .. } = &event.happened {
                self.consumed(event.call, message.len());
            }
        }
        events
    }

    /// Has `take` take every event, on the thread that serves: it must not wait. Nobody drains them then.
    pub fn follow(&self, take: impl Fn(Event) + Send + 'static) -> Result<Following, CommError> {
        let guests = Arc::clone(&self.host.guests);
        self.host.events.follow(move |events| {
            guests.next_round();
            events.into_iter().for_each(&take);
        })
    }

    /// Sends a message of a call; false asks to wait until the call is writable. Of a call that is over, nothing is sent.
    #[must_use]
    pub fn send(&self, call: u64, message: impl Into<Message>) -> bool {
        self.host.calls.get(call).is_none_or(|call| call.send(message.into()))
    }

    /// Answers a call that asked once, and ends it; nothing more is told of it.
    pub fn answer(&self, call: u64, message: Bytes) {
        if let Some(call) = self.host.calls.get(call) {
            call.answer(message.into());
        }
    }

    /// [`Self::answer`] with a message that is made on the thread that sends it, of parts of so many bytes.
    pub fn answer_made(&self, call: u64, bytes: usize, make: Make) {
        if let Some(call) = self.host.calls.get(call) {
            call.answer_made(bytes, make);
        }
    }

    /// Sends one message of many calls, framed once for all; returns those that ask to wait until they are writable.
    #[must_use]
    pub fn send_all(&self, calls: &[u64], message: impl Into<Message>) -> Vec<u64> {
        let message = message.into();
        let is_full = |id: &u64| self.host.calls.get(*id).is_some_and(|call| !call.send(message.clone()));
        calls.iter().copied().filter(is_full).collect()
    }

    /// Ends a call: code 0 for success, `details` an encoded `google.rpc.Status` or nothing. Text that is longer than
    /// clients take is cut short, and details are left out.
    pub fn finish(&self, call: u64, code: i32, message: &str, details: Bytes) {
        let status = (code != 0).then(|| refusal(Code::from_i32(code), message, details));
        if let Some(call) = self.host.calls.get(call) {
            call.finish(status);
        }
    }

    /// Says that so many bytes of a call's messages were taken, so that more may come.
    pub fn consumed(&self, call: u64, bytes: usize) {
        if let Some(call) = self.host.calls.get(call) {
            call.consumed(bytes);
        }
    }

    /// Has a call's messages answered where they come in, from the next one on; none of a call that is over.
    #[must_use]
    pub fn answer_with(&self, call: u64, responder: Arc<dyn Responder>) -> Option<Line> {
        let call = self.host.calls.get(call)?;
        call.answer_with(responder);
        Some(Line::new(&call))
    }

    /// Takes no more calls; those under way go on.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Whether, after [`Self::close`], no connection is left: all that was answered has been sent.
    #[must_use]
    pub fn ended(&self) -> bool {
        // Whoever accepts or serves watches the phase.
        self.phase.is_closed()
    }

    /// Ends all calls, whether what was answered has been sent or not.
    pub fn abort(&self) {
        self.phase.send_replace(Phase::Closed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.abort();
    }
}

/// An error that fits into every client's headers; some take 8 KiB of them in all.
fn refusal(code: Code, message: &str, details: Bytes) -> Status {
    let details = if details.len() > MAX_DETAILS_BYTES { Bytes::new() } else { details };
    // A character that is no plain letter is written as three for each of its bytes.
    let mut room = MAX_TEXT_BYTES;
    let mut fits = |(_, letter): &(usize, char)| {
        let bytes = if matches!(letter, ' '..='~') && *letter != '%' { 1 } else { 3 * letter.len_utf8() };
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    match message.char_indices().find(|at| !fits(at)) {
        None => Status::with_details(code, message, details),
        Some((end, _)) => Status::with_details(code, format!("{}...", &message[..end]), details),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_fits_into_headers_whatever_it_says() {
        for letter in ["a", "%", "\n", "\u{e9}", "\u{1f600}"] {
            let status = refusal(Code::Unknown, &letter.repeat(1 << 20), Bytes::from(vec![0; 1 << 20]));
            let mut headers = http::HeaderMap::new();
            assert!(status.add_header(&mut headers).is_ok());
            let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
            assert!((2_900..4 << 10).contains(&bytes), "{bytes} of {letter:?}");
            assert!(status.message().starts_with(letter) && status.message().ends_with("..."));
        }
        let status = refusal(Code::Unknown, "caf\u{e9}", Bytes::from_static(b"why"));
        assert_eq!((status.message(), status.details()), ("caf\u{e9}", &b"why"[..]));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a client sends with a call, and how long a server waits for it.

use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};

use crate::call::Messages;
use crate::guests::Use;
use crate::host::Visit;
use crate::incoming::Incoming;
use crate::reply::{Ended, Reply};
use crate::told::{self, Unanswered};
use crate::waiting::{Place, Waits};

/// Bytes that must come of a message before it counts as going on.
const PROGRESS_BYTES: u64 = 16 << 10;

/// The messages of a client.
pub(crate) struct Asking {
    incoming: Incoming,
    visit: Visit,
    /// Until it has said something.
    waits: Option<Waits>,
    /// From then on.
    uses: Option<Use>,
    asks_once: bool,
    /// What its messages may be compressed with.
    encoding: Option<String>,
    until: Instant,
    /// How much had come when it went on last.
    progress: u64,
    heard: Option<Result<Option<Bytes>, Status>>,
}

impl Asking {
    pub(crate) fn new(
        incoming: Incoming,
        visit: &Visit,
        place: &Arc<Place>,
        asks_once: bool,
        encoding: Option<String>,
    ) -> Self {
        let waits = Some(visit.host.waiting.wait(place));
        let until = Instant::now() + visit.host.limits.message_timeout;
        Self { incoming, visit: visit.clone(), waits, uses: None, asks_once, encoding, until, progress: 0, heard: None }
    }

    pub(crate) fn asks_once(&self) -> bool {
        self.asks_once
    }

    /// Waits for the message of a call that asks once.
    pub(crate) async fn first(&mut self, reply: &mut Reply) -> Result<Bytes, Ended> {
        let asked = tokio::select! {
            biased;
            asked = self.next() => asked,
            () = std::future::poll_fn(|context| reply.poll_gone(context)) => return Err(Ended::Gone),
        };
        asked?.ok_or_else(|| Ended::With(Status::unimplemented("there is no request")))
    }

    /// Takes what has come already: a call that waits for its turn only does not wait for its client.
    pub(crate) async fn listen(&mut self) {
        let heard = {
            let mut next = std::pin::pin!(self.next());
            std::future::poll_fn(|context| match next.as_mut().poll(context) {
                Poll::Ready(heard) => Poll::Ready(Some(heard)),
                Poll::Pending => Poll::Ready(None),
            })
            .await
        };
        self.heard = heard;
    }

    fn said_something(&mut self) {
        if self.waits.take().is_some() {
            self.uses = Some(self.visit.host.guests.used(&self.visit.guest));
        }
        self.go_on();
    }

    fn fails(&self, cause: Unanswered) {
        told::unanswered(&self.visit.peer, cause);
    }

    /// No more comes: the client has gone, which is told where the call ends, or there was no memory for it.
    fn lost(&self, status: &Status) {
        if status.code() == Code::ResourceExhausted {
            self.fails(Unanswered::Memory);
        }
    }

    fn go_on(&mut self) {
        self.until = Instant::now() + self.visit.host.limits.message_timeout;
        self.progress = self.incoming.came();
        if let Some(waits) = &mut self.waits {
            waits.again();
        }
    }
}

impl Messages for Asking {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if let Some(heard) = self.heard.take() {
            return heard;
        }
        loop {
            if let (Some(encoding), true) = (&self.encoding, self.incoming.is_compressed()) {
                self.fails(Unanswered::Message);
                return Err(Status::unimplemented(format!("messages compressed with {encoding} are not taken")));
            }
            if let Some(message) = self.incoming.cut().inspect_err(|_| self.fails(Unanswered::Message))? {
                self.said_something();
                return Ok(Some(message));
            }
            self.visit.host.spare_memory(&self.visit.guest);
            let must_come = self.incoming.is_torn() || (self.asks_once && self.waits.is_some());
            let more = if must_come {
                timeout_at(self.until, self.incoming.more()).await.map_err(|_| {
                    self.fails(Unanswered::Late);
                    Status::deadline_exceeded("the message did not come in time")
                })?
            } else {
                let more = self.incoming.more().await;
                // A message begins.
                self.until = Instant::now() + self.visit.host.limits.message_timeout;
                more
            };
            if !more.inspect_err(|status| self.lost(status))? {
                self.said_something();
                if self.incoming.is_torn() {
                    return Err(Status::internal("the client ended the call within a message"));
                }
                return Ok(None);
            }
            if self.incoming.came() - self.progress >= PROGRESS_BYTES {
                self.go_on();
            }
        }
    }

    async fn keep(&mut self) -> Result<std::convert::Infallible, Status> {
        self.incoming.keep().await.inspect_err(|status| self.lost(status))
    }
}

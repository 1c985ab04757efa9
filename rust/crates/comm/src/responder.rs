// SPDX-License-Identifier: Apache-2.0
//! Calls whose messages are answered where they come in, without whoever listens to events.

use bytes::Bytes;

/// What becomes of a message.
#[derive(Debug)]
pub enum Answer {
    /// It is told as an event, as without a responder.
    Pass,
    /// Nothing: it needs no answer.
    Nothing,
    /// It is answered.
    Send(Bytes),
}

/// Answers messages on the transport's thread, which serves everybody: what may take long is passed on.
pub trait Responder: Send + Sync {
    /// Answers a message.
    fn respond(&self, message: &Bytes) -> Answer;
}

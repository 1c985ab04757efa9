// SPDX-License-Identifier: Apache-2.0
//! The way to the other end of a call, for whoever answers later than a responder.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::call::Call;

/// The way to the other end of a call, for whoever answers later. The call may have it, too, by its responder.
pub struct Line(Weak<Call>);

impl Line {
    pub(crate) fn new(call: &Arc<Call>) -> Self {
        Self(Arc::downgrade(call))
    }

    /// Sends a message; of a call that is over, nothing is sent.
    pub fn send(&self, message: Bytes) {
        if let Some(call) = self.0.upgrade() {
            call.queue(message.into());
        }
    }
}

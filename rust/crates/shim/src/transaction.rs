// SPDX-License-Identifier: Apache-2.0
//! A transaction: what a peer asks for, and what the chaincode asks and answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastledger_wire::peer::ChaincodeInput;
use fastledger_wire::{DecodeError, Message};

use crate::asked::{Answer, Asked};
use crate::message::{COMPLETED, ERROR, encoded};
use crate::shared::Shared;

/// A transaction that a thread runs.
pub struct Transaction {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: u64,
    pub(crate) asked: Asked,
    /// What the peer offers: encoded `protos.ChaincodeAdditionalParams`; nothing from a peer before 3.1.
    pub(crate) params: Bytes,
}

impl Transaction {
    /// The transaction's id.
    #[must_use]
    pub fn tx_id(&self) -> &str {
        text(&self.asked.tx_id)
    }

    /// The channel's name.
    #[must_use]
    pub fn channel_id(&self) -> &str {
        text(&self.asked.channel_id)
    }

    /// Whether the chaincode's `init` is meant.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.asked.is_init
    }

    /// Whose it is, as the peer has checked: that takes turns. Empty where the peer itself calls.
    #[must_use]
    pub fn caller(&self) -> &[u8] {
        &self.asked.caller
    }

    /// The encoded `protos.SignedProposal`; none where the peer itself calls.
    #[must_use]
    pub fn signed_proposal(&self) -> Option<&[u8]> {
        self.asked.proposal.as_deref()
    }

    /// Encoded `protos.ChaincodeAdditionalParams`.
    #[must_use]
    pub fn params(&self) -> &[u8] {
        &self.params
    }

    /// The arguments, the first of which usually names a function.
    pub fn args(&self) -> Result<Vec<&[u8]>, DecodeError> {
        Ok(ChaincodeInput::decode(&self.asked.input)?.args)
    }

    /// What the peer's decorators added.
    pub fn decorations(&self) -> Result<BTreeMap<&str, &[u8]>, DecodeError> {
        Ok(ChaincodeInput::decode(&self.asked.input)?.decorations)
    }

    /// For how long it has waited to be begun, and run.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.asked.came.elapsed()
    }

    /// Sends a request, and waits for its answer; none when the peer is gone. A transaction has one at a time.
    #[must_use]
    pub fn ask(&self, kind: i32, payload: &[u8]) -> Option<Answer> {
        let request = self.encoded(kind, payload, &[]);
        self.shared.ask(self.stream, &self.asked.channel_id, &self.asked.tx_id, request)
    }

    /// Sends the outcome: an encoded `protos.Response`, and `protos.ChaincodeEvent` where there is one.
    pub fn complete(&self, response: &[u8], event: &[u8]) {
        self.shared.send(self.stream, self.encoded(COMPLETED, response, event));
    }

    /// Says that it failed.
    pub fn fail(&self, why: &str) {
        self.shared.send(self.stream, self.encoded(ERROR, why.as_bytes(), &[]));
    }

    /// Gives its worker back. Whoever does takes the next one.
    pub fn done(&self) {
        self.shared.done(self.stream, &self.asked);
    }

    fn encoded(&self, kind: i32, payload: &[u8], event: &[u8]) -> Bytes {
        encoded(kind, payload, &self.asked.tx_id, event, &self.asked.channel_id)
    }
}

/// What was a string when it was decoded.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

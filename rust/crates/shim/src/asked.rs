// SPDX-License-Identifier: Apache-2.0
//! What peers ask to be run, and what they answer.

use std::time::Instant;

use bytes::Bytes;

use crate::message::{ChaincodeMessage, INIT, creator};

/// Stands for the callers of transactions that a running one has called: it waits for them.
const NESTED: &[u8] = b"nested";

/// What a peer answers to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the peer refuses; then the payload is its text.
    pub is_error: bool,
    /// What was asked for.
    pub payload: Bytes,
}

/// What a message asks to be run.
pub(crate) struct Asked {
    pub(crate) tx_id: Bytes,
    pub(crate) channel_id: Bytes,
    pub(crate) caller: Bytes,
    pub(crate) is_init: bool,
    pub(crate) input: Bytes,
    pub(crate) proposal: Option<Bytes>,
    pub(crate) came: Instant,
}

impl Asked {
    /// Takes apart a message that has come now; `is_nested` where a running transaction waits for it.
    pub(crate) fn new(whole: &Bytes, message: &ChaincodeMessage<'_>, is_nested: bool) -> Self {
        let caller = if is_nested {
            Bytes::from_static(NESTED)
        } else {
            // Empty where the peer itself calls.
            whole.slice_ref(message.proposal.and_then(|signed| creator(signed).ok()).unwrap_or_default())
        };
        Self {
            tx_id: whole.slice_ref(message.txid.as_bytes()),
            channel_id: whole.slice_ref(message.channel_id.as_bytes()),
            caller,
            is_init: message.r#type == INIT,
            input: whole.slice_ref(message.payload),
            proposal: message.proposal.map(|signed| whole.slice_ref(signed)),
            came: Instant::now(),
        }
    }
}

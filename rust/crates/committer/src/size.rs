// SPDX-License-Identifier: Apache-2.0
//! What the gate needs to know of a block.

use crate::error::Refusal;
use crate::incoming::Incoming;

/// The room that a block takes in the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub bytes: usize,
    pub is_config: bool,
}

impl Size {
    /// What is not a block takes no room but its place.
    pub(crate) fn of(incoming: &Result<Incoming, Refusal>) -> Self {
        match incoming {
            Ok(block) => Self { bytes: block.bytes.len(), is_config: block.is_config },
            Err(_) => Self { bytes: 0, is_config: false },
        }
    }
}

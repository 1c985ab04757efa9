// SPDX-License-Identifier: Apache-2.0
//! Which stored blocks were held against their hashes since the files were opened.
//!
//! Hashing a block costs ten times what its checksum costs. Once its data were seen to have the hash that its header
//! states, later reads need only find the same bytes again, which the checksum tells.

use std::sync::{Mutex, PoisonError};

use crate::record;

/// Blocks whose hashes were seen to hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// A bit for each block, by number.
    blocks: Mutex<Vec<u64>>,
}

impl Held {
    /// Checks a record whose checksum is right, or not known.
    pub(crate) fn check(&self, number: u64, record: &[u8], is_sealed: bool) -> Result<(), String> {
        let place = usize::try_from(number / 64).unwrap_or(usize::MAX);
        let bit = 1 << (number % 64);
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if is_sealed && blocks.get(place).is_some_and(|bits| bits & bit != 0) {
            return Ok(());
        }
        drop(blocks);
        record::check(record)?;
        blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() <= place {
            blocks.resize(place + 1, 0);
        }
        blocks[place] |= bit;
        Ok(())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A message as the blocks that are hashed.

use super::Message;

/// Bytes of a block.
const BLOCK: usize = 64;
/// Bytes that padding adds at least: one that marks the end, eight for the length (FIPS 180-4, 5.1.1).
const PADDING: usize = 9;

/// The blocks of a padded message.
pub(super) struct Blocks<'a>(Message<'a>);

impl<'a> Blocks<'a> {
    pub(super) fn new(message: &Message<'a>) -> Self {
        Self(*message)
    }

    fn length(&self) -> usize {
        self.0.head.len() + self.0.tail.len()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        (self.length() + PADDING).div_ceil(BLOCK)
    }

    /// Block `index`: where it stands in the message, or put together in the buffer.
    pub(super) fn get<'b>(&self, index: usize, buffer: &'b mut [u8; BLOCK]) -> &'b [u8; BLOCK]
    where
        'a: 'b,
    {
        let Message { head, tail } = self.0;
        let start = index * BLOCK;
        let whole = match start.checked_sub(head.len()) {
            None => head[start..].first_chunk(),
            Some(start) => tail.get(start..).and_then(<[u8]>::first_chunk),
        };
        match whole {
            Some(block) => block,
            None => self.assemble(index, buffer),
        }
    }

    fn assemble<'b>(&self, index: usize, buffer: &'b mut [u8; BLOCK]) -> &'b [u8; BLOCK] {
        let (Message { head, tail }, start) = (self.0, index * BLOCK);
        *buffer = [0; BLOCK];
        let mut free = &mut buffer[..];
        for part in [head.get(start..).unwrap_or(&[]), tail.get(start.saturating_sub(head.len())..).unwrap_or(&[])] {
            let (filled, rest) = free.split_at_mut(part.len().min(free.len()));
            filled.copy_from_slice(&part[..filled.len()]);
            free = rest;
        }
        if let Some(end) = self.length().checked_sub(start).and_then(|end| buffer.get_mut(end)) {
            *end = 0x80;
        }
        if index + 1 == self.count() {
            let bits = self.length() as u64 * 8;
            buffer[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
        }
        buffer
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A message as the blocks that are hashed.

use super::Message;

/// Bytes of a block.
const BLOCK: usize = 64;
/// Bytes that padding adds at least: one that marks the end, eight for the length (FIPS 180-4, 5.1.1).
const PADDING: usize = 9;

/// The blocks of a padded message, one after the other.
pub(super) struct Blocks<'a> {
    /// What is left of the part that the next block begins in.
    current: &'a [u8],
    /// The parts after it.
    parts: Message<'a>,
    /// Bytes of the whole message.
    length: usize,
    /// Blocks taken.
    taken: usize,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(message: Message<'a>) -> Self {
        Self { current: &[], parts: message, length: message.iter().map(|part| part.len()).sum(), taken: 0 }
    }

    fn count(&self) -> usize {
        (self.length + PADDING).div_ceil(BLOCK)
    }

    /// How many were not taken.
    pub(super) fn left(&self) -> usize {
        self.count() - self.taken
    }

    /// The next block, where it stands in the message or put together in the buffer; zeros behind the last.
    pub(super) fn next<'b>(&mut self, buffer: &'b mut [u8; BLOCK]) -> &'b [u8; BLOCK]
    where
        'a: 'b,
    {
        if let Some((block, rest)) = self.current.split_first_chunk() {
            self.current = rest;
            self.taken += 1;
            return block;
        }
        self.assemble(buffer);
        buffer
    }

    fn assemble(&mut self, buffer: &mut [u8; BLOCK]) {
        *buffer = [0; BLOCK];
        let mut free = &mut buffer[..];
        loop {
            let (filled, rest) = free.split_at_mut(self.current.len().min(free.len()));
            let (taken, left) = self.current.split_at(filled.len());
            filled.copy_from_slice(taken);
            (free, self.current) = (rest, left);
            match self.parts {
                [next, parts @ ..] if !free.is_empty() => (self.current, self.parts) = (next, parts),
                _ => break,
            }
        }
        if self.taken == self.length / BLOCK {
            buffer[self.length % BLOCK] = 0x80;
        }
        self.taken += 1;
        if self.taken == self.count() {
            let bits = self.length as u64 * 8;
            buffer[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
        }
    }
}

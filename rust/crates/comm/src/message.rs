// SPDX-License-Identifier: Apache-2.0
//! Messages as gRPC frames them (`doc/PROTOCOL-HTTP2.md` of gRPC).

use bytes::Bytes;

use crate::memory::PREFIX_BYTES;

/// From so many bytes on a part goes out as it lies; shorter ones are copied to share a frame.
pub const LARGE_BYTES: usize = 16 << 10;

/// A message behind its prefix, in parts. Its copies share the memory.
#[derive(Debug, Clone)]
pub struct Message(Vec<Bytes>);

impl Message {
    /// A message that begins with a few bytes of its own, and goes on with a body that may lie anywhere.
    #[must_use]
    pub fn new(head: &[u8], body: Bytes) -> Self {
        Self::of(&[Bytes::copy_from_slice(head), body])
    }

    /// A message of parts that may lie anywhere.
    #[must_use]
    pub fn of(parts: &[Bytes]) -> Self {
        let is_small = |part: &&Bytes| part.len() < LARGE_BYTES;
        let mut together =
            Vec::with_capacity(PREFIX_BYTES + parts.iter().filter(is_small).map(Bytes::len).sum::<usize>());
        together.extend_from_slice(&prefix(parts.iter().map(Bytes::len).sum()));
        let mut whole = Vec::new();
        for part in parts {
            if is_small(&part) {
                together.extend_from_slice(part);
            } else {
                if !together.is_empty() {
                    whole.push(std::mem::take(&mut together).into());
                }
                whole.push(part.clone());
            }
        }
        if !together.is_empty() {
            whole.push(together.into());
        }
        Self(whole)
    }

    /// A message in one part, copied.
    pub(crate) fn copied(message: &[u8]) -> Self {
        Self(vec![[&prefix(message.len()), message].concat().into()])
    }

    /// What it takes, its prefix included.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// What is to be sent, one after the other; none of it is empty.
    pub(crate) fn into_parts(self) -> Vec<Bytes> {
        self.0
    }
}

impl From<Bytes> for Message {
    fn from(message: Bytes) -> Self {
        Self::new(&[], message)
    }
}

/// What gRPC wants before a message: that it is not compressed, and its length.
fn prefix(length: usize) -> [u8; PREFIX_BYTES] {
    // No limit of messages is as large.
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_is_not_copied() {
        for (head, length) in [(0, 0), (0, 1), (4, LARGE_BYTES - 1), (0, LARGE_BYTES), (4, 3 * LARGE_BYTES)] {
            let (head, body) = (vec![8; head], Bytes::from(vec![7; length]));
            let message = Message::new(&head, body.clone());
            let expected = [&prefix(head.len() + length)[..], &head, &body].concat();
            assert_eq!(message.bytes(), expected.len());
            let parts = message.into_parts();
            assert_eq!(parts.concat(), expected);
            assert_eq!(parts.len(), if length < LARGE_BYTES { 1 } else { 2 });
            assert!(parts.get(1).is_none_or(|rest| rest.as_ptr() == body.as_ptr()));
        }
    }

    #[test]
    fn small_parts_between_large_ones_share_frames() {
        let (small, large) = (Bytes::from_static(b"small"), Bytes::from(vec![7; LARGE_BYTES]));
        let message = Message::of(&[small.clone(), small.clone(), large.clone(), large.clone(), small.clone()]);
        let length = 3 * small.len() + 2 * large.len();
        let expected = [&prefix(length)[..], &small, &small, &large, &large, &small].concat();
        let parts = message.into_parts();
        assert_eq!(parts.concat(), expected);
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [15, LARGE_BYTES, LARGE_BYTES, 5]);
        assert!(parts[1..3].iter().all(|part| part.as_ptr() == large.as_ptr()));
        assert_eq!(Message::copied(&large).into_parts(), [[&prefix(LARGE_BYTES)[..], &large].concat()]);
    }
}

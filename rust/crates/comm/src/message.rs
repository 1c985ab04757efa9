// SPDX-License-Identifier: Apache-2.0
//! Messages as gRPC frames them (`doc/PROTOCOL-HTTP2.md` of gRPC).

use bytes::Bytes;

use crate::memory::PREFIX_BYTES;

/// From so many bytes on a body goes out as it lies; a shorter one is copied to share its frame.
const LARGE_BYTES: usize = 16 << 10;

/// A message behind its prefix, in one part or in two. Its copies share the memory.
#[derive(Debug, Clone)]
pub struct Message([Bytes; 2]);

impl Message {
    /// A message that begins with a few bytes of its own, and goes on with a body that may lie anywhere.
    #[must_use]
    pub fn new(head: &[u8], body: Bytes) -> Self {
        let (copied, rest) = if body.len() < LARGE_BYTES { (body, Bytes::new()) } else { (Bytes::new(), body) };
        let mut first = Vec::with_capacity(PREFIX_BYTES + head.len() + copied.len());
        first.extend_from_slice(&prefix(head.len() + copied.len() + rest.len()));
        first.extend_from_slice(head);
        first.extend_from_slice(&copied);
        Self([first.into(), rest])
    }

    /// What it takes, its prefix included.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// What is to be sent, one after the other; the second may be empty.
    pub(crate) fn into_parts(self) -> [Bytes; 2] {
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
            let [first, rest] = message.into_parts();
            assert_eq!([&first[..], &rest[..]].concat(), expected);
            assert!(rest.is_empty() || rest.as_ptr() == body.as_ptr());
            assert_eq!(rest.is_empty(), length < LARGE_BYTES);
        }
    }
}

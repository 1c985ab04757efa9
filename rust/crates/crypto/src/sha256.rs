// SPDX-License-Identifier: Apache-2.0
//! SHA-256 (FIPS 180-4) of one message, and of many at once.

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};

/// A message in two parts: its bytes are `head ‖ tail`.
///
/// Fabric signs such concatenations (a proposal response payload followed by the endorser), and copying
/// them together would cost as much as a tenth of hashing them.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The first bytes.
    pub head: &'a [u8],
    /// The bytes that follow.
    pub tail: &'a [u8],
}

/// The SHA-256 digest of one message.
#[must_use]
pub fn sha256(message: &[u8]) -> [u8; 32] {
    bytes(&digest(&SHA256, message))
}

/// Writes the digest of each message to the same place in `digests`.
///
/// # Panics
/// If the two slices differ in length.
pub fn sha256_many(messages: &[Message<'_>], digests: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), digests.len(), "one digest per message");
    for (message, out) in messages.iter().zip(digests) {
        let mut context = Context::new(&SHA256);
        context.update(message.head);
        context.update(message.tail);
        *out = bytes(&context.finish());
    }
}

fn bytes(digest: &Digest) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

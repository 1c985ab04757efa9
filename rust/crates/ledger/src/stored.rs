// SPDX-License-Identifier: Apache-2.0
//! Keys of any length in a store whose keys are short.
//!
//! LMDB's keys end at 511 bytes; Fabric's have no end. A key of up to [`SHORT_BYTES`] is stored as it is. A longer one
//! is stored as its first [`SHORT_BYTES`] bytes and the SHA-256 of the whole, and the whole stands before the value.
//! So a stored key is long exactly if it has more than [`SHORT_BYTES`] bytes, byte order holds between all keys that
//! differ in their first [`SHORT_BYTES`] bytes, and the others stand together: [`crate::merged`] sorts those.

use fastledger_wire::protobuf::Reader;
use fastledger_wire::{encode, hash};

/// The longest key that is stored as it is, in bytes.
pub(crate) const SHORT_BYTES: usize = 448;

/// Whether a stored key is a shortened one.
pub(crate) fn is_long(stored: &[u8]) -> bool {
    stored.len() > SHORT_BYTES
}

/// Turns the key that `out` holds from `start` on into its stored form; returns the whole key if it was long.
pub(crate) fn shorten(out: &mut Vec<u8>, start: usize) -> Option<Vec<u8>> {
    if out.len() - start <= SHORT_BYTES {
        return None;
    }
    let whole = out[start..].to_vec();
    out.truncate(start + SHORT_BYTES);
    out.extend_from_slice(&hash::sha256(&[&whole]));
    Some(whole)
}

/// Appends what stands before the value of a long key.
pub(crate) fn put_whole(out: &mut Vec<u8>, whole: Option<&[u8]>) {
    if let Some(whole) = whole {
        encode::length_prefixed(out, whole);
    }
}

/// The whole key and the value of a stored pair, `None` if they are damaged.
pub(crate) fn split<'a>(stored: &'a [u8], value: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    if is_long(stored) { split_long(value) } else { Some((stored, value)) }
}

/// The whole key and the value of a pair whose stored key is a shortened one, `None` if they are damaged.
pub(crate) fn split_long(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(value);
    let whole = reader.length_prefixed().ok()?;
    Some((whole, reader.rest()))
}

/// Where in the store keys from `whole` on begin.
pub(crate) fn lower_bound(whole: &[u8]) -> &[u8] {
    &whole[..whole.len().min(SHORT_BYTES)]
}

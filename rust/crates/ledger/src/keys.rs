// SPDX-License-Identifier: Apache-2.0
//! The keys of each derived store; [`crate::stored`] says what becomes of long ones.
//!
//! | store            | key                                                             |
//! |------------------|-----------------------------------------------------------------|
//! | state            | namespace 00 key; a collection's namespace is `ns$$h<coll>`     |
//! | history          | length of the state key as two bytes, state key, block, tx; of  |
//! |                  | a long state key two bytes ff and its SHA-256                   |
//! | tx ids           | 32 bytes for 64 hex digits                                      |
//! | other tx ids     | length as four bytes, text                                      |
//! | expiry           | expiring block, committing block, state key                     |
//! | config history   | `slscc` 00 chaincode `~collection`, 2^64 - 1 - block            |
//!
//! Numbers are order-preserving varints. The state's and the configuration history's keys are those of Fabric's own
//! databases (`stateleveldb.encodeDataKey` without its `d`, `confighistory.encodeCompositeKey`), and so is their order.

use fastledger_mvcc::state::StateKey;
use fastledger_wire::{Height, hash};

use crate::stored;

const HASHED: &str = "$$h";

/// Appends a whole state key.
pub(crate) fn state(out: &mut Vec<u8>, key: StateKey<'_>) {
    out.extend_from_slice(key.namespace.as_bytes());
    if !key.collection.is_empty() {
        out.extend_from_slice(HASHED.as_bytes());
        out.extend_from_slice(key.collection.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(key.key);
}

/// Appends a state key's stored form.
pub(crate) fn stored_state(out: &mut Vec<u8>, key: StateKey<'_>) {
    let start = out.len();
    state(out, key);
    stored::shorten(out, start);
}

/// The namespace, as stored, and the key of a whole state key (`decodeDataKey`).
pub(crate) fn split_state(whole: &[u8]) -> Option<(&[u8], &[u8])> {
    let separator = whole.iter().position(|byte| *byte == 0)?;
    Some((&whole[..separator], &whole[separator + 1..]))
}

/// Whether a stored namespace is a collection's (`isHashedDataNs`).
pub(crate) fn is_hashed(namespace: &[u8]) -> bool {
    namespace.windows(HASHED.len()).any(|window| window == HASHED.as_bytes())
}

/// Namespace and collection of a stored namespace (`decodeHashedDataNsColl`); an empty collection for public state.
pub(crate) fn split_namespace(namespace: &str) -> (&str, &str) {
    namespace.split_once(HASHED).unwrap_or((namespace, ""))
}

/// Longer state keys stand in the history by their hash, in bytes: nobody needs their order there.
const MAX_HISTORY_KEY_BYTES: usize = 400;

/// Appends what the history of a public key begins with.
pub(crate) fn history_prefix(out: &mut Vec<u8>, namespace: &str, key: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    state(out, StateKey { namespace, collection: "", key });
    let length = out.len() - start - 2;
    let mark = match u16::try_from(length) {
        Ok(short) if length <= MAX_HISTORY_KEY_BYTES => short,
        _ => {
            let digest = hash::sha256(&[&out[start + 2..]]);
            out.truncate(start + 2);
            out.extend_from_slice(&digest);
            u16::MAX
        }
    };
    out[start..start + 2].copy_from_slice(&mark.to_be_bytes());
}

/// Appends a height so that byte order is its order (`version.Height.ToBytes`).
pub(crate) fn height(out: &mut Vec<u8>, height: Height) {
    order_preserving(out, height.block);
    order_preserving(out, height.tx);
}

/// Reads a whole height.
pub(crate) fn split_height(mut bytes: &[u8]) -> Option<Height> {
    let block = take_order_preserving(&mut bytes)?;
    let tx = take_order_preserving(&mut bytes)?;
    bytes.is_empty().then_some(Height { block, tx })
}

/// Appends a number as its length and its significant bytes (`EncodeOrderPreservingVarUint64`).
pub(crate) fn order_preserving(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
    out.push((bytes.len() - zeros) as u8);
    out.extend_from_slice(&bytes[zeros..]);
}

/// Takes a number off the front of `bytes` (`DecodeOrderPreservingVarUint64`).
pub(crate) fn take_order_preserving(bytes: &mut &[u8]) -> Option<u64> {
    let (length, rest) = bytes.split_first()?;
    let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
    let mut number = [0; 8];
    let zeros = number.len().checked_sub(digits.len())?;
    number[zeros..].copy_from_slice(digits);
    *bytes = rest;
    Some(u64::from_be_bytes(number))
}

/// Which store a transaction id lives in, and its whole key there.
pub(crate) enum TxIdKey {
    /// 64 lower-case hex digits, which nearly all are.
    Digest([u8; 32]),
    /// Any other text.
    Text(Vec<u8>),
}

/// The key of a transaction id.
pub(crate) fn tx_id(text: &str) -> TxIdKey {
    if let Some(digest) = digest(text.as_bytes()) {
        return TxIdKey::Digest(digest);
    }
    // Beyond 4 GiB no message arrives; such lengths share one prefix and stay apart by the text.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    TxIdKey::Text([&length.to_be_bytes(), text.as_bytes()].concat())
}

/// The bytes of 64 lower-case hex digits.
///
/// Without a branch for each digit: a processor cannot foretell a digest's, and takes many of them at a time instead.
pub(crate) fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let values = <&[u8; DIGEST_TEXT_BYTES]>::try_from(text).ok()?.map(hex_value);
    if values.iter().fold(0, |all, value| all | value) > 15 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, [high, low]) in digest.iter_mut().zip(values.as_chunks().0) {
        *byte = high << 4 | low;
    }
    Some(digest)
}

/// Length of a transaction id that is a digest.
const DIGEST_TEXT_BYTES: usize = 64;

/// What a lower-case hex digit stands for; more than 15 of any other character.
fn hex_value(character: u8) -> u8 {
    let (digit, letter) = (character.wrapping_sub(b'0'), character.wrapping_sub(b'a'));
    if digit < 10 {
        digit
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

/// Appends what the expiries of a block begin with.
pub(crate) fn expiry_prefix(out: &mut Vec<u8>, expiring: u64) {
    order_preserving(out, expiring);
}

/// Appends the key of an expiry.
pub(crate) fn expiry(out: &mut Vec<u8>, expiring: u64, committing: u64, key: StateKey<'_>) {
    expiry_prefix(out, expiring);
    order_preserving(out, committing);
    state(out, key);
}

/// The committing block and the whole state key of an expiry.
pub(crate) fn split_expiry(key: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = key;
    take_order_preserving(&mut rest)?;
    let committing = take_order_preserving(&mut rest)?;
    Some((committing, rest))
}

/// What every collection configuration's key begins with.
pub(crate) const COLLECTIONS: &[u8] = b"slscc\0";

/// The whole key of a chaincode's collection configuration as of a block; later blocks sort first.
pub(crate) fn collections(chaincode: &str, block: u64) -> Vec<u8> {
    [COLLECTIONS, chaincode.as_bytes(), b"~collection", &(u64::MAX - block).to_be_bytes()].concat()
}

/// Chaincode and block of a collection configuration's whole key.
pub(crate) fn split_collections(whole: &[u8]) -> Option<(&str, u64)> {
    let (name, block) = whole.strip_prefix(COLLECTIONS)?.split_last_chunk::<8>()?;
    let chaincode = std::str::from_utf8(name.strip_suffix(b"~collection")?).ok()?;
    Some((chaincode, u64::MAX - u64::from_be_bytes(*block)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_lower_case_hex_digits() {
        let text = b"0123456789abcdef".repeat(4);
        let expected = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(4);
        assert_eq!(digest(&text).map(Vec::from), Some(expected));
        for position in 0..text.len() {
            for character in 0..=u8::MAX {
                let mut text = text.clone();
                text[position] = character;
                let is_digit = matches!(character, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(digest(&text).is_some(), is_digit, "{character} at {position}");
            }
        }
        assert_eq!(digest(&text[1..]), None);
        assert_eq!(digest(&[text, vec![b'0']].concat()), None);
    }
}

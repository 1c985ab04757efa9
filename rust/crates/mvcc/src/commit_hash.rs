// SPDX-License-Identifier: Apache-2.0
//! The commit hash: what every peer's state must agree on, block by block (`kvLedger.addBlockCommitHash`).

use fastledger_wire::hash::sha256;
use fastledger_wire::{Hash, Height, encode};

use crate::state::{Update, UpdateBatch};

/// Bytes of most entries beside key and value.
const ENTRY_BYTES: usize = 32;

/// The commit hash of a block.
///
/// `filter` holds one code for each transaction, `updates` come from [`update_bytes`]; `previous` is the commit
/// hash of the block before, `None` for block 1. Block 0 has none.
#[must_use]
pub fn commit_hash(filter: &[u8], updates: &[u8], previous: Option<&Hash>) -> Hash {
    let mut length = Vec::with_capacity(10);
    encode::varint(&mut length, filter.len() as u64);
    sha256(&[&length, filter, updates, previous.map_or(&[], |hash| hash.as_slice())])
}

/// A block's updates as `KVWritesBatchProto` (`txmgr/update_batch_bytes.go`).
///
/// Configuration (the namespace without a name) and metadata are left out. Namespace and collection stand in their
/// first entry only.
#[must_use]
pub fn update_bytes(batch: &UpdateBatch<'_>) -> Vec<u8> {
    let size = |update: &Update<'_>| {
        update.key.key.len() + update.state.as_ref().map_or(0, |(value, _)| value.len()) + ENTRY_BYTES
    };
    let mut bytes = Vec::with_capacity(batch.updates.iter().map(size).sum());
    let (mut entry, mut version) = (Vec::new(), Vec::new());
    let (mut namespace, mut collection) = ("", "");
    for update in batch.updates.iter().filter(|update| !update.key.namespace.is_empty()) {
        let key = update.key;
        entry.clear();
        if key.namespace != namespace {
            (namespace, collection) = (key.namespace, "");
            encode::bytes_field(&mut entry, 1, namespace.as_bytes());
        }
        if key.collection != collection {
            collection = key.collection;
            encode::bytes_field(&mut entry, 2, collection.as_bytes());
        }
        encode::bytes_field(&mut entry, 3, key.key);
        encode::varint_field(&mut entry, 4, u64::from(update.state.is_none()));
        encode::bytes_field(&mut entry, 5, update.state.as_ref().map_or(&[], |(value, _)| value));
        version.clear();
        version_bytes(&mut version, update.version);
        encode::bytes_field(&mut entry, 6, &version);
        encode::present_field(&mut bytes, 1, &entry);
    }
    bytes
}

/// Block and transaction number, each as a length and that many big-endian bytes (`version.Height.ToBytes`).
fn version_bytes(out: &mut Vec<u8>, version: Height) {
    for number in [version.block, version.tx] {
        let digits = number.to_be_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        #[expect(clippy::cast_possible_truncation, reason = "at most eight")]
        out.push((digits.len() - zeros) as u8);
        out.extend_from_slice(&digits[zeros..]);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use fastledger_wire::hash::hex;

    use super::*;
    use crate::state::StateKey;

    fn update(
        (namespace, collection, key): (&'static str, &'static str, &'static str),
        value: Option<&'static str>,
        (block, tx): (u64, u64),
    ) -> Update<'static> {
        Update {
            key: StateKey { namespace, collection, key: key.as_bytes() },
            version: Height { block, tx },
            state: value.map(|value| (Cow::Borrowed(value.as_bytes()), Cow::Borrowed(b"metadata".as_slice()))),
        }
    }

    #[test]
    fn versions_keep_their_order_as_bytes() {
        let bytes = |block, tx| {
            let mut bytes = Vec::new();
            version_bytes(&mut bytes, Height { block, tx });
            bytes
        };
        assert_eq!(bytes(0, 0), [0, 0]);
        assert_eq!(bytes(1, 255), [1, 1, 1, 255]);
        assert_eq!(bytes(256, u64::MAX), [2, 1, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert!(bytes(255, u64::MAX) < bytes(256, 0) && bytes(256, 0) < bytes(256, 1));
    }

    #[test]
    fn a_name_stands_in_its_first_entry_only() {
        let updates = vec![
            update(("", "", "config"), Some("left out"), (5, 0)),
            update(("a", "", "k"), Some("v"), (5, 0)),
            update(("a", "", "l"), None, (5, 1)),
            update(("a", "c", "h"), Some("w"), (5, 2)),
            update(("a", "c", "i"), Some("w"), (5, 2)),
            update(("b", "c", "h"), None, (5, 3)),
        ];
        let expected = [
            "0a0e 0a0161 1a016b 2a0176 3203010500",
            "0a0b 1a016c 2001 320401050101",
            "0a0f 120163 1a0168 2a0177 320401050102",
            "0a0c 1a0169 2a0177 320401050102",
            "0a11 0a0162 120163 1a0168 2001 320401050103",
        ];
        let found = hex(&update_bytes(&UpdateBatch { updates }));
        let expected = expected.concat().replace(' ', "");
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_commit_hash_has_no_predecessor() {
        let first = commit_hash(&[0, 11], b"updates", None);
        assert_eq!(first, sha256(&[b"\x02\x00\x0bupdates"]));
        let second = commit_hash(&[0; 300], b"", Some(&first));
        assert_eq!(second, sha256(&[&[0xac, 0x02], &[0; 300], &first]));
    }
}

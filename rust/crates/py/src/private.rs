// SPDX-License-Identifier: Apache-2.0
//! What blocks do to private data, as plain tuples.

use std::borrow::Cow;

use fastledger_committer::{CollectionEffects, HashedWrite, PrivateEffects};

/// Bytes that become Python's.
type Bytes<'e> = Cow<'e, [u8]>;

/// Hash of the key, hash of the value, whether it is deleted, whether it is purged.
type Write<'e> = (Bytes<'e>, Bytes<'e>, bool, bool);

/// Chaincode, collection, hash of the private write set, writes.
type Collection<'e> = (&'e str, &'e str, Bytes<'e>, Vec<Write<'e>>);

/// Index, id, whether it is valid, collections.
pub(crate) type Transaction<'e> = (u32, &'e str, bool, Vec<Collection<'e>>);

/// The effects of a block, by transaction.
pub(crate) fn tuples(effects: &[PrivateEffects]) -> Vec<Transaction<'_>> {
    effects
        .iter()
        .map(|one| (one.tx, &*one.tx_id, one.valid, one.collections.iter().map(collection).collect()))
        .collect()
}

fn collection(effects: &CollectionEffects) -> Collection<'_> {
    let writes = effects.writes.iter().map(write).collect();
    (&effects.namespace, &effects.collection, Cow::Borrowed(&effects.pvt_rwset_hash), writes)
}

fn write(write: &HashedWrite) -> Write<'_> {
    (Cow::Borrowed(&write.key_hash), Cow::Borrowed(&write.value_hash), write.is_delete, write.is_purge)
}

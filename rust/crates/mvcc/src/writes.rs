// SPDX-License-Identifier: Apache-2.0
//! What a transaction's writes amount to, key by key (`validation/tx_ops.go`).
//!
//! Fabric notes each write of a key by *adding* a number to a byte: 1 for a value, 2 for metadata, 4 for the
//! deletion of metadata, 8 for a deletion. As long as no kind repeats, the sum is a set of flags. When one does,
//! the sum means something else (two values read as metadata, two deletions as no deletion, 256 values as one),
//! and real ledgers hold such sums, so the arithmetic is part of the protocol.

use std::borrow::Cow;

use fastledger_wire::Hash;
use fastledger_wire::encode;
use fastledger_wire::rwset::{KvMetadataEntry, KvWrite, KvWriteHash, TxRwSet};

use crate::state::StateKey;

const VALUE: u8 = 1;
const METADATA: u8 = 2;
const METADATA_DELETE: u8 = 4;
const DELETE: u8 = 8;

/// SHA-256 of nothing: the hash of an empty private value, which is a deletion.
const HASH_OF_EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// All writes of one key by one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyWrite<'a> {
    pub(crate) key: StateKey<'a>,
    kinds: u8,
    /// The last value written; empty for none, because writing an empty value is a deletion.
    value: &'a [u8],
    /// The last metadata written; empty for none, likewise.
    metadata: &'a [KvMetadataEntry<'a>],
}

/// What a [`KeyWrite`] does to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect<'a> {
    Delete,
    Put {
        value: &'a [u8],
        metadata: Cow<'a, [u8]>,
    },
    /// The key keeps the metadata that it has.
    PutValue(&'a [u8]),
    /// The key keeps the value that it has; nothing happens where there is no key.
    PutMetadata(Cow<'a, [u8]>),
    /// The kinds add up to none, and there is no value.
    Void,
}

impl<'a> KeyWrite<'a> {
    fn value(key: StateKey<'a>, value: &'a [u8]) -> Self {
        Self { key, kinds: VALUE, value, metadata: &[] }
    }

    fn delete(key: StateKey<'a>) -> Self {
        Self { key, kinds: DELETE, value: &[], metadata: &[] }
    }

    fn metadata(key: StateKey<'a>, metadata: &'a [KvMetadataEntry<'a>]) -> Self {
        let kinds = if metadata.is_empty() { METADATA_DELETE } else { METADATA };
        Self { key, kinds, value: &[], metadata }
    }

    /// Adds a later write of the same key.
    fn add(&mut self, later: &Self) {
        // The byte overflows in Fabric, too.
        self.kinds = self.kinds.wrapping_add(later.kinds);
        if !later.value.is_empty() {
            self.value = later.value;
        }
        if !later.metadata.is_empty() {
            self.metadata = later.metadata;
        }
    }

    pub(crate) fn effect(&self) -> Effect<'a> {
        let with_metadata = self.kinds & (METADATA | METADATA_DELETE) != 0;
        match self.kinds {
            kinds if kinds & DELETE != 0 => Effect::Delete,
            kinds if kinds & VALUE != 0 && with_metadata => {
                Effect::Put { value: self.value, metadata: self.encoded_metadata() }
            }
            0 if self.value.is_empty() => Effect::Void,
            0 | VALUE => Effect::PutValue(self.value),
            _ => Effect::PutMetadata(self.encoded_metadata()),
        }
    }

    /// `statemetadata.Serialize`: a `KVMetadataWrite` without its key.
    fn encoded_metadata(&self) -> Cow<'a, [u8]> {
        let mut encoded = Vec::new();
        for entry in self.metadata {
            let mut body = Vec::with_capacity(entry.name.len() + entry.value.len() + 8);
            encode::bytes_field(&mut body, 1, entry.name.as_bytes());
            encode::bytes_field(&mut body, 2, entry.value);
            encode::present_field(&mut encoded, 2, &body);
        }
        Cow::Owned(encoded)
    }
}

/// Appends the writes of a transaction to `out`: one for each key, in the keys' order.
pub(crate) fn collect<'a>(rwset: &'a TxRwSet<'a>, out: &mut Vec<KeyWrite<'a>>) {
    debug_assert!(out.is_empty(), "writes of two transactions must not be added up");
    for namespace in &rwset.namespaces {
        let public = |key: &'a str| StateKey { namespace: namespace.namespace, collection: "", key: key.as_bytes() };
        out.extend(namespace.public.writes.iter().map(|write| public_write(public(write.key), write)));
        let metadata = namespace.public.metadata_writes.iter();
        out.extend(metadata.map(|write| KeyWrite::metadata(public(write.key), &write.entries)));
        for collection in &namespace.collections {
            let hashed =
                |key: &'a [u8]| StateKey { namespace: namespace.namespace, collection: collection.collection, key };
            let writes = collection.hashed.hashed_writes.iter();
            out.extend(writes.map(|write| hashed_write(hashed(write.key_hash), write)));
            let metadata = collection.hashed.metadata_writes.iter();
            out.extend(metadata.map(|write| KeyWrite::metadata(hashed(write.key_hash), &write.entries)));
        }
    }
    // Stable: of two values or two metadata the later must win.
    out.sort_by(|one, other| one.key.cmp(&other.key));
    out.dedup_by(|later, earlier| {
        let same = later.key == earlier.key;
        if same {
            earlier.add(later);
        }
        same
    });
}

/// `rwsetutil.IsKVWriteDelete`.
fn public_write<'a>(key: StateKey<'a>, write: &KvWrite<'a>) -> KeyWrite<'a> {
    if write.is_delete || write.value.is_empty() { KeyWrite::delete(key) } else { KeyWrite::value(key, write.value) }
}

/// `rwsetutil.IsKVWriteHashDelete`. `is_purge` is no part of it: it concerns stores of private data, and an honest
/// purge is marked as a deletion, too.
fn hashed_write<'a>(key: StateKey<'a>, write: &KvWriteHash<'a>) -> KeyWrite<'a> {
    if write.is_delete || write.value_hash.is_empty() || write.value_hash == HASH_OF_EMPTY {
        KeyWrite::delete(key)
    } else {
        KeyWrite::value(key, write.value_hash)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use fastledger_wire::hash::sha256;
    use fastledger_wire::rwset::{
        CollHashedRwSet, HashedRwSet, KvMetadataWrite, KvMetadataWriteHash, KvRwSet, NsRwSet,
    };

    /// One write of key `k`.
    #[derive(Clone, Copy)]
    enum Op {
        Value(&'static str),
        Delete,
        Metadata(&'static str),
        MetadataDelete,
    }
    use Op::{Delete, Metadata, MetadataDelete, Value};

    fn metadata_entries(op: Op) -> Option<Vec<KvMetadataEntry<'static>>> {
        match op {
            Metadata(value) => Some(vec![KvMetadataEntry { name: "m", value: value.as_bytes() }]),
            MetadataDelete => Some(Vec::new()),
            Value(_) | Delete => None,
        }
    }

    fn public(ops: &[Op]) -> KvRwSet<'static> {
        let mut rwset = KvRwSet::default();
        for op in ops {
            match *op {
                Value(value) => rwset.writes.push(KvWrite { key: "k", is_delete: false, value: value.as_bytes() }),
                Delete => rwset.writes.push(KvWrite { key: "k", is_delete: true, value: b"" }),
                Metadata(_) | MetadataDelete => {}
            }
            let entries = metadata_entries(*op);
            rwset.metadata_writes.extend(entries.map(|entries| KvMetadataWrite { key: "k", entries }));
        }
        rwset
    }

    fn hashed(ops: &[Op]) -> HashedRwSet<'static> {
        let mut rwset = HashedRwSet::default();
        for op in ops {
            let (is_delete, value_hash): (bool, &[u8]) = match op {
                Value(value) => (false, value.as_bytes()),
                Delete => (true, b""),
                Metadata(_) | MetadataDelete => {
                    let entries = metadata_entries(*op);
                    rwset
                        .metadata_writes
                        .extend(entries.map(|entries| KvMetadataWriteHash { key_hash: b"k", entries }));
                    continue;
                }
            };
            rwset.hashed_writes.push(KvWriteHash { key_hash: b"k", is_delete, value_hash, is_purge: false });
        }
        rwset
    }

    fn effects(rwset: &TxRwSet<'_>) -> Vec<(String, String, Vec<u8>, Effect<'static>)> {
        let mut writes = Vec::new();
        collect(rwset, &mut writes);
        let owned = |write: &KeyWrite<'_>| {
            let effect = match write.effect() {
                Effect::Delete => Effect::Delete,
                Effect::Put { value, metadata } => {
                    Effect::Put { value: value.to_vec().leak(), metadata: metadata.into_owned().into() }
                }
                Effect::PutValue(value) => Effect::PutValue(value.to_vec().leak()),
                Effect::PutMetadata(metadata) => Effect::PutMetadata(metadata.into_owned().into()),
                Effect::Void => Effect::Void,
            };
            (write.key.namespace.to_owned(), write.key.collection.to_owned(), write.key.key.to_vec(), effect)
        };
        writes.iter().map(owned).collect()
    }

    /// The effect of writing `k` so, publicly; hashed writes must have the same.
    fn effect(ops: &[Op]) -> Effect<'static> {
        let public = NsRwSet { namespace: "cc", public: public(ops), collections: Vec::new() };
        let collection = CollHashedRwSet { collection: "coll", hashed: hashed(ops), pvt_rwset_hash: &[] };
        let private = NsRwSet { namespace: "cc", public: KvRwSet::default(), collections: vec![collection] };
        let [public, private] = [public, private].map(|namespace| effects(&TxRwSet { namespaces: vec![namespace] }));
        let [(_, _, key, effect)] = public.as_slice() else { panic!("one key is written") };
        assert_eq!(key, b"k");
        assert_eq!(private, [("cc".into(), "coll".into(), b"k".to_vec(), effect.clone())]);
        effect.clone()
    }

    fn encoded(value: &str) -> Cow<'static, [u8]> {
        // entries (2) { name (1) "m", value (2) }
        let mut bytes = vec![0x12, u8::try_from(5 + value.len()).unwrap(), 0x0a, 1, b'm', 0x12];
        bytes.push(u8::try_from(value.len()).unwrap());
        bytes.extend_from_slice(value.as_bytes());
        bytes.into()
    }

    fn put(value: &'static str, metadata: Cow<'static, [u8]>) -> Effect<'static> {
        Effect::Put { value: value.as_bytes(), metadata }
    }

    #[test]
    fn one_write_of_each_kind() {
        assert_eq!(effect(&[Value("1")]), Effect::PutValue(b"1"));
        assert_eq!(effect(&[Delete]), Effect::Delete);
        assert_eq!(effect(&[Value("")]), Effect::Delete);
        assert_eq!(effect(&[Metadata("x")]), Effect::PutMetadata(encoded("x")));
        assert_eq!(effect(&[MetadataDelete]), Effect::PutMetadata(Cow::default()));
    }

    #[test]
    fn different_kinds_combine() {
        assert_eq!(effect(&[Value("1"), Metadata("x")]), put("1", encoded("x")));
        assert_eq!(effect(&[Value("1"), MetadataDelete]), put("1", Cow::default()));
        // The deletion of metadata does not take back what another write gave.
        assert_eq!(effect(&[Value("1"), Metadata("x"), MetadataDelete]), put("1", encoded("x")));
        assert_eq!(effect(&[Metadata("x"), MetadataDelete]), Effect::PutMetadata(encoded("x")));
        assert_eq!(effect(&[Value("1"), Delete]), Effect::Delete);
        assert_eq!(effect(&[Delete, Value("1")]), Effect::Delete);
        assert_eq!(effect(&[Delete, Value("1"), Metadata("x"), MetadataDelete]), Effect::Delete);
    }

    #[test]
    fn repeated_values_change_their_meaning() {
        let values = ["1", "2", "3", "4", "5", "6", "7", "8"].map(Value);
        assert_eq!(effect(&values[..2]), Effect::PutMetadata(Cow::default()));
        assert_eq!(effect(&values[..3]), put("3", Cow::default()));
        assert_eq!(effect(&values[..4]), Effect::PutMetadata(Cow::default()));
        assert_eq!(effect(&values[..5]), put("5", Cow::default()));
        assert_eq!(effect(&values[..6]), Effect::PutMetadata(Cow::default()));
        assert_eq!(effect(&values[..7]), put("7", Cow::default()));
        assert_eq!(effect(&values[..8]), Effect::Delete);
    }

    #[test]
    fn repeated_metadata_and_deletions_change_their_meaning() {
        assert_eq!(effect(&[Metadata("x"), Metadata("y")]), Effect::PutMetadata(encoded("y")));
        assert_eq!(effect(&[Value("1"), Metadata("x"), Metadata("y")]), put("1", encoded("y")));
        assert_eq!(effect(&[Metadata("x"); 4]), Effect::Delete);
        assert_eq!(effect(&[MetadataDelete; 2]), Effect::Delete);
        assert_eq!(effect(&[Delete; 2]), Effect::PutMetadata(Cow::default()));
        assert_eq!(effect(&[Delete; 3]), Effect::Delete);
        // 8 + 8 + 1: the value flag alone means nothing beside a higher bit.
        assert_eq!(effect(&[Delete, Delete, Value("1")]), Effect::PutMetadata(Cow::default()));
        assert_eq!(effect(&[Delete, Delete, Value("1"), Metadata("x")]), put("1", encoded("x")));
    }

    #[test]
    fn sums_overflow_a_byte() {
        assert_eq!(effect(&[Value("1"); 256]), Effect::PutValue(b"1"));
        assert_eq!(effect(&[Value("1"); 257]), Effect::PutValue(b"1"));
        for nothing in [&[Delete; 32] as &[_], &[MetadataDelete; 64], &[Metadata("x"); 128]] {
            assert_eq!(effect(nothing), Effect::Void);
        }
        assert_eq!(effect(&[Delete; 33]), Effect::Delete);
    }

    #[test]
    fn a_private_empty_value_is_a_deletion_and_a_purge_alone_is_not() {
        let hash = sha256(&[b""]);
        let write = |is_purge, value_hash| KvWriteHash { key_hash: b"k", is_delete: false, value_hash, is_purge };
        let effect = |write: KvWriteHash<'_>| {
            let hashed = HashedRwSet { hashed_writes: vec![write], ..HashedRwSet::default() };
            let collections = vec![CollHashedRwSet { collection: "coll", hashed, pvt_rwset_hash: &[] }];
            let namespaces = vec![NsRwSet { namespace: "cc", public: KvRwSet::default(), collections }];
            effects(&TxRwSet { namespaces }).remove(0).3
        };
        assert_eq!(effect(write(false, &hash)), Effect::Delete);
        assert_eq!(effect(write(true, b"")), Effect::Delete);
        assert_eq!(effect(write(true, b"v")), Effect::PutValue(b"v"));
    }

    #[test]
    fn keys_are_separate_and_sorted() {
        let write = |key| KvWrite { key, is_delete: false, value: b"1" };
        let namespace = |namespace, keys: &[&'static str]| NsRwSet {
            namespace,
            public: KvRwSet { writes: keys.iter().map(|key| write(key)).collect(), ..KvRwSet::default() },
            collections: vec![CollHashedRwSet { collection: "coll", hashed: hashed(&[Delete]), pvt_rwset_hash: &[] }],
        };
        let rwset = TxRwSet { namespaces: vec![namespace("z", &["k"]), namespace("a", &["l", "k", "l"])] };
        let names: Vec<_> = effects(&rwset)
            .into_iter()
            .map(|(namespace, collection, key, _)| {
                format!("{namespace} {collection} {}", String::from_utf8(key).unwrap())
            })
            .collect();
        assert_eq!(names, ["a  k", "a  l", "a coll k", "z  k", "z coll k"]);
    }

    #[test]
    fn a_collection_without_a_name_writes_public_keys() {
        let collections = vec![CollHashedRwSet { collection: "", hashed: hashed(&[Value("1")]), pvt_rwset_hash: &[] }];
        let namespaces = vec![NsRwSet { namespace: "cc", public: public(&[Metadata("x")]), collections }];
        let merged = effects(&TxRwSet { namespaces });
        assert_eq!(merged, [("cc".into(), String::new(), b"k".to_vec(), put("1", encoded("x")))]);
    }
}

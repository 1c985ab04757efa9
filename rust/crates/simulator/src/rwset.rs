// SPDX-License-Identifier: Apache-2.0
//! Builds a transaction's read-write set in Fabric's bytes (`rwsetutil/rwset_builder.go`).
//!
//! Namespaces, collections and keys are sorted by their bytes, range queries keep their order, and an entry that is
//! written twice keeps its last value.

use std::collections::{BTreeMap, BTreeSet};

use fastledger_wire::hash::sha256;
use fastledger_wire::{Hash, Height, encode};

/// A key's metadata by name.
pub type Metadata = BTreeMap<String, Vec<u8>>;

/// What a transaction says of a range that it read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRead {
    /// Inclusive.
    pub start: String,
    /// The last key that was read; after the last one of the range the range's own end.
    pub end: String,
    /// Whether the end of the range was seen.
    pub exhausted: bool,
    /// What was read: the encoded fields of [`RangeResults`](crate::RangeResults).
    pub results: Vec<u8>,
}

/// The hashed part of one collection, and the private part behind it.
#[derive(Debug, Default)]
struct Collection {
    reads: BTreeMap<String, Option<Height>>,
    writes: BTreeMap<String, (Vec<u8>, bool)>,
    metadata: BTreeMap<String, Metadata>,
}

#[derive(Debug, Default)]
struct Namespace {
    reads: BTreeMap<String, Option<Height>>,
    writes: BTreeMap<String, Vec<u8>>,
    metadata: BTreeMap<String, Metadata>,
    ranges: Vec<RangeRead>,
    /// Start, end and exhaustion of those.
    known_ranges: BTreeSet<(String, String, bool)>,
    collections: BTreeMap<String, Collection>,
}

/// What one transaction read and wrote so far.
#[derive(Debug, Default)]
pub struct ReadWriteSet {
    namespaces: BTreeMap<String, Namespace>,
}

impl ReadWriteSet {
    /// Adds a read; no version means that the key did not exist.
    pub fn read(&mut self, ns: &str, key: &str, version: Option<Height>) {
        put(&mut self.namespace(ns).reads, key, version);
    }

    /// Adds a write; an empty value deletes.
    pub fn write(&mut self, ns: &str, key: &str, value: Vec<u8>) {
        put(&mut self.namespace(ns).writes, key, value);
    }

    /// Replaces a key's metadata; no entries delete it.
    pub fn write_metadata(&mut self, ns: &str, key: &str, entries: Metadata) {
        put(&mut self.namespace(ns).metadata, key, entries);
    }

    /// Adds a range query; of equal ranges the first counts.
    pub fn add_range(&mut self, ns: &str, range: RangeRead) {
        let namespace = self.namespace(ns);
        if namespace.known_ranges.insert((range.start.clone(), range.end.clone(), range.exhausted)) {
            namespace.ranges.push(range);
        }
    }

    /// Adds a read of a private key.
    pub fn read_hash(&mut self, ns: &str, coll: &str, key: &str, version: Option<Height>) {
        put(&mut self.collection(ns, coll).reads, key, version);
    }

    /// Adds a write of a private key; an empty value deletes.
    pub fn write_private(&mut self, ns: &str, coll: &str, key: &str, value: Vec<u8>, is_purge: bool) {
        put(&mut self.collection(ns, coll).writes, key, (value, is_purge));
    }

    /// Replaces a private key's metadata.
    pub fn write_private_metadata(&mut self, ns: &str, coll: &str, key: &str, entries: Metadata) {
        put(&mut self.collection(ns, coll).metadata, key, entries);
    }

    /// Names of what was touched, in order.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().map(String::as_str)
    }

    /// Encodes: `rwset.TxReadWriteSet`, and `rwset.TxPvtReadWriteSet` if there is anything private.
    #[must_use]
    pub fn build(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut public, mut private) = (Vec::new(), Vec::new());
        for (name, namespace) in &self.namespaces {
            let mut set = Vec::new();
            encode::bytes_field(&mut set, 1, name.as_bytes());
            encode::bytes_field(&mut set, 2, &namespace.encoded());
            let mut kept = Vec::new();
            for (name, collection) in &namespace.collections {
                let mut hashed = Vec::new();
                encode::bytes_field(&mut hashed, 1, name.as_bytes());
                encode::bytes_field(&mut hashed, 2, &collection.hashed());
                if let Some(values) = collection.private() {
                    encode::present_field(&mut hashed, 3, &sha256(&[&values]));
                    message(&mut kept, 2, |out| {
                        encode::bytes_field(out, 1, name.as_bytes());
                        encode::bytes_field(out, 2, &values);
                    });
                }
                encode::present_field(&mut set, 3, &hashed);
            }
            encode::present_field(&mut public, 2, &set);
            if !kept.is_empty() {
                message(&mut private, 2, |out| {
                    encode::bytes_field(out, 1, name.as_bytes());
                    out.extend_from_slice(&kept);
                });
            }
        }
        (public, (!private.is_empty()).then_some(private))
    }

    fn namespace(&mut self, ns: &str) -> &mut Namespace {
        entry(&mut self.namespaces, ns)
    }

    fn collection(&mut self, ns: &str, coll: &str) -> &mut Collection {
        entry(&mut self.namespace(ns).collections, coll)
    }
}

impl Namespace {
    /// `kvrwset.KVRWSet`.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (key, read) in &self.reads {
            message(&mut out, 1, |out| {
                encode::bytes_field(out, 1, key.as_bytes());
                version(out, *read);
            });
        }
        for range in &self.ranges {
            message(&mut out, 2, |out| {
                encode::bytes_field(out, 1, range.start.as_bytes());
                encode::bytes_field(out, 2, range.end.as_bytes());
                encode::varint_field(out, 3, u64::from(range.exhausted));
                out.extend_from_slice(&range.results);
            });
        }
        for (key, value) in &self.writes {
            write(&mut out, 3, key, value);
        }
        for (key, entries) in &self.metadata {
            metadata_write(&mut out, 4, key.as_bytes(), entries);
        }
        out
    }
}

impl Collection {
    /// `kvrwset.HashedRWSet`.
    fn hashed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (key, read) in &self.reads {
            message(&mut out, 1, |out| {
                encode::present_field(out, 1, &key_hash(key));
                version(out, *read);
            });
        }
        for (key, (value, is_purge)) in &self.writes {
            message(&mut out, 2, |out| {
                encode::present_field(out, 1, &key_hash(key));
                encode::varint_field(out, 2, u64::from(value.is_empty()));
                if !value.is_empty() {
                    encode::present_field(out, 3, &sha256(&[value]));
                }
                encode::varint_field(out, 4, u64::from(*is_purge));
            });
        }
        for (key, entries) in &self.metadata {
            metadata_write(&mut out, 3, &key_hash(key), entries);
        }
        out
    }

    /// `kvrwset.KVRWSet` of the values; none where nothing is written, as reads alone have none.
    fn private(&self) -> Option<Vec<u8>> {
        if self.writes.is_empty() && self.metadata.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        for (key, (value, _)) in &self.writes {
            write(&mut out, 3, key, value);
        }
        for key in self.metadata.keys() {
            metadata_write(&mut out, 4, key.as_bytes(), &Metadata::new());
        }
        Some(out)
    }
}

fn key_hash(key: &str) -> Hash {
    sha256(&[key.as_bytes()])
}

fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> &'m mut V {
    map.entry(name.to_owned()).or_default()
}

fn put<V>(map: &mut BTreeMap<String, V>, key: &str, value: V) {
    map.insert(key.to_owned(), value);
}

fn message(out: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut encoded = Vec::new();
    fill(&mut encoded);
    encode::present_field(out, number, &encoded);
}

fn version(out: &mut Vec<u8>, version: Option<Height>) {
    if let Some(version) = version {
        message(out, 2, |out| {
            encode::varint_field(out, 1, version.block);
            encode::varint_field(out, 2, version.tx);
        });
    }
}

fn write(out: &mut Vec<u8>, number: u32, key: &str, value: &[u8]) {
    message(out, number, |out| {
        encode::bytes_field(out, 1, key.as_bytes());
        encode::varint_field(out, 2, u64::from(value.is_empty()));
        encode::bytes_field(out, 3, value);
    });
}

fn metadata_write(out: &mut Vec<u8>, number: u32, key: &[u8], entries: &Metadata) {
    message(out, number, |out| {
        encode::bytes_field(out, 1, key);
        for (name, value) in entries {
            message(out, 2, |out| {
                encode::bytes_field(out, 1, name.as_bytes());
                encode::bytes_field(out, 2, value);
            });
        }
    });
}

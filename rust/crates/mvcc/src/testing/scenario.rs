// SPDX-License-Identifier: Apache-2.0
//! A contended block over a small state, made from arbitrary bytes.
//!
//! Few keys, so that transactions meet; versions, ranges and summaries that are mostly right, so that many are
//! valid; and every kind of write, repeated up to the sums that overflow. Any bytes make a scenario, the empty ones
//! included, so proptest and a fuzzer can both choose them.

use fastledger_wire::Height;
use fastledger_wire::rwset::{
    CollHashedRwSet, HashedRwSet, KvMetadataEntry, KvMetadataWrite, KvMetadataWriteHash, KvRead, KvReadHash, KvRwSet,
    KvWrite, KvWriteHash, NsRwSet, QueryReads, QueryReadsMerkleSummary, RangeQueryInfo, ReadsInfo, TxRwSet, Version,
};

use super::{MemoryState, encode, transactions};
use crate::sequential;
use crate::state::{StateKey, StateReader, VersionedValue};

/// The block that a scenario's transactions stand in.
const BLOCK: u64 = 9;
const MAX_TXS: usize = 12;
const NAMESPACES: [&str; 2] = ["cc", "other"];
const COLLECTIONS: [&str; 2] = ["", "coll"];
const KEYS: [&str; 8] = ["", "a", "aa", "b", "c", "d", "e", "\u{10ffff}"];
/// As key hashes they are not UTF-8 in two cases, which a collection without a name turns into public keys.
const HASHES: [&[u8]; 4] = [b"b", &[0xff], &[0x80, 0x01], b"hash"];
const VALUES: [&[u8]; 4] = [b"", b"1", b"2", b"three"];
/// Longer than what speculation keeps.
const LONG_METADATA: &[u8] = &[b'm'; 300];
/// How often a write is repeated; the last three are where sums overflow.
const REPEATS: [usize; 8] = [1, 1, 1, 2, 3, 32, 64, 128];

/// Committed state, and the encoded read-write sets of a block.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// As of the end of the previous block.
    pub state: MemoryState,
    /// One for each transaction, `rwset.TxReadWriteSet`.
    pub rwsets: Vec<Vec<u8>>,
}

impl Scenario {
    /// The block's number.
    pub const BLOCK: u64 = BLOCK;

    /// Lets the bytes choose; those that are missing are zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut choices = Choices { bytes };
        let mut scenario = Self { state: state(&mut choices), rwsets: Vec::new() };
        for _ in 0..=choices.below(MAX_TXS) {
            let rwset = choices.tx(&scenario.view());
            scenario.rwsets.push(rwset);
        }
        scenario
    }

    /// State with the writes of the transactions so far: what an honest simulation in mid-block would see.
    fn view(&self) -> MemoryState {
        let rwsets: Vec<_> = self.rwsets.iter().filter_map(|rwset| TxRwSet::decode(rwset).ok()).collect();
        let mut state = self.state.clone();
        match sequential::validate(BLOCK, &transactions(&rwsets), &self.state) {
            Ok(outcome) => state.apply(&outcome.batch),
            Err(crate::MvccError::State(never)) => match never {},
        }
        state
    }
}

fn state(choices: &mut Choices<'_>) -> MemoryState {
    let mut state = MemoryState::default();
    for namespace in NAMESPACES {
        for key in KEYS {
            choices.commit(&mut state, StateKey { namespace, collection: "", key: key.as_bytes() });
        }
        for key in HASHES {
            for collection in COLLECTIONS {
                choices.commit(&mut state, StateKey { namespace, collection, key });
            }
        }
    }
    state
}

struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn of<T: Clone>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())].clone()
    }

    /// True for one of `chances` bytes.
    fn rarely(&mut self, chances: usize) -> bool {
        self.below(chances) == chances - 1
    }

    fn several<T>(&mut self, bound: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(bound)).map(|_| make(self)).collect()
    }

    fn commit(&mut self, state: &mut MemoryState, key: StateKey<'static>) {
        let value = self.of(&VALUES);
        if !value.is_empty() {
            let metadata: &[u8] = self.of(&[b"", b"", b"\x12\x03\x0a\x01m", LONG_METADATA]);
            let version = Height { block: 1 + self.below(3) as u64, tx: self.below(2) as u64 };
            state.put(key, Some(VersionedValue { value: value.into(), metadata: metadata.into(), version }));
        }
    }

    /// An encoded read-write set of a transaction that was simulated on `view`, more or less.
    fn tx(&mut self, view: &MemoryState) -> Vec<u8> {
        let namespaces = 1 + self.below(2);
        let parts = NAMESPACES.iter().take(namespaces).flat_map(|namespace| {
            // Encoded one by one, because what a range query's summary borrows lives no longer.
            self.namespace(namespace, view)
        });
        parts.collect()
    }

    fn namespace(&mut self, namespace: &'static str, view: &MemoryState) -> Vec<u8> {
        let collections = self.several(2, |choices| {
            let collection = choices.of(&COLLECTIONS);
            CollHashedRwSet { collection, hashed: choices.hashed(namespace, collection, view), pvt_rwset_hash: &[] }
        });
        let reads = self.several(3, |choices| choices.read(namespace, view));
        let writes = self.several(3, Self::write).concat();
        let metadata_writes = self.several(2, Self::metadata_write).concat();
        let public = KvRwSet { reads, writes, metadata_writes, range_queries_info: Vec::new() };
        let mut rwset = TxRwSet { namespaces: vec![NsRwSet { namespace, public, collections }] };
        if !self.rarely(3) {
            return encode::rwset(&rwset);
        }
        let range = Range::choose(self, namespace, view);
        rwset.namespaces[0].public.range_queries_info = vec![range.query(self)];
        encode::rwset(&rwset)
    }

    fn hashed(&mut self, namespace: &str, collection: &str, view: &MemoryState) -> HashedRwSet<'static> {
        HashedRwSet {
            hashed_reads: self.several(2, |choices| {
                let key_hash = choices.of(&HASHES);
                let version = choices.version(StateKey { namespace, collection, key: key_hash }, view);
                KvReadHash { key_hash, version }
            }),
            hashed_writes: self
                .several(3, |choices| {
                    let (key_hash, value_hash) = (choices.of(&HASHES), choices.of(&VALUES));
                    let (is_delete, is_purge) = (choices.rarely(4), choices.rarely(4));
                    vec![KvWriteHash { key_hash, is_delete, value_hash, is_purge }; choices.of(&REPEATS)]
                })
                .concat(),
            metadata_writes: self
                .several(2, |choices| {
                    let key_hash = choices.of(&HASHES);
                    vec![KvMetadataWriteHash { key_hash, entries: choices.metadata() }; choices.of(&REPEATS)]
                })
                .concat(),
        }
    }

    fn read(&mut self, namespace: &str, view: &MemoryState) -> KvRead<'static> {
        let key = self.of(&KEYS);
        KvRead { key, version: self.version(StateKey { namespace, collection: "", key: key.as_bytes() }, view) }
    }

    fn version(&mut self, key: StateKey<'_>, view: &MemoryState) -> Option<Version> {
        let Ok(found) = view.version(key);
        if self.rarely(6) { self.of(&[None, Some(Version::default())]) } else { found.map(wire_version) }
    }

    fn write(&mut self) -> Vec<KvWrite<'static>> {
        let write = KvWrite { key: self.of(&KEYS), is_delete: self.rarely(4), value: self.of(&VALUES) };
        vec![write; self.of(&REPEATS)]
    }

    fn metadata_write(&mut self) -> Vec<KvMetadataWrite<'static>> {
        vec![KvMetadataWrite { key: self.of(&KEYS), entries: self.metadata() }; self.of(&REPEATS)]
    }

    fn metadata(&mut self) -> Vec<KvMetadataEntry<'static>> {
        self.several(3, |choices| KvMetadataEntry { name: "policy", value: choices.of(&VALUES) })
    }
}

fn wire_version(height: Height) -> Version {
    Version { block_num: height.block, tx_num: height.tx }
}

/// A range query with what it would find in mid-block.
struct Range {
    start_key: &'static str,
    end_key: &'static str,
    itr_exhausted: bool,
    results: Vec<(Box<[u8]>, Height)>,
    degree: u32,
    summary: (u32, Vec<fastledger_wire::Hash>),
}

impl Range {
    fn choose(choices: &mut Choices<'_>, namespace: &str, view: &MemoryState) -> Self {
        let (start_key, end_key) = (choices.of(&KEYS[..4]), choices.of(&KEYS));
        let itr_exhausted = !choices.rarely(3);
        let mut results = Vec::new();
        let Ok(()) = view.range(namespace, start_key.as_bytes(), end_key, &mut |key, version| {
            results.push((Box::from(key), version));
            std::ops::ControlFlow::Continue(())
        });
        if !itr_exhausted {
            let Ok(last) = view.version(StateKey { namespace, collection: "", key: end_key.as_bytes() });
            results.extend(last.map(|version| (Box::from(end_key.as_bytes()), version)));
        }
        let degree = choices.of(&[2, 2, 3, 4, 1, 0]);
        let summary = sequential::summary(&results, degree).map(|summary| (summary.level, summary.hashes));
        Self { start_key, end_key, itr_exhausted, results, degree, summary: summary.unwrap_or_default() }
    }

    fn query(&self, choices: &mut Choices<'_>) -> RangeQueryInfo<'_> {
        let mut reads_info = match choices.below(6) {
            0 if self.results.is_empty() => ReadsInfo::Unset,
            choice if choice == 0 || self.summary.0 > 0 => ReadsInfo::ReadsMerkleHashes(QueryReadsMerkleSummary {
                max_degree: self.degree,
                max_level: self.summary.0,
                max_level_hashes: self.summary.1.iter().map(fastledger_wire::Hash::as_slice).collect(),
            }),
            _ => ReadsInfo::RawReads(QueryReads { kv_reads: self.results.iter().map(raw_read).collect() }),
        };
        match &mut reads_info {
            ReadsInfo::RawReads(reads) if choices.rarely(4) => drop(reads.kv_reads.pop()),
            ReadsInfo::RawReads(reads) if choices.rarely(4) => {
                reads.kv_reads.push(KvRead { key: "zz", version: choices.of(&[None, Some(Version::default())]) });
            }
            ReadsInfo::ReadsMerkleHashes(summary) if choices.rarely(4) => drop(summary.max_level_hashes.pop()),
            _ => {}
        }
        let Self { start_key, end_key, itr_exhausted, .. } = *self;
        RangeQueryInfo { start_key, end_key, itr_exhausted, reads_info }
    }
}

fn raw_read((key, version): &(Box<[u8]>, Height)) -> KvRead<'_> {
    KvRead { key: std::str::from_utf8(key).unwrap_or("not UTF-8"), version: Some(wire_version(*version)) }
}

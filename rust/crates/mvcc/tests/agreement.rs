// SPDX-License-Identifier: Apache-2.0
//! The product decides and writes what the judge does, on contended blocks of every kind.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use fastledger_mvcc::testing::{Counting, MemoryState, Scenario, transactions};
use fastledger_mvcc::{
    Conflict, Difference, MvccError, StateKey, StateReader, Transaction, Validated, VersionedValue, parallel,
    sequential, update_bytes,
};
use fastledger_wire::rwset::{
    KvMetadataEntry, KvMetadataWrite, KvRead, KvRwSet, KvWrite, NsRwSet, QueryReads, RangeQueryInfo, ReadsInfo,
    TxRwSet, Version,
};
use fastledger_wire::{Height, TxValidationCode};
use proptest::prelude::*;

/// Enough transactions for several threads.
const COPIES: usize = 40;

fn both<'a, R: StateReader>(txs: &[Transaction<'a>], state: &R) -> Validated<'a> {
    let judged = sequential::validate(Scenario::BLOCK, txs, state).unwrap();
    for workers in [0, 1, 2, 7] {
        let product = parallel::validate(Scenario::BLOCK, txs, state, workers).unwrap();
        assert_eq!(product, judged, "{workers} workers");
    }
    assert!(judged.batch.updates.is_sorted_by(|one, other| one.key < other.key));
    judged
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn product_and_judge_agree(bytes in proptest::collection::vec(any::<u8>(), 0..1_200)) {
        let scenario = Scenario::from_bytes(&bytes);
        let rwsets: Vec<_> = scenario.rwsets.iter().map(|rwset| TxRwSet::decode(rwset).unwrap()).collect();
        both(&transactions(&rwsets), &scenario.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn threads_do_not_change_the_outcome(bytes in proptest::collection::vec(any::<u8>(), 400..1_200)) {
        let scenario = Scenario::from_bytes(&bytes);
        let rwsets: Vec<_> = scenario.rwsets.iter().map(|rwset| TxRwSet::decode(rwset).unwrap()).collect();
        let many: Vec<_> = std::iter::repeat_n(rwsets, COPIES).flatten().collect();
        both(&transactions(&many), &scenario.state);
    }

    #[test]
    fn plain_reads_and_writes_follow_the_textbook(
        txs in proptest::collection::vec((0..6usize, 0..6usize, 0..8u64), 1..200)
    ) {
        let keys = ["a", "b", "c", "d", "e", "f"];
        let committed = |key: usize| (key > 0).then_some(Height { block: key as u64, tx: 0 });
        let mut state = MemoryState::default();
        for (index, key) in keys.iter().enumerate() {
            let version = committed(index);
            let key = StateKey { namespace: "cc", collection: "", key: key.as_bytes() };
            state.put(key, version.map(|version| VersionedValue { value: b"0".into(), metadata: b"".into(), version }));
        }
        let rwsets: Vec<_> = txs.iter().map(|(read, write, wrong)| {
            let version = committed(*read).map(|height| Version { block_num: height.block, tx_num: u64::from(*wrong == 0) });
            plain(vec![KvRead { key: keys[*read], version }], keys[*write])
        }).collect();

        let mut written = HashMap::new();
        let mut invalid = Vec::new();
        for (index, (read, write, wrong)) in (0u32..).zip(&txs) {
            let stale = *wrong == 0 && *read > 0;
            if stale || written.contains_key(read) { invalid.push(index); } else { written.insert(*write, index); }
        }

        let txs = transactions(&rwsets);
        let outcome = both(&txs, &state);
        prop_assert_eq!(outcome.conflicts.iter().map(|(index, _)| *index).collect::<Vec<_>>(), invalid);
        for (key, writer) in written {
            let key = StateKey { namespace: "cc", collection: "", key: keys[key].as_bytes() };
            prop_assert_eq!(outcome.batch.get(key).unwrap().version.tx, u64::from(writer));
        }
    }
}

fn plain<'a>(reads: Vec<KvRead<'a>>, key: &'a str) -> TxRwSet<'a> {
    let writes = vec![KvWrite { key, is_delete: false, value: b"1" }];
    let public = KvRwSet { reads, writes, ..KvRwSet::default() };
    TxRwSet { namespaces: vec![NsRwSet { namespace: "cc", public, collections: Vec::new() }] }
}

/// The generator would prove nothing if it made only one kind of transaction.
#[test]
fn generated_blocks_meet_every_case() {
    let mut met = BTreeMap::<&str, u32>::new();
    let mut seed = 1u64;
    for _ in 0..600 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        })
        .take(1_200)
        .collect();
        let scenario = Scenario::from_bytes(&bytes);
        let rwsets: Vec<_> = scenario.rwsets.iter().map(|rwset| TxRwSet::decode(rwset).unwrap()).collect();
        let outcome = both(&transactions(&rwsets), &scenario.state);
        let mut count = |kind: &'static str| *met.entry(kind).or_default() += 1;
        for (_, conflict) in &outcome.conflicts {
            let kind = match conflict {
                Conflict::Read { in_block: Some(_), .. } => "read of a key written in the block",
                Conflict::Read { .. } => "stale read",
                Conflict::Phantom { difference: Difference::Summary, .. } => "wrong summary",
                Conflict::Phantom { .. } => "wrong result",
                Conflict::Write { in_block: Some(_), .. } => "metadata for a key deleted in the block",
                Conflict::Write { .. } => "writes that add up to nothing",
            };
            count(kind);
        }
        for tx in transactions(&rwsets) {
            if outcome.conflicts.iter().any(|(invalid, _)| *invalid == tx.index) {
                continue;
            }
            let ranges = &tx.rwset.namespaces[0].public.range_queries_info;
            let alone = sequential::validate(Scenario::BLOCK, &[tx], &scenario.state).unwrap();
            count(match (ranges.first().map(|range| &range.reads_info), alone.conflicts.is_empty()) {
                (None, true) => "valid without ranges",
                (Some(ReadsInfo::ReadsMerkleHashes(_)), true) => "valid summary",
                (Some(_), true) => "valid results",
                (_, false) => "valid only after the block's own writes",
            });
        }
        for update in &outcome.batch.updates {
            count(if update.state.is_some() { "put" } else { "delete" });
        }
    }
    let kinds = [
        "read of a key written in the block",
        "stale read",
        "wrong summary",
        "wrong result",
        "metadata for a key deleted in the block",
        "writes that add up to nothing",
        "valid without ranges",
        "valid summary",
        "valid results",
        "valid only after the block's own writes",
        "delete",
        "put",
    ];
    for kind in kinds {
        assert!(met.get(kind).is_some_and(|count| *count >= 20), "{kind} is rare or missing in {met:#?}");
    }
}

#[test]
fn update_bytes_do_not_depend_on_who_validated() {
    let rwsets = [plain(Vec::new(), "b"), plain(Vec::new(), "a"), plain(Vec::new(), "b")];
    let txs = transactions(&rwsets);
    let outcome = both(&txs, &MemoryState::default());
    let product = parallel::validate(Scenario::BLOCK, &txs, &MemoryState::default(), 2).unwrap();
    assert_eq!(update_bytes(&product.batch), update_bytes(&outcome.batch));
    assert_eq!(outcome.batch.updates.len(), 2);
}

/// What one transaction does to numbered keys.
#[derive(Debug, Clone, Copy)]
enum Step {
    Delete {
        first: usize,
        count: usize,
    },
    Put(usize),
    /// From a key to another one, which is looked at too where `closed`; it claims what there is where `right`.
    Query {
        start: usize,
        end: usize,
        closed: bool,
        right: bool,
    },
}

/// So many that runs of deleted ones are worth remembering.
const NUMBERED: usize = 150;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..NUMBERED;
    let step = prop_oneof![
        2 => (key(), 1..80usize).prop_map(|(first, count)| Step::Delete { first, count }),
        2 => key().prop_map(Step::Put),
        4 => (key(), key(), any::<bool>(), 0..8u8)
            .prop_map(|(start, end, closed, luck)| Step::Query { start, end, closed, right: luck > 0 }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// The transactions of such steps, in a block over the given keys, and the indexes of those that claim what is not so.
fn stepped<'a>(names: &'a [String], committed: &MemoryState, steps: &[Step]) -> (Vec<TxRwSet<'a>>, Vec<u32>) {
    let mut now: BTreeMap<&str, Height> = BTreeMap::new();
    for name in names {
        let key = StateKey { namespace: "cc", collection: "", key: name.as_bytes() };
        now.extend(committed.version(key).unwrap().map(|version| (name.as_str(), version)));
    }
    let (mut rwsets, mut wrong) = (Vec::new(), Vec::new());
    for (index, step) in (0u32..).zip(steps) {
        let mut public = KvRwSet::default();
        match *step {
            Step::Delete { first, count } => {
                for name in &names[first..names.len().min(first + count)] {
                    now.remove(name.as_str());
                    public.writes.push(KvWrite { key: name, is_delete: true, value: b"" });
                }
            }
            Step::Put(key) => {
                now.insert(&names[key], Height { block: Scenario::BLOCK, tx: u64::from(index) });
                public.writes.push(KvWrite { key: &names[key], is_delete: false, value: b"1" });
            }
            Step::Query { start, end, closed, right } => {
                let (start_key, end_key) = (names[start].as_str(), names.get(end).map_or("", String::as_str));
                let inside = now.range(start_key..).take_while(|(name, _)| **name < end_key);
                let last = now.get_key_value(end_key).filter(|_| closed);
                let read = |(name, version): (&&'a str, &Height)| KvRead {
                    key: name,
                    version: Some(Version { block_num: version.block, tx_num: version.tx }),
                };
                let mut kv_reads: Vec<_> = inside.chain(last).map(read).collect();
                if !right {
                    kv_reads.push(KvRead { key: "zz", version: None });
                    wrong.push(index);
                }
                let reads_info = ReadsInfo::RawReads(QueryReads { kv_reads });
                public.range_queries_info.push(RangeQueryInfo {
                    start_key,
                    end_key,
                    itr_exhausted: !closed,
                    reads_info,
                });
            }
        }
        rwsets.push(TxRwSet { namespaces: vec![NsRwSet { namespace: "cc", public, collections: Vec::new() }] });
    }
    (rwsets, wrong)
}

fn numbered() -> Vec<String> {
    (0..NUMBERED).map(|number| format!("k{number:03}")).collect()
}

/// Committed state of every second key.
fn every_second(names: &[String]) -> MemoryState {
    let mut state = MemoryState::default();
    for name in names.iter().step_by(2) {
        let value = VersionedValue { value: b"0".into(), metadata: b"".into(), version: Height { block: 1, tx: 0 } };
        state.put(StateKey { namespace: "cc", collection: "", key: name.as_bytes() }, Some(value));
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn queries_step_over_what_the_block_emptied_and_over_nothing_else(steps in steps()) {
        let names = numbered();
        let state = every_second(&names);
        let (rwsets, wrong) = stepped(&names, &state, &steps);
        let outcome = both(&transactions(&rwsets), &state);
        prop_assert_eq!(outcome.conflicts.iter().map(|(index, _)| *index).collect::<Vec<_>>(), wrong);
    }
}

#[test]
fn what_a_block_deletes_is_stepped_over_once_and_not_by_each_query() {
    let names: Vec<String> = (0..1_000).map(|number| format!("k{number:03}")).collect();
    let state = every_second(&names);
    let delete = Step::Delete { first: 0, count: names.len() };
    let queries = (0..300).map(|start| Step::Query { start, end: names.len() + 1, closed: false, right: true });
    let steps: Vec<_> = std::iter::once(delete).chain(queries).collect();
    let (rwsets, _) = stepped(&names, &state, &steps);
    let counting = Counting::new(&state);
    let outcome = parallel::validate(Scenario::BLOCK, &transactions(&rwsets), &counting, 1).unwrap();
    assert!(outcome.conflicts.is_empty(), "{:?}", outcome.conflicts);
    // Each query meets one row before it knows of the deletions, and one of them all of the others.
    let rows = counting.rows();
    assert!(rows <= names.len() / 2 + steps.len(), "{rows} rows for {} queries", steps.len());
}

#[test]
fn what_a_write_keeps_is_read_once_for_a_block() {
    const LARGE: usize = 100_000;
    let key = StateKey { namespace: "cc", collection: "", key: b"k" };
    let version = Height { block: 1, tx: 0 };
    let mut state = MemoryState::default();
    let large = || Cow::Owned(vec![7; LARGE]);
    state.put(key, Some(VersionedValue { value: large(), metadata: large(), version }));
    let public = |values: bool| {
        let write = KvWrite { key: "k", is_delete: false, value: b"1" };
        let entries = vec![KvMetadataEntry { name: "m", value: b"1" }];
        let metadata = KvMetadataWrite { key: "k", entries };
        if values {
            KvRwSet { writes: vec![write], ..KvRwSet::default() }
        } else {
            KvRwSet { metadata_writes: vec![metadata], ..KvRwSet::default() }
        }
    };
    for values in [true, false] {
        let namespaces = vec![NsRwSet { namespace: "cc", public: public(values), collections: Vec::new() }];
        let rwsets = vec![TxRwSet { namespaces }; 200];
        let txs = transactions(&rwsets);
        let counting = Counting::new(&state);
        let outcome = parallel::validate(Scenario::BLOCK, &txs, &counting, 1).unwrap();
        assert_eq!(outcome, sequential::validate(Scenario::BLOCK, &txs, &state).unwrap());
        let bytes = counting.bytes();
        assert!((LARGE..=2 * LARGE).contains(&bytes), "{bytes} bytes read for writes of values: {values}");
    }
}

/// A state that breaks at one key.
struct Broken;

#[derive(Debug, thiserror::Error)]
#[error("disk gone")]
struct DiskGone;

impl StateReader for Broken {
    type Error = DiskGone;

    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>, DiskGone> {
        if key.key == b"bad" { Err(DiskGone) } else { Ok(None) }
    }

    fn get(&self, _: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, DiskGone> {
        Ok(None)
    }

    fn metadata(&self, _: StateKey<'_>) -> Result<Cow<'static, [u8]>, DiskGone> {
        Ok(Cow::default())
    }

    fn range(
        &self,
        _: &str,
        _: &[u8],
        _: &str,
        _: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), DiskGone> {
        Ok(())
    }
}

#[test]
fn a_broken_state_is_an_error_and_not_a_verdict() {
    let good = plain(vec![KvRead { key: "good", version: None }], "k");
    let bad = plain(vec![KvRead { key: "bad", version: None }], "k");
    let mut rwsets = vec![good; 500];
    rwsets[400] = bad;
    let txs = transactions(&rwsets);
    assert!(matches!(sequential::validate(1, &txs, &Broken), Err(MvccError::State(DiskGone))));
    for workers in [1, 4] {
        let error = parallel::validate(1, &txs, &Broken, workers).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the committed state: disk gone");
    }
}

#[test]
fn an_invalid_transaction_keeps_its_code_apart_from_its_index() {
    let read = |block_num| vec![KvRead { key: "k", version: Some(Version { block_num, tx_num: 0 }) }];
    let rwsets = [plain(read(1), "a"), plain(Vec::new(), "b")];
    let txs = [Transaction { rwset: &rwsets[0], index: 3 }, Transaction { rwset: &rwsets[1], index: 8 }];
    let outcome = both(&txs, &MemoryState::default());
    let [(3, conflict)] = outcome.conflicts.as_slice() else { panic!("transaction 3 conflicts") };
    assert_eq!(conflict.code(), TxValidationCode::MvccReadConflict);
    assert_eq!(outcome.batch.updates[0].version, Height { block: Scenario::BLOCK, tx: 8 });
}

// SPDX-License-Identifier: Apache-2.0
//! Fabric's rules one by one, as `core/ledger/kvledger/txmgmt/validation` has them, for judge and product alike.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use fastledger_mvcc::testing::{MemoryState, transactions};
use fastledger_mvcc::{
    Conflict, Difference, StateKey, Update, UpdateBatch, Validated, VersionedValue, parallel, sequential,
};
use fastledger_wire::hash::sha256;
use fastledger_wire::rwset::{
    CollHashedRwSet, HashedRwSet, KvMetadataEntry, KvMetadataWrite, KvRead, KvReadHash, KvWrite, KvWriteHash, NsRwSet,
    QueryReads, QueryReadsMerkleSummary, RangeQueryInfo, ReadsInfo, TxRwSet, Version,
};
use fastledger_wire::{Height, TxValidationCode};

const BLOCK: u64 = 9;
const MVCC: TxValidationCode = TxValidationCode::MvccReadConflict;
const PHANTOM: TxValidationCode = TxValidationCode::PhantomReadConflict;
const VALID: TxValidationCode = TxValidationCode::Valid;

type At = Option<(u64, u64)>;

fn version(at: At) -> Option<Version> {
    at.map(|(block_num, tx_num)| Version { block_num, tx_num })
}

/// A transaction's part in one namespace.
fn cc(namespace: &'static str) -> Part {
    Part(NsRwSet { namespace, ..NsRwSet::default() })
}

struct Part(NsRwSet<'static>);

impl Part {
    fn read(mut self, key: &'static str, at: At) -> Self {
        self.0.public.reads.push(KvRead { key, version: version(at) });
        self
    }

    fn write(mut self, key: &'static str, value: &'static str) -> Self {
        self.0.public.writes.push(KvWrite { key, is_delete: false, value: value.as_bytes() });
        self
    }

    fn delete(mut self, key: &'static str) -> Self {
        self.0.public.writes.push(KvWrite { key, is_delete: true, value: b"" });
        self
    }

    fn metadata(mut self, key: &'static str, value: &'static str) -> Self {
        let entries = vec![KvMetadataEntry { name: "m", value: value.as_bytes() }];
        self.0.public.metadata_writes.push(KvMetadataWrite { key, entries });
        self
    }

    fn range(mut self, range: (&'static str, &'static str, bool), reads_info: ReadsInfo<'static>) -> Self {
        let (start_key, end_key, itr_exhausted) = range;
        self.0.public.range_queries_info.push(RangeQueryInfo { start_key, end_key, itr_exhausted, reads_info });
        self
    }

    fn hashed(mut self, collection: &'static str, hashed: HashedRwSet<'static>) -> Self {
        self.0.collections.push(CollHashedRwSet { collection, hashed, pvt_rwset_hash: &[] });
        self
    }

    fn tx(self) -> TxRwSet<'static> {
        TxRwSet { namespaces: vec![self.0] }
    }

    fn and(self, other: Self) -> TxRwSet<'static> {
        TxRwSet { namespaces: vec![self.0, other.0] }
    }
}

fn hashed_read(key_hash: &'static [u8], at: At) -> HashedRwSet<'static> {
    HashedRwSet { hashed_reads: vec![KvReadHash { key_hash, version: version(at) }], ..HashedRwSet::default() }
}

fn hashed_write(key_hash: &'static [u8], value_hash: &'static [u8]) -> HashedRwSet<'static> {
    let write = KvWriteHash { key_hash, is_delete: value_hash.is_empty(), value_hash, is_purge: false };
    HashedRwSet { hashed_writes: vec![write], ..HashedRwSet::default() }
}

fn raw(reads: &[(&'static str, At)]) -> ReadsInfo<'static> {
    let kv_reads = reads.iter().map(|(key, at)| KvRead { key, version: version(*at) }).collect();
    ReadsInfo::RawReads(QueryReads { kv_reads })
}

fn merkle(max_degree: u32, max_level: u32, max_level_hashes: Vec<&'static [u8]>) -> ReadsInfo<'static> {
    ReadsInfo::ReadsMerkleHashes(QueryReadsMerkleSummary { max_degree, max_level, max_level_hashes })
}

fn key(key: &str) -> StateKey<'_> {
    StateKey { namespace: "cc", collection: "", key: key.as_bytes() }
}

/// Keys of `cc`, all at version 1:0, with their value and metadata.
fn state(keys: &[(&'static str, &'static str, &'static str)]) -> MemoryState {
    let mut state = MemoryState::default();
    for (name, value, metadata) in keys {
        let version = Height { block: 1, tx: 0 };
        let (value, metadata) = (value.as_bytes().into(), metadata.as_bytes().into());
        state.put(key(name), Some(VersionedValue { value, metadata, version }));
    }
    state
}

fn outcome<'a>(state: &MemoryState, txs: &'a [TxRwSet<'a>]) -> Validated<'a> {
    let txs = transactions(txs);
    let judged = sequential::validate(BLOCK, &txs, state).unwrap();
    assert_eq!(parallel::validate(BLOCK, &txs, state, 1).unwrap(), judged);
    judged
}

fn codes(state: &MemoryState, txs: &[TxRwSet<'_>]) -> Vec<TxValidationCode> {
    let outcome = outcome(state, txs);
    let code = |index| {
        let conflict = outcome.conflicts.iter().find(|(invalid, _)| *invalid == index);
        conflict.map_or(VALID, |(_, conflict)| conflict.code())
    };
    (0..).take(txs.len()).map(code).collect()
}

/// What the block does to a key: nothing, delete it, or give it "value, metadata".
fn after(state: &MemoryState, txs: &[TxRwSet<'_>], name: &str) -> String {
    let outcome = outcome(state, txs);
    match outcome.batch.get(key(name)).map(|update| &update.state) {
        None => "untouched".to_owned(),
        Some(None) => "deleted".to_owned(),
        Some(Some((value, metadata))) => {
            format!("{}, {}", String::from_utf8_lossy(value), String::from_utf8_lossy(metadata))
        }
    }
}

/// Metadata `m` of value `x`, as state holds it.
const X: &str = "\u{12}\u{6}\n\u{1}m\u{12}\u{1}x";

const V1: At = Some((1, 0));

#[test]
fn a_read_needs_the_committed_version() {
    let state = state(&[("a", "1", "")]);
    let read = |key, at| cc("cc").read(key, at).tx();
    let txs = [read("a", V1), read("a", Some((1, 1))), read("a", None), read("x", None), read("x", Some((0, 0)))];
    assert_eq!(codes(&state, &txs), [VALID, MVCC, MVCC, VALID, MVCC]);
}

#[test]
fn a_read_fails_on_any_earlier_write_of_the_block() {
    let state = state(&[("a", "1", ""), ("b", "1", "")]);
    let txs = [
        cc("cc").write("a", "2").delete("b").write("n", "1").tx(),
        cc("cc").read("a", V1).tx(),
        cc("cc").read("a", Some((BLOCK, 0))).tx(),
        cc("cc").read("b", None).tx(),
        cc("cc").read("n", Some((BLOCK, 0))).tx(),
        cc("other").read("a", None).tx(),
    ];
    assert_eq!(codes(&state, &txs), [VALID, MVCC, MVCC, MVCC, MVCC, VALID]);
    let conflict = |index: usize| outcome(&state, &txs).conflicts[index].1.to_string();
    assert_eq!(conflict(0), r#"key "a" of cc was read at version 1:0, but transaction 0 of this block wrote it"#);
    assert_eq!(conflict(2), r#"key "b" of cc was read as absent, but transaction 0 of this block deleted it"#);
}

#[test]
fn writes_of_invalid_transactions_and_writes_without_effect_do_not_count() {
    let state = state(&[("a", "1", "")]);
    let txs = [
        cc("cc").read("a", None).write("a", "2").tx(),
        cc("cc").metadata("new", "x").write("twice", "1").write("twice", "2").tx(),
        cc("cc").read("a", V1).read("new", None).read("twice", None).tx(),
    ];
    assert_eq!(codes(&state, &txs), [MVCC, VALID, VALID]);
    assert!(outcome(&state, &txs).batch.updates.is_empty());
    assert_eq!(after(&state, &txs, "new"), "untouched");
}

#[test]
fn checks_go_by_namespace_then_reads_ranges_hashed_reads() {
    let state = state(&[("a", "1", "")]);
    let wrong_range = || raw(&[("zz", V1)]);
    let range = ("a", "b", true);
    let outdated = || cc("other").read("x", V1);
    let txs = [
        cc("cc").range(range, wrong_range()).read("a", None).tx(),
        cc("cc").range(range, wrong_range()).hashed("coll", hashed_read(b"h", V1)).tx(),
        cc("cc").range(range, wrong_range()).and(outdated()),
        outdated().and(cc("cc").range(range, wrong_range())),
        cc("cc").range(range, raw(&[("a", V1)])).hashed("coll", hashed_read(b"h", V1)).tx(),
    ];
    assert_eq!(codes(&state, &txs), [MVCC, PHANTOM, PHANTOM, MVCC, MVCC]);
}

#[test]
fn a_conflict_in_the_block_may_come_before_one_with_committed_state() {
    let state = state(&[("a", "1", "")]);
    let txs = [
        cc("cc").write("aa", "1").tx(),
        cc("cc").range(("a", "b", true), raw(&[("a", V1)])).and(cc("other").read("x", V1)),
    ];
    assert_eq!(codes(&state, &txs), [VALID, PHANTOM]);
}

#[test]
fn hashed_reads_and_writes_are_apart_from_public_ones() {
    let txs = [
        cc("cc").hashed("coll", hashed_write(b"k", b"hash")).write("p", "1").tx(),
        cc("cc").read("k", None).hashed("coll", hashed_read(b"p", None)).tx(),
        cc("cc").hashed("other", hashed_read(b"k", None)).tx(),
        cc("cc").hashed("coll", hashed_read(b"k", None)).tx(),
    ];
    assert_eq!(codes(&MemoryState::default(), &txs), [VALID, VALID, VALID, MVCC]);
}

/// Writes to it are public writes; reads look where nothing is stored.
#[test]
fn a_collection_without_a_name_is_a_trapdoor() {
    let state = state(&[("k", "1", "")]);
    let txs = [
        cc("cc").hashed("", hashed_write(b"k", b"hash")).tx(),
        cc("cc").hashed("", hashed_read(b"k", None)).tx(),
        cc("cc").hashed("", hashed_read(b"k", V1)).tx(),
        cc("cc").read("k", V1).tx(),
    ];
    assert_eq!(codes(&state, &txs), [VALID, VALID, MVCC, MVCC]);
    assert_eq!(after(&state, &txs, "k"), "hash, ");
}

#[test]
fn a_range_excludes_its_end_when_exhausted_and_else_includes_it() {
    let state = state(&[("a", "1", ""), ("b", "1", ""), ("c", "1", "")]);
    let range = |range, reads: &[(&'static str, At)]| cc("cc").range(range, raw(reads)).tx();
    let txs = [
        range(("a", "c", true), &[("a", V1), ("b", V1)]),
        range(("a", "c", true), &[("a", V1), ("b", V1), ("c", V1)]),
        range(("a", "c", false), &[("a", V1), ("b", V1), ("c", V1)]),
        range(("a", "c", false), &[("a", V1), ("b", V1)]),
        range(("a", "x", false), &[("a", V1), ("b", V1), ("c", V1)]),
        range(("b", "", true), &[("b", V1), ("c", V1)]),
        range(("", "b", true), &[("a", V1)]),
        range(("", "", true), &[("a", V1), ("b", V1), ("c", V1)]),
        // Backwards: nothing inside, but the end key is still looked at.
        range(("c", "a", true), &[]),
        range(("c", "a", false), &[("a", V1)]),
    ];
    let expected = [VALID, PHANTOM, VALID, PHANTOM, VALID, VALID, VALID, VALID, VALID, VALID];
    assert_eq!(codes(&state, &txs), expected);
}

#[test]
fn an_empty_end_key_that_is_included_comes_again_at_the_end() {
    let state = state(&[("", "1", ""), ("a", "1", "")]);
    let range = |exhausted, reads: &[(&'static str, At)]| cc("cc").range(("", "", exhausted), raw(reads)).tx();
    let txs = [
        range(false, &[("", V1), ("a", V1), ("", V1)]),
        range(false, &[("", V1), ("a", V1)]),
        range(true, &[("", V1), ("a", V1)]),
    ];
    assert_eq!(codes(&state, &txs), [VALID, PHANTOM, VALID]);
}

#[test]
fn a_range_sees_the_blocks_earlier_writes() {
    let state = state(&[("a", "1", ""), ("c", "1", ""), ("e", "1", "")]);
    let here = Some((BLOCK, 0));
    let range = |range, reads: &[(&'static str, At)]| cc("cc").range(range, raw(reads)).tx();
    let txs = [
        cc("cc").write("b", "1").delete("c").write("e", "2").tx(),
        range(("a", "e", true), &[("a", V1), ("b", here)]),
        range(("a", "e", false), &[("a", V1), ("b", here), ("e", here)]),
        range(("a", "c", false), &[("a", V1), ("b", here)]),
        range(("a", "e", true), &[("a", V1), ("c", V1)]),
        range(("e", "", true), &[("e", V1)]),
        range(("f", "", true), &[]),
        cc("cc").range(("f", "", true), ReadsInfo::Unset).tx(),
        cc("cc").range(("b", "c", true), ReadsInfo::Unset).tx(),
    ];
    assert_eq!(codes(&state, &txs), [VALID, VALID, VALID, VALID, PHANTOM, PHANTOM, VALID, VALID, PHANTOM]);
}

#[test]
fn a_phantom_names_the_first_difference() {
    let state = state(&[("a", "1", ""), ("b", "1", "")]);
    let height = |block, tx| Height { block, tx };
    let seen = Height { block: 1, tx: 0 };
    let found = |name: &str| Some((Box::from(name.as_bytes()), seen));
    let cases: [(ReadsInfo<'static>, Difference<'_>); 5] = [
        (raw(&[("a", V1)]), Difference::Result { expected: None, found: found("b") }),
        (raw(&[("b", V1)]), Difference::Result { expected: Some(("b", Some(seen))), found: found("a") }),
        (
            raw(&[("a", Some((2, 3)))]),
            Difference::Result { expected: Some(("a", Some(height(2, 3)))), found: found("a") },
        ),
        (raw(&[("a", V1), ("b", V1), ("c", None)]), Difference::Result { expected: Some(("c", None)), found: None }),
        (merkle(2, 1, Vec::new()), Difference::Summary),
    ];
    for (reads_info, difference) in cases {
        let txs = [cc("cc").range(("a", "", true), reads_info).tx()];
        let expected = Conflict::Phantom { namespace: "cc", start_key: "a", end_key: "", difference };
        assert_eq!(outcome(&state, &txs).conflicts, [(0, expected)]);
    }
}

/// Three results, degree two: one leaf over all of them, at level 1.
#[test]
fn a_summary_holds_with_its_hash_its_level_and_its_degree() {
    let state = state(&[("a", "1", ""), ("b", "1", ""), ("c", "1", "")]);
    // kv_reads (1) { key (1), version (2) { block_num (1) 1 } }
    let results = b"abc".map(|key| [0x0a, 7, 0x0a, 1, key, 0x12, 2, 0x08, 1]);
    let hash: &[u8] = sha256(&[results.as_flattened()]).to_vec().leak();
    let range = |degree, level, hashes| cc("cc").range(("a", "", true), merkle(degree, level, hashes)).tx();
    let txs = [
        range(2, 1, vec![hash]),
        range(2, 2, vec![hash]),
        range(2, 0, vec![hash]),
        range(3, 1, vec![hash]),
        range(2, 1, vec![hash, hash]),
        range(2, 1, Vec::new()),
        range(2, 1, vec![&hash[1..]]),
    ];
    assert_eq!(codes(&state, &txs), [VALID, PHANTOM, PHANTOM, PHANTOM, PHANTOM, PHANTOM, PHANTOM]);
}

/// Each of these makes a real peer crash or stop; see the crate's documentation.
#[test]
fn what_would_stop_a_peer_is_invalid() {
    let mut state = state(&[("a", "1", ""), ("b", "1", ""), ("c", "1", ""), ("d", "1", ""), ("v", "1", "")]);
    state.put(
        StateKey { namespace: "bytes", collection: "", key: &[0xff] },
        Some(VersionedValue { value: b"1".into(), metadata: b"".into(), version: Height { block: 1, tx: 0 } }),
    );
    let range = |reads_info| cc("cc").range(("a", "e", true), reads_info).tx();
    let deletes = |count| (0..count).fold(cc("cc"), |part, _| part.delete("b"));
    let hash: &[u8] = &[0; 32];
    let txs = [
        range(raw(&[("a", None)])),
        range(merkle(0, 0, Vec::new())),
        range(merkle(1, 1, vec![hash])),
        range(merkle(2, 0, vec![hash; 3])),
        cc("bytes").range(("", "", true), merkle(2, 1, vec![hash])).tx(),
        cc("cc").delete("v").tx(),
        cc("cc").metadata("v", "x").write("w", "1").tx(),
        deletes(32).write("w", "1").tx(),
        deletes(32).read("a", None).tx(),
        cc("cc").read("w", None).tx(),
    ];
    let invalid_writeset = TxValidationCode::InvalidWriteset;
    let expected = [PHANTOM, PHANTOM, PHANTOM, PHANTOM, PHANTOM, VALID, MVCC, invalid_writeset, MVCC, VALID];
    assert_eq!(codes(&state, &txs), expected);
    let conflicts = outcome(&state, &txs).conflicts;
    assert_eq!(conflicts[5], (6, Conflict::Write { key: key("v"), in_block: Some(5) }));
    assert_eq!(conflicts[6], (7, Conflict::Write { key: key("b"), in_block: None }));
}

#[test]
fn a_value_keeps_the_metadata_and_metadata_keeps_the_value() {
    let state = state(&[("a", "1", "old")]);
    let value = || cc("cc").write("a", "2").tx();
    let metadata = || cc("cc").metadata("a", "x").tx();
    assert_eq!(after(&state, &[value()], "a"), "2, old");
    assert_eq!(after(&state, &[metadata()], "a"), format!("1, {X}"));
    assert_eq!(after(&state, &[value(), metadata()], "a"), format!("2, {X}"));
    assert_eq!(after(&state, &[metadata(), value()], "a"), format!("2, {X}"));
    assert_eq!(after(&state, &[cc("cc").write("a", "2").metadata("a", "x").tx()], "a"), format!("2, {X}"));
    let repeated = cc("cc").write("a", "2").write("a", "3").tx();
    assert_eq!(after(&state, &[repeated], "a"), "1, ");
}

#[test]
fn a_deletion_drops_the_metadata() {
    let state = state(&[("a", "1", "old")]);
    let delete = || cc("cc").delete("a").tx();
    let again = || cc("cc").write("a", "2").tx();
    assert_eq!(after(&state, &[delete()], "a"), "deleted");
    assert_eq!(after(&state, &[delete(), again()], "a"), "2, ");
    assert_eq!(after(&state, &[again(), delete()], "a"), "deleted");
    assert_eq!(after(&state, &[cc("cc").write("a", "").tx()], "a"), "deleted");
    // A key need not be there to be deleted; the deletion is an update all the same.
    assert_eq!(after(&MemoryState::default(), &[delete()], "a"), "deleted");
}

#[test]
fn updates_carry_the_last_writers_height_and_are_sorted() {
    let txs = [
        cc("z").write("a", "1").tx(),
        cc("cc").write("b", "1").write("a", "1").hashed("coll", hashed_write(b"a", b"h")).tx(),
        cc("cc").write("b", "2").tx(),
    ];
    let outcome = outcome(&MemoryState::default(), &txs);
    let updates: Vec<_> =
        outcome.batch.updates.iter().map(|update| (update.key.to_string(), update.version.tx)).collect();
    let expected = [
        (r#"key "a" of cc"#, 1),
        (r#"key "b" of cc"#, 2),
        (r#"key "a" of cc, collection coll"#, 1),
        (r#"key "a" of z"#, 0),
    ];
    assert_eq!(updates, expected.map(|(key, tx)| (key.to_owned(), tx)));
    assert!(outcome.batch.updates.iter().all(|update| update.version.block == BLOCK));
}

#[test]
fn an_update_is_inserted_where_it_belongs() {
    let update = |name, tx| Update { key: key(name), version: Height { block: 1, tx }, state: None };
    let mut batch = UpdateBatch::default();
    for (name, tx) in [("b", 0), ("c", 1), ("a", 2), ("b", 3)] {
        batch.insert(update(name, tx));
    }
    assert_eq!(batch.updates, [update("a", 2), update("b", 3), update("c", 1)]);
    assert_eq!(batch.get(key("b")), Some(&update("b", 3)));
    assert_eq!(batch.get(key("x")), None);
}

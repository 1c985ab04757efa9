// SPDX-License-Identifier: Apache-2.0
//! What range queries with merkle summaries make a peer do: it does not grow with the product of queries and keys.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use fastledger_mvcc::merkle::{MerkleTree, Summary};
use fastledger_mvcc::testing::{Counting, MemoryState, Scenario, transactions};
use fastledger_mvcc::{StateKey, Transaction, Validated, VersionedValue, parallel, sequential};
use fastledger_wire::Height;
use fastledger_wire::rwset::{
    KvRead, KvRwSet, KvWrite, NsRwSet, QueryReads, QueryReadsMerkleSummary, RangeQueryInfo, ReadsInfo, TxRwSet,
};

const KEYS: usize = 1_000;
const DEGREE: u32 = 50;
const OLD: Height = Height { block: 1, tx: 0 };

fn names() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number:03}")).collect()
}

fn state(names: &[String]) -> MemoryState {
    let mut state = MemoryState::default();
    for name in names {
        let value = VersionedValue { value: b"0".into(), metadata: b"".into(), version: OLD };
        state.put(StateKey { namespace: "cc", collection: "", key: name.as_bytes() }, Some(value));
    }
    state
}

/// The summary of these keys.
fn summary<'n>(keys: impl Iterator<Item = (&'n str, Height)>) -> Summary {
    let mut tree = MerkleTree::new(DEGREE).unwrap();
    keys.for_each(|(key, version)| tree.add(key, version));
    tree.finish().unwrap()
}

/// A query of everything from a key on that claims this summary.
fn query<'a>(start_key: &'a str, summary: &'a Summary) -> RangeQueryInfo<'a> {
    let reads_info = ReadsInfo::ReadsMerkleHashes(QueryReadsMerkleSummary {
        max_degree: DEGREE,
        max_level: summary.level,
        max_level_hashes: summary.hashes.iter().map(<[u8; 32]>::as_slice).collect(),
    });
    RangeQueryInfo { start_key, end_key: "", itr_exhausted: true, reads_info }
}

fn tx<'a>(queries: Vec<RangeQueryInfo<'a>>, written: &[&'a str]) -> TxRwSet<'a> {
    let writes = written.iter().map(|key| KvWrite { key, is_delete: false, value: b"1" }).collect();
    let public = KvRwSet { range_queries_info: queries, writes, ..KvRwSet::default() };
    TxRwSet { namespaces: vec![NsRwSet { namespace: "cc", public, collections: Vec::new() }] }
}

/// The product's verdict, which is the judge's, and the rows that it looked at.
fn judged<'a>(txs: &[Transaction<'a>], state: &MemoryState) -> (Validated<'a>, usize) {
    let counting = Counting::new(state);
    let product = parallel::validate(Scenario::BLOCK, txs, &counting, 1).unwrap();
    assert_eq!(product, sequential::validate(Scenario::BLOCK, txs, state).unwrap());
    (product, counting.rows())
}

#[test]
fn a_range_is_summed_up_once_however_often_a_block_asks_for_it() {
    let names = names();
    let (right, wrong) = (summary(names.iter().map(|name| (name.as_str(), OLD))), Summary { level: 1, hashes: vec![] });
    let queries = || vec![query("", &right); 10];
    let rwsets = [vec![tx(queries(), &[]); 20], vec![tx(vec![query("", &wrong)], &[]); 20]].concat();
    let (outcome, rows) = judged(&transactions(&rwsets), &state(&names));
    assert_eq!(outcome.conflicts.len(), 20);
    assert_eq!(rows, KEYS);
}

#[test]
fn a_range_that_the_block_changes_is_summed_up_once_for_each_change() {
    let names = names();
    let written = |tx| Height { block: Scenario::BLOCK, tx };
    let after = |tx: u64| {
        let old = names.iter().map(|name| (name.as_str(), OLD));
        summary(old.chain([("z", written(tx))]))
    };
    let (first, second) = (after(0), after(21));
    let ask = |summary| vec![tx(vec![query("", summary); 10], &[]); 20];
    let rwsets = [vec![tx(vec![], &["z"])], ask(&first), vec![tx(vec![], &["z"])], ask(&second)].concat();
    let (outcome, rows) = judged(&transactions(&rwsets), &state(&names));
    assert!(outcome.conflicts.is_empty(), "{:?}", outcome.conflicts);
    // Committed state is summed up once, and twice what the block made of it.
    assert_eq!(rows, 3 * KEYS);
}

#[test]
fn behind_a_range_that_fails_no_other_is_walked() {
    let names = names();
    let wrong = Summary { level: 1, hashes: vec![] };
    let queries = names.iter().map(|name| query(name, &wrong)).collect();
    let rwsets = [tx(queries, &[])];
    let (outcome, rows) = judged(&transactions(&rwsets), &state(&names));
    assert_eq!(outcome.conflicts.len(), 1);
    assert_eq!(rows, KEYS);
}

#[test]
fn behind_a_range_that_the_block_redeems_everything_is_checked() {
    let names = names();
    let old = names.iter().map(|name| (name.as_str(), OLD));
    let right = summary(old.chain([("z", Height { block: Scenario::BLOCK, tx: 0 })]));
    let nothing = RangeQueryInfo { start_key: "zz", itr_exhausted: true, ..RangeQueryInfo::default() };
    let something = RangeQueryInfo {
        reads_info: ReadsInfo::RawReads(QueryReads { kv_reads: vec![KvRead { key: "zz", version: None }] }),
        ..nothing.clone()
    };
    let queries = |last: &RangeQueryInfo<'static>| vec![query("", &right), nothing.clone(), last.clone()];
    let rwsets =
        [tx(vec![], &["z"]), tx(queries(&nothing), &["a", "b"]), tx(queries(&something), &["c"]), tx(vec![], &["d"])];
    let (outcome, _) = judged(&transactions(&rwsets), &state(&names));
    // The third one fails by what the second one wrote into its first range.
    assert_eq!(outcome.conflicts.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2]);
    assert_eq!(outcome.batch.updates.len(), 4);

    let rwsets = [tx(vec![], &["z"]), tx(queries(&something), &["c"]), tx(queries(&nothing), &["e"])];
    let (outcome, _) = judged(&transactions(&rwsets), &state(&names));
    assert_eq!(outcome.conflicts.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1]);
}

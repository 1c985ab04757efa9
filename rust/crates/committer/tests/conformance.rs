// SPDX-License-Identifier: Apache-2.0
//! Real ledgers, block by block, against what real peers decided.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;

use fastledger_committer::{CommitError, CommitResult, Options, PeerLedger, Refusal};
use fastledger_vectors::{Corpus, Verdict, all};
use fastledger_wire::Hash;

fn ours(result: &CommitResult, with_header: bool) -> Verdict {
    Verdict {
        codes: result.codes.iter().map(|code| *code as u8).collect(),
        header_hash: with_header.then(|| result.header_hash.to_vec()),
        commit_hash: result.commit_hash.map(Vec::from).unwrap_or_default(),
    }
}

fn options(name: &str) -> Options {
    Options { allow_malformed: name.ends_with("malformed"), ..Options::default() }
}

/// Commits blocks one at a time, or as many at once as the pipeline takes.
fn commit(dir: &Path, blocks: &[&[u8]], options: &Options, pipelined: bool) -> Vec<CommitResult> {
    let channel = PeerLedger::open(dir, options).unwrap();
    let mut results = Vec::new();
    for block in blocks {
        channel.submit((*block).to_vec().into()).unwrap();
        while channel.in_flight() >= if pipelined { 6 } else { 1 } {
            results.push(channel.result().unwrap());
        }
    }
    while channel.in_flight() > 0 {
        results.push(channel.result().unwrap());
    }
    results
}

#[test]
fn every_kept_ledger_is_judged_as_real_peers_judged_it() {
    for corpus in all() {
        let name = &corpus.name;
        let expected = corpus.verdicts();
        for (blocks, delivered) in [(corpus.delivered_blocks(), true), (corpus.committed_blocks(), false)] {
            let dir = tempfile::tempdir().unwrap();
            for (result, verdict) in commit(dir.path(), &blocks, &options(name), true).iter().zip(&expected) {
                let mut verdict = verdict.clone();
                if delivered && verdict.commit_hash.is_empty() {
                    // A peer that joins today gives commit hashes to blocks whose own peers had none yet.
                    verdict.commit_hash = result.commit_hash.map(Vec::from).unwrap_or_default();
                    assert_eq!(verdict.commit_hash.is_empty(), result.number == 0, "{name}, block {}", result.number);
                }
                assert_eq!(ours(result, verdict.header_hash.is_some()), verdict, "{name}, block {}", result.number);
            }
        }
        assert_eq!(corpus.delivered_blocks().len(), expected.len(), "{name}");
    }
}

fn codes_and_hashes(results: &[CommitResult]) -> Vec<(Vec<u8>, Option<Hash>)> {
    results.iter().map(|r| (r.codes.iter().map(|code| *code as u8).collect(), r.commit_hash)).collect()
}

#[test]
fn one_at_a_time_pipelined_and_replayed_are_one_result() {
    let corpus = Corpus::kept("fabric-3.1/small");
    let blocks = corpus.delivered_blocks();
    let dir = tempfile::tempdir().unwrap();
    let expected = codes_and_hashes(&commit(dir.path(), &blocks, &Options::default(), true));
    for (workers, pipelined, sequential_mvcc) in
        [(1, false, true), (1, true, false), (4, true, false), (3, false, false)]
    {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { workers, sequential_mvcc, ..Options::default() };
        assert_eq!(codes_and_hashes(&commit(dir.path(), &blocks, &options, pipelined)), expected);
    }
    // Opening again without anything derived replays every block, and refuses one that is judged otherwise.
    std::fs::remove_dir_all(dir.path().join("derived")).unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(channel.ledger().last_commit_hash(), expected.last().unwrap().1);
    assert_eq!(channel.ledger().committed_height(), blocks.len() as u64);
}

#[test]
fn a_refused_block_leaves_no_trace_and_the_right_one_may_follow() {
    let corpus = Corpus::kept("fabric-3.1/small");
    let blocks = corpus.delivered_blocks();
    let dir = tempfile::tempdir().unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    for block in &blocks[..3] {
        channel.submit((*block).to_vec().into()).unwrap();
        channel.result().unwrap();
    }
    let mut broken = blocks[3].to_vec();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    channel.submit(broken.into()).unwrap();
    channel.submit(blocks[4].to_vec().into()).unwrap();
    assert!(matches!(
        channel.result(),
        Err(CommitError::Refused { number: 3, refusal }) if matches!(*refusal, Refusal::DataHash { .. })
    ));
    assert_eq!((channel.in_flight(), channel.ledger().height()), (0, 3));
    for block in &blocks[3..] {
        channel.submit((*block).to_vec().into()).unwrap();
        channel.result().unwrap();
    }
    assert_eq!(channel.ledger().height(), blocks.len() as u64);
}

#[test]
fn what_real_fabric_refuses_whole_is_refused_whole() {
    let corpus = Corpus::kept("fabric-3.1/malformed");
    let dir = tempfile::tempdir().unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    let refused = corpus.delivered_blocks().into_iter().find_map(|block| {
        channel.submit(block.to_vec().into()).unwrap();
        channel.result().err()
    });
    assert!(matches!(
        refused,
        Some(CommitError::Refused { number: 13, refusal }) if matches!(*refusal, Refusal::Malformed { index: 1, .. })
    ));
}

#[test]
fn judging_leaves_the_ledger_as_it_was() {
    let corpus = Corpus::kept("fabric-3.1/small");
    let blocks = corpus.delivered_blocks();
    let dir = tempfile::tempdir().unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    for block in blocks {
        channel.submit_for_judgement(block.to_vec().into()).unwrap();
        let judged = channel.result().unwrap();
        assert_eq!(channel.ledger().height(), judged.number);
        channel.submit(block.to_vec().into()).unwrap();
        let committed = channel.result().unwrap();
        assert_eq!((judged.codes, judged.commit_hash), (committed.codes, committed.commit_hash));
    }
}

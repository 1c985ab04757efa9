// SPDX-License-Identifier: Apache-2.0
//! A real network's ledger that began on 1.3 and went on with 1.4: four metadata slots, then five, never a commit hash.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;

use fastledger_committer::{CommitError, CommitResult, Excerpt, Options, PeerLedger, Refusal};
use fastledger_vectors::Corpus;
use fastledger_wire::Message;
use fastledger_wire::block::encode_block;
use fastledger_wire::common::Block;

fn corpus() -> Corpus {
    Corpus::kept("fabric-1.3/upgraded13")
}

fn commit(dir: &Path, blocks: &[&[u8]], delivered: bool) -> Vec<CommitResult> {
    let channel = PeerLedger::open(dir, &Options { delivered, ..Options::default() }).unwrap();
    let commit = |block: &&[u8]| {
        channel.submit(block.to_vec().into()).unwrap();
        channel.result().unwrap()
    };
    blocks.iter().map(commit).collect()
}

/// The block with so many metadata slots.
fn with_slots(encoded: &[u8], slots: usize) -> Vec<u8> {
    let block = Block::decode(encoded).unwrap();
    let metadata = block.metadata.unwrap().metadata;
    encode_block(&block.header.unwrap(), &block.data.unwrap().data, &metadata[..slots])
}

#[test]
fn copies_have_a_commit_hash_where_their_peer_gave_them_one() {
    let corpus = corpus();
    let blocks = corpus.committed_blocks();
    let dir = tempfile::tempdir().unwrap();
    assert!(commit(dir.path(), &blocks, false).iter().all(|result| result.commit_hash.is_none()));
    // To a peer that is delivered them, what stands in their metadata means nothing.
    let dir = tempfile::tempdir().unwrap();
    let delivered = commit(dir.path(), &blocks, true);
    assert!(delivered[0].commit_hash.is_none() && delivered[1..].iter().all(|result| result.commit_hash.is_some()));
    let dir = tempfile::tempdir().unwrap();
    let from_orderer = commit(dir.path(), &corpus.delivered_blocks(), false);
    for (one, other) in delivered.iter().zip(&from_orderer) {
        assert_eq!((&one.codes, one.commit_hash), (&other.codes, other.commit_hash));
    }
}

#[test]
fn a_peers_own_block_file_is_opened_and_continued() {
    let corpus = corpus();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("chains")).unwrap();
    std::fs::write(dir.path().join("chains/blockfile_000000"), &corpus.files["peer/oldch/blockfile_000000"]).unwrap();
    let channel = PeerLedger::open(dir.path(), &Options { delivered: true, ..Options::default() }).unwrap();
    assert_eq!((channel.ledger().height(), channel.ledger().last_commit_hash()), (12, None));
}

#[test]
fn one_metadata_slot_is_enough_and_none_is_not() {
    let corpus = corpus();
    let blocks = corpus.delivered_blocks();
    let dir = tempfile::tempdir().unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    let submit = |block: Vec<u8>| {
        channel.submit(block.into()).unwrap();
        channel.result()
    };
    submit(with_slots(blocks[0], 0)).unwrap();
    assert!(matches!(
        submit(with_slots(blocks[1], 0)),
        Err(CommitError::Refused { number: 1, refusal }) if matches!(*refusal, Refusal::Incomplete("metadata"))
    ));
    submit(with_slots(blocks[1], 1)).unwrap();
}

#[test]
fn an_excerpt_says_what_can_be_said() {
    let corpus = Corpus::kept("fabric-3.1/small");
    let mut excerpt = Excerpt::new(None, false);
    let blocks = corpus.committed_blocks();
    let examined: Vec<_> = blocks[3..].iter().map(|block| excerpt.examine(block.to_vec().into()).unwrap()).collect();
    assert!(examined.iter().all(|block| block.differences.is_empty() && block.commit_hash_follows != Some(false)));
    assert!(!examined[0].orderers_checked && examined.last().unwrap().orderers_checked);
    assert!(examined.iter().any(|block| block.commit_hash_follows == Some(true)));
    // The block after another one does not follow.
    assert!(matches!(excerpt.examine(blocks[3].to_vec().into()), Err(Refusal::Number { expected: 84 })));
}

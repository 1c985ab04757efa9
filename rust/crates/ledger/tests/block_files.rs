// SPDX-License-Identifier: Apache-2.0
//! Block files of real peers are read and written byte for byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;

use fastledger_ledger::{BlockStream, Checks, Ledger, LedgerError, Options, block_file_path};
use fastledger_vectors::Corpus;
use fastledger_wire::common::Block;
use fastledger_wire::{Message, block};
use support::{append, open, options};

fn encode(marshalled: &[u8]) -> Vec<u8> {
    let block = Block::decode(marshalled).unwrap();
    let (data, metadata) = (block.data.unwrap().data, block.metadata.unwrap().metadata);
    block::encode_record(&block.header.unwrap(), &data, &metadata)
}

/// Reads a peer's raw file, compares with its blocks, and appends those blocks to a ledger of ours.
fn round_trip(name: &'static str) {
    let corpus = Corpus::kept(name);
    let raw = zstd::decode_all(corpus.files["chains/blockfile_000000.zst"].as_slice()).unwrap();
    let blocks = corpus.committed_blocks();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("blockfile_000000"), &raw).unwrap();
    for checks in [Checks::Hashes, Checks::Framing] {
        let stream = BlockStream::open(dir.path(), checks).unwrap();
        let read: Vec<_> = stream.map(|block| block.unwrap().record).collect();
        assert_eq!(read, blocks.iter().map(|block| encode(block)).collect::<Vec<_>>());
    }

    let ledger_dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(ledger_dir.path());
    for marshalled in &blocks {
        ledger.append(&encode(marshalled)).unwrap();
    }
    let written = fs::read(block_file_path(&ledger.chains(), 0)).unwrap();
    assert!(written == raw, "{name}: the file differs from the peer's");
    drop(ledger);
    let (ledger, recovery) = open(ledger_dir.path());
    assert_eq!(recovery.replay, 0..blocks.len() as u64);
    assert_eq!(recovery.torn, None);
    assert_eq!(ledger.blocks(0).unwrap().count(), blocks.len());
}

#[test]
fn small() {
    round_trip("fabric-3.1/small");
}

#[test]
fn bypass() {
    round_trip("fabric-3.1/bypass");
}

#[test]
fn malformed() {
    round_trip("fabric-3.1/malformed");
}

#[test]
fn pvt14() {
    round_trip("fabric-1.4/pvt14");
}

/// Files that 1.4 peers and orderers wrote, with the peers' blocks beside them.
#[test]
fn raw_files_of_1_4() {
    for name in ["fabric-1.4/v14", "fabric-1.4/v11", "fabric-1.4/tls"] {
        let corpus = Corpus::kept(name);
        let unpacked = tempfile::tempdir().unwrap();
        corpus.unpack(unpacked.path()).unwrap();
        let raw = unpacked.path().join("raw");
        let peer = raw.join("peer0.org1/ledgersData/chains/chains/mychannel");
        let read = |chains: &Path| -> Vec<Vec<u8>> {
            BlockStream::open(chains, Checks::Hashes).unwrap().map(|block| block.unwrap().record).collect()
        };
        let stored = read(&peer);
        assert_eq!(stored.len(), 16);
        let committed: Vec<_> = corpus.committed_blocks().into_iter().map(encode).collect();
        assert!(stored == committed, "{name}: the blocks differ");
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = open(dir.path());
        for record in &stored {
            ledger.append(record).unwrap();
        }
        let written = fs::read(block_file_path(&ledger.chains(), 0)).unwrap();
        assert!(written == fs::read(block_file_path(&peer, 0)).unwrap(), "{name}: the file differs from the peer's");
        assert_eq!(read(&raw.join("orderer/chains/mychannel")).len(), 16);
        assert!(!read(&raw.join("orderer/chains/e2e-orderer-syschan")).is_empty());
    }
}

/// Sizes of a folder's block files.
fn sizes(chains: &Path) -> Vec<u64> {
    let files = (0..).map(|number| block_file_path(chains, number)).take_while(|path| path.exists());
    files.map(|path| fs::metadata(path).unwrap().len()).collect()
}

fn small_files() -> Options {
    Options { block_file_bytes: 1000, ..options() }
}

/// Sizes as Fabric leaves them: a record goes into the next file if it does not fit, even into an empty one.
#[test]
fn files_roll_over_as_fabric_does() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path(), small_files()).unwrap();
    let mut sizes = vec![0u64];
    for tx_bytes in [300, 300, 300, 200, 2000, 10, 10] {
        let appended = append(&ledger, 1, tx_bytes);
        let added = appended.location.end() - appended.location.offset;
        if sizes.last().unwrap() + added > 1000 {
            sizes.push(0);
        }
        *sizes.last_mut().unwrap() += added;
        assert_eq!(appended.location.file as usize, sizes.len() - 1);
    }
    assert_eq!(sizes.len(), 4);
    assert_eq!(self::sizes(&ledger.chains()), sizes);
    let read: Vec<_> = ledger.blocks(0).unwrap().map(|block| block.unwrap().number).collect();
    assert_eq!(read, [0, 1, 2, 3, 4, 5, 6]);
    drop(ledger);
    let (ledger, recovery) = Ledger::open(dir.path(), small_files()).unwrap();
    assert_eq!((recovery.replay, recovery.torn), (0..7, None));
    append(&ledger, 1, 10);
    assert_eq!(ledger.blocks(6).unwrap().count(), 2);

    let first_too_long = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(first_too_long.path(), small_files()).unwrap();
    append(&ledger, 1, 2000);
    append(&ledger, 1, 10);
    let sizes = self::sizes(&ledger.chains());
    assert_eq!((sizes.len(), sizes[0]), (3, 0));
    assert_eq!(ledger.blocks(0).unwrap().count(), 2);
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path(), small_files()).unwrap();
    for _ in 0..6 {
        append(&ledger, 1, 300);
    }
    let chains = ledger.chains();
    drop(ledger);
    fs::remove_file(block_file_path(&chains, 1)).unwrap();
    let Err(error) = Ledger::open(dir.path(), small_files()) else { panic!("opened without a file") };
    assert!(matches!(&error, LedgerError::Io { path, .. } if path.ends_with("blockfile_000001")), "{error}");
}

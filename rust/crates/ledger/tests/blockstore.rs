// SPDX-License-Identifier: Apache-2.0
//! An orderer's block files: appended, read back, torn, damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use fastledger_ledger::{BlockStore, BlockStream, Checks, LedgerError, block_file_path};
use fastledger_wire::common::BlockHeader;
use fastledger_wire::{block, hash};

const FILE_BYTES: u64 = 1 << 20;

/// Records of a chain whose block `n` holds `n + 1` transactions.
fn chain(blocks: u64) -> Vec<Vec<u8>> {
    let mut previous = Vec::new();
    (0..blocks)
        .map(|number| {
            let data: Vec<Vec<u8>> = (0..=number).map(|tx| format!("transaction {number}:{tx}").into()).collect();
            let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            let data_hash = hash::data_hash(&data);
            let header = BlockHeader { number, previous_hash: &previous, data_hash: &data_hash };
            let record = block::encode_record(&header, &data, &[b"signatures", b"", b"", b"", b""]);
            let next = hash::header_hash(&header).to_vec();
            previous = next;
            record
        })
        .collect()
}

fn open(dir: &Path) -> BlockStore {
    let (store, torn) = BlockStore::open(dir, FILE_BYTES).unwrap();
    assert!(torn.is_none(), "{torn:?}");
    store
}

#[test]
fn gives_back_what_was_appended_now_and_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(7);
    {
        let store = open(dir.path());
        store.append(&records[..1]).unwrap();
        store.append(&records[1..]).unwrap();
        assert_holds(&store, &records);
    }
    assert_holds(&open(dir.path()), &records);
    let read: Vec<_> = BlockStream::open(dir.path(), Checks::Hashes).unwrap().map(|b| b.unwrap().record).collect();
    assert_eq!(read, records);
}

fn assert_holds(store: &BlockStore, records: &[Vec<u8>]) {
    assert_eq!(store.height(), records.len() as u64);
    for (number, record) in (0..).zip(records) {
        assert_eq!(&store.record(number).unwrap(), record);
    }
    assert!(matches!(store.record(7), Err(LedgerError::NoSuchBlock { number: 7, end: 7, .. })));
}

#[test]
fn one_process_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    assert!(matches!(BlockStore::open(dir.path(), FILE_BYTES), Err(LedgerError::InUse { .. })));
}

#[test]
fn refuses_a_group_that_does_not_continue_the_chain_whole() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(4);
    let store = open(dir.path());
    store.append(&records[..1]).unwrap();
    let gap = [records[1].clone(), records[3].clone()];
    assert!(matches!(store.append(&gap), Err(LedgerError::NotNext { number: 3, .. })));
    assert!(matches!(store.append(&[b"no record".to_vec()]), Err(LedgerError::NotARecord { .. })));
    assert_eq!(store.height(), 1);
    store.append(&records[1..]).unwrap();
    assert_eq!(store.height(), 4);
}

#[test]
fn goes_on_in_a_new_file_when_one_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(40);
    let (store, _) = BlockStore::open(dir.path(), 2000).unwrap();
    store.append(&records).unwrap();
    assert!(block_file_path(dir.path(), 3).exists());
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.height(), 40);
    assert_eq!(store.record(39).unwrap(), records[39]);
}

#[test]
fn cuts_off_an_append_that_was_torn_anywhere() {
    let records = chain(3);
    let whole = {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).append(&records).unwrap();
        fs::read(block_file_path(dir.path(), 0)).unwrap()
    };
    let last = whole.len() - records[2].len() - 2;
    for end in last..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(block_file_path(dir.path(), 0), &whole[..end]).unwrap();
        let (store, torn) = BlockStore::open(dir.path(), FILE_BYTES).unwrap();
        assert_eq!(store.height(), 2, "torn at {end}");
        assert_eq!(torn.is_some(), end > last);
        store.append(&records[2..]).unwrap();
        assert_eq!(fs::read(block_file_path(dir.path(), 0)).unwrap(), whole);
    }
}

#[test]
fn damage_within_the_chain_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&chain(3)).unwrap();
    let path = block_file_path(dir.path(), 0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(BlockStore::open(dir.path(), FILE_BYTES), Err(LedgerError::DamagedBlockFile { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

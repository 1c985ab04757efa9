// SPDX-License-Identifier: Apache-2.0
//! An orderer's block files: appended, read back, torn, damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, OpenOptions};
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
    let (store, torn) = BlockStore::open(dir, FILE_BYTES, false).unwrap();
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
    assert!(matches!(BlockStore::open(dir.path(), FILE_BYTES, false), Err(LedgerError::InUse { .. })));
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
    let (store, _) = BlockStore::open(dir.path(), 2000, false).unwrap();
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
        let (store, torn) = BlockStore::open(dir.path(), FILE_BYTES, false).unwrap();
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
    assert!(matches!(BlockStore::open(dir.path(), FILE_BYTES, false), Err(LedgerError::DamagedBlockFile { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// Four blocks, of which only so many are known to be on stable storage.
fn with_synced(synced: u64) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&chain(4)).unwrap();
    let mark = OpenOptions::new().write(true).open(dir.path().join("synced")).unwrap();
    assert_eq!(mark.metadata().unwrap().len(), 4);
    mark.set_len(synced).unwrap();
    let bytes = fs::read(block_file_path(dir.path(), 0)).unwrap();
    (dir, bytes)
}

/// Zeros from so far into the third of four blocks; the fourth is whole.
fn lose(bytes: &mut [u8], from: usize, count: usize) -> usize {
    let length_bytes = |record: &Vec<u8>| if record.len() < 128 { 1 } else { 2 };
    let start = chain(2).iter().map(|record| record.len() + length_bytes(record)).sum::<usize>();
    bytes[start + from..start + from + count].fill(0);
    start
}

#[test]
fn a_lost_page_is_cut_off_with_what_follows_where_nobody_was_told_of_the_block() {
    // Of the header, of the data.
    for (from, count) in [(0, 50), (90, 20)] {
        for synced in 0..=4 {
            let (dir, mut bytes) = with_synced(synced);
            let start = lose(&mut bytes, from, count);
            fs::write(block_file_path(dir.path(), 0), &bytes).unwrap();
            let opened = BlockStore::open(dir.path(), FILE_BYTES, false);
            if synced <= 2 {
                let (store, torn) = opened.unwrap();
                let torn = torn.unwrap();
                assert_eq!((torn.offset, torn.bytes), (start as u64, (bytes.len() - start) as u64));
                assert_eq!(store.height(), 2);
                store.append(&chain(4)[2..]).unwrap();
                drop(store);
                assert_eq!(open(dir.path()).height(), 4);
                continue;
            }
            // Where all frames up and chains, who reads the block learns of it.
            assert_eq!(opened.is_ok(), from == 90, "{synced} synced");
            assert!(matches!(opened, Ok(_) | Err(LedgerError::DamagedBlockFile { .. })));
            assert_eq!(fs::read(block_file_path(dir.path(), 0)).unwrap(), bytes);
            let mut blocks = BlockStream::open(dir.path(), Checks::Hashes).unwrap();
            assert!(matches!(blocks.nth(2), Some(Err(LedgerError::DamagedBlockFile { .. }))));
        }
    }
}

/// Three blocks that were stored, and what their file holds.
fn stored() -> (tempfile::TempDir, Vec<Vec<u8>>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(3);
    open(dir.path()).append(&records).unwrap();
    let whole = fs::read(block_file_path(dir.path(), 0)).unwrap();
    (dir, records, whole)
}

/// Why a folder of block files is refused; they are left alone.
fn refused(dir: &Path, known: bool) -> String {
    let path = block_file_path(dir, 0);
    let before = fs::read(&path).ok();
    let error = BlockStore::open(dir, FILE_BYTES, known).unwrap_err();
    assert!(matches!(error, LedgerError::DamagedBlockFile { .. }), "{error}");
    assert_eq!(fs::read(&path).ok(), before);
    error.to_string()
}

#[test]
fn a_block_that_was_stored_is_never_given_up() {
    let (dir, records, whole) = stored();
    let path = block_file_path(dir.path(), 0);
    let last = whole.len() - records[2].len() - 2;
    let cuts = (0..whole.len()).map(|end| whole[..end].to_vec());
    let flips = (last..whole.len()).filter(|at| *at < last + 2 + records[2].len() - 14).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    for bytes in cuts.chain(flips) {
        fs::write(&path, &bytes).unwrap();
        let text = refused(dir.path(), true);
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(refused(dir.path(), true).contains("copy the channel's block files from another orderer"));
    fs::remove_file(&path).unwrap();
    assert!(refused(dir.path(), true).contains("3 blocks were stored"));
    // From another orderer, or a backup.
    fs::write(&path, &whole).unwrap();
    assert_holds_three(&open(dir.path()), &records);
}

fn assert_holds_three(store: &BlockStore, records: &[Vec<u8>]) {
    assert_eq!(store.height(), 3);
    assert_eq!(store.record(2).unwrap(), records[2]);
}

#[test]
fn without_a_mark_that_can_be_believed_nothing_is_cut_off() {
    let (dir, _, whole) = stored();
    let path = block_file_path(dir.path(), 0);
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    fs::remove_file(dir.path().join("synced")).unwrap();
    assert!(refused(dir.path(), true).contains("synced"));
    // In a folder that comes from elsewhere it is what a crash left.
    assert_eq!(BlockStore::open(dir.path(), FILE_BYTES, false).unwrap().0.height(), 2);

    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&chain(100)).unwrap();
    let path = block_file_path(dir.path(), 0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let mark = OpenOptions::new().write(true).open(dir.path().join("synced")).unwrap();
    mark.set_len(0).unwrap();
    assert!(refused(dir.path(), true).contains("does not tell whether it was stored"));
}

#[test]
fn what_was_appended_behind_the_last_block_is_cut_off() {
    let (dir, records, whole) = stored();
    let path = block_file_path(dir.path(), 0);
    for added in [vec![0; 777], vec![0xff; 5], whole.clone(), whole[..40].to_vec()] {
        fs::write(&path, [whole.as_slice(), &added].concat()).unwrap();
        let (store, torn) = BlockStore::open(dir.path(), FILE_BYTES, true).unwrap();
        assert_eq!(torn.unwrap().bytes, added.len() as u64);
        assert_holds_three(&store, &records);
        drop(store);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_block_that_was_changed_is_not_given_to_anybody() {
    let (dir, records, whole) = stored();
    let path = block_file_path(dir.path(), 0);
    let store = open(dir.path());
    let place = |bytes: &[u8]| whole.windows(bytes.len()).rposition(|window| window == bytes).unwrap();
    // Data, its end, and metadata of the block.
    let first_two = whole.len() - records[2].len() - 2;
    let metadata = whole[..first_two].windows(10).rposition(|window| window == b"signatures").unwrap();
    for at in [place(b"transaction 1:0"), place(b"transaction 1:1") + 14, metadata, metadata + 9] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = store.record(1).unwrap_err();
        assert!(matches!(error, LedgerError::DamagedBlockFile { .. }), "{error}");
        assert_eq!(store.record(0).unwrap(), records[0]);
        let again = BlockStore::open(dir.path(), FILE_BYTES, true);
        assert!(matches!(again, Err(LedgerError::InUse { .. })));
    }
}

#[test]
fn checksums_that_are_missing_are_made_again() {
    let (dir, records, whole) = stored();
    let sums = dir.path().join("sums");
    let kept = fs::read(&sums).unwrap();
    assert_eq!(kept.len(), 12);
    for bytes in [vec![], kept[..5].to_vec(), [kept.clone(), vec![7; 20]].concat()] {
        fs::write(&sums, bytes).unwrap();
        assert_holds_three(&open(dir.path()), &records);
        assert_eq!(fs::read(&sums).unwrap(), kept);
    }
    assert_eq!(fs::read(block_file_path(dir.path(), 0)).unwrap(), whole);
}

// SPDX-License-Identifier: Apache-2.0
//! Opening after a crash, after damage, and after somebody deleted something.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fastledger_ledger::{BlockStream, Checks, Durability, Ledger, LedgerError, Options, Recovery, block_file_path};
use fastledger_mvcc::state::StateReader;
use fastledger_wire::{common::BlockHeader, encode, hash};
use support::{Effects, append, key, open, options, record, state_key};

/// Replays what a recovery asks for, with the effects that [`fill`] gives the blocks.
fn replay(ledger: &Ledger, recovery: &Recovery) {
    let blocks = ledger.blocks(recovery.replay.start).unwrap();
    for block in blocks {
        let block = block.unwrap();
        let header = fastledger_wire::block::decode_record(&block.record).unwrap().header.unwrap();
        let before = block.number.checked_sub(1).map(|before| header_hash(ledger, before));
        let tip = fastledger_ledger::ChainTip {
            number: block.number,
            header_hash: hash::header_hash(&header),
            previous_hash: before,
        };
        let appended = fastledger_ledger::Appended { tip, location: block.location };
        effects(block.number).with(&appended, |block| ledger.stage(block)).unwrap();
    }
    ledger.flush().unwrap();
}

fn header_hash(ledger: &Ledger, number: u64) -> hash::Hash {
    let record = ledger.block(number).unwrap().record;
    hash::header_hash(&fastledger_wire::block::decode_record(&record).unwrap().header.unwrap())
}

fn effects(number: u64) -> Effects {
    let effects = Effects::default().put(key("cc", "", b"last"), number, "v");
    let mut effects = effects.put(key("cc", "", &number.to_be_bytes()), 0, "value");
    effects.tx_ids = vec![format!("{number:064x}")];
    effects.history = vec![("cc".into(), "last".into(), 0)];
    effects
}

fn fill(ledger: &Ledger, blocks: usize) {
    for _ in 0..blocks {
        let appended = append(ledger, 2, 200);
        effects(appended.tip.number).with(&appended, |block| ledger.stage(block)).unwrap();
    }
}

/// What a ledger of [`fill`] looks like from outside, for comparing.
fn fingerprint(ledger: &Ledger) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let metadata = ledger.export_snapshot(&dir.path().join("out"), "ch").unwrap();
    let heights = ledger.view().unwrap().history("cc", "last").unwrap();
    [metadata.snapshot_hash.to_vec(), format!("{heights:?}").into_bytes()].concat()
}

/// A ledger of ten flushed blocks, closed, and its last block file.
fn ten_blocks(options: Options) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path(), options).unwrap();
    fill(&ledger, 10);
    ledger.flush().unwrap();
    let file = block_file_path(&ledger.chains(), ledger.savepoint().unwrap().location.unwrap().file);
    (dir, file)
}

fn cut(path: &Path, size: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(size).unwrap();
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x5a], offset).unwrap();
}

fn refusal(dir: &Path) -> LedgerError {
    match Ledger::open(dir, options()) {
        Ok((_, recovery)) => panic!("opened: {recovery:?}"),
        Err(error) => error,
    }
}

fn assert_damage(error: &LedgerError, file: &Path, at: u64) {
    let LedgerError::DamagedBlockFile { path, offset, .. } = error else { panic!("{error}") };
    assert_eq!((path.as_path(), *offset), (file, at), "{error}");
    assert!(error.to_string().contains(&*file.to_string_lossy()) && error.to_string().contains(&at.to_string()));
}

#[test]
fn what_was_appended_but_not_flushed_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    fill(&ledger, 3);
    ledger.flush().unwrap();
    fill(&ledger, 4);
    append(&ledger, 2, 200);
    effects(7)
        .with(
            &fastledger_ledger::Appended { tip: ledger.tip().unwrap(), location: ledger.block(7).unwrap().location },
            |b| ledger.stage(b),
        )
        .unwrap();
    let expected = {
        let view = ledger.view().unwrap();
        view.get(state_key(&key("cc", "", b"last"))).unwrap()
    };
    drop(ledger);
    let (ledger, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery { replay: 3..8, torn: None, rebuilding: None });
    assert_eq!((ledger.height(), ledger.committed_height()), (8, 3));
    replay(&ledger, &recovery);
    assert_eq!(ledger.view().unwrap().get(state_key(&key("cc", "", b"last"))).unwrap(), expected);
    drop(ledger);
    assert!(open(dir.path()).1.replay.is_empty());
}

/// The last record cut at every byte, where the derived data has that block, and where it has not.
#[test]
fn a_torn_last_block_is_cut_off_wherever_it_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    fill(&ledger, 4);
    ledger.flush().unwrap();
    let before = fingerprint(&ledger);
    let last = append(&ledger, 2, 200).location;
    let chains = ledger.chains();
    drop(ledger);
    let file = block_file_path(&chains, 0);
    let whole = fs::read(&file).unwrap();
    for end in (last.offset + 1..last.end()).step_by(7) {
        fs::write(&file, &whole[..usize::try_from(end).unwrap()]).unwrap();
        let (ledger, recovery) = open(dir.path());
        let torn = recovery.torn.unwrap();
        assert_eq!((torn.offset, torn.bytes, &torn.path), (last.offset, end - last.offset, &file));
        assert_eq!((recovery.replay, recovery.rebuilding), (4..4, None));
        assert_eq!(size(&file), last.offset);
        assert_eq!(fingerprint(&ledger), before);
    }
    // And the chain goes on from there.
    let (ledger, recovery) = open(dir.path());
    assert_eq!(recovery.torn, None);
    fill(&ledger, 1);
    ledger.flush().unwrap();
    drop(ledger);
    for end in (last.offset..last.end()).step_by(50) {
        fs::write(&file, &whole[..usize::try_from(end).unwrap()]).unwrap();
        let (ledger, recovery) = open(dir.path());
        assert!(recovery.rebuilding.as_ref().unwrap().contains("torn"), "the derived data is ahead");
        assert_eq!((recovery.replay.clone(), recovery.torn.is_some()), (0..4, end > last.offset));
        replay(&ledger, &recovery);
        assert_eq!(fingerprint(&ledger), before);
        fill(&ledger, 1);
        ledger.flush().unwrap();
    }
}

/// A power loss can leave a file its size but not its bytes.
#[test]
fn a_last_block_of_zeros_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    fill(&ledger, 3);
    ledger.flush().unwrap();
    let last = append(&ledger, 2, 200).location;
    let file = block_file_path(&ledger.chains(), 0);
    drop(ledger);
    let whole = fs::read(&file).unwrap();
    for from in [0, 1, 2, 3, 40, 100, 300] {
        let mut zeroed = whole.clone();
        zeroed[usize::try_from(last.offset).unwrap() + from..].fill(0);
        fs::write(&file, &zeroed).unwrap();
        let (ledger, recovery) = open(dir.path());
        assert_eq!(recovery.torn.map(|torn| torn.offset), Some(last.offset), "zeros from {from}");
        assert_eq!(ledger.height(), 3);
    }
}

fn synced(dir: &Path) -> u64 {
    size(&dir.join("chains/synced"))
}

fn grouped() -> Options {
    Options { durability: Durability::EachFlush, ..options() }
}

/// Six blocks, of which three are on stable storage; the block file, and where each block begins.
fn half_synced() -> (tempfile::TempDir, PathBuf, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path(), grouped()).unwrap();
    let mut starts: Vec<_> = (0..3).map(|_| append(&ledger, 2, 200).location.offset).collect();
    assert_eq!(synced(dir.path()), 0);
    ledger.sync().unwrap();
    starts.extend((0..3).map(|_| append(&ledger, 2, 200).location.offset));
    assert_eq!(synced(dir.path()), 3);
    let file = block_file_path(&ledger.chains(), 0);
    let starts = starts.into_iter().map(|start| usize::try_from(start).unwrap());
    (dir, file, starts.collect())
}

#[test]
fn the_mark_of_what_is_synced_goes_with_syncs_and_is_not_behind_the_savepoint() {
    let (dir, ..) = half_synced();
    // A process that was killed left its blocks to the operating system.
    drop(open(dir.path()));
    assert_eq!(synced(dir.path()), 6);
    let (ledger, recovery) = Ledger::open(dir.path(), Options { block_file_bytes: 3000, ..grouped() }).unwrap();
    replay(&ledger, &recovery);
    let (mut known, mut last_file) = (6, ledger.block(5).unwrap().location.file);
    for _ in 0..20 {
        let location = append(&ledger, 2, 200).location;
        // Before a new file is begun, what is in the old one is synced.
        if location.file > last_file {
            (known, last_file) = (ledger.height() - 1, location.file);
        }
        assert_eq!(synced(dir.path()), known);
    }
    assert!(last_file > 1);
    drop(ledger);
    let (ledger, recovery) = Ledger::open(dir.path(), grouped()).unwrap();
    replay(&ledger, &recovery);
    fill(&ledger, 3);
    ledger.flush().unwrap();
    assert_eq!((synced(dir.path()), ledger.height()), (29, 29));
}

/// A power loss may keep later pages of a file and lose earlier ones.
#[test]
fn of_blocks_that_were_not_synced_any_pages_may_be_lost() {
    const PAGE: usize = 64;
    let (dir, file, starts) = half_synced();
    let whole = fs::read(&file).unwrap();
    let end = whole.len();
    for lost in 0u32..200 {
        let mut bytes = whole.clone();
        // Pages as a hash chooses them, mostly few.
        let choice = hash::sha256(&[&lost.to_be_bytes()]);
        let share = choice[31] / 2;
        let pages = (starts[3] / PAGE + 1..end.div_ceil(PAGE)).filter(|page| choice[page % 31] < share);
        let pages: Vec<_> = pages.collect();
        for page in &pages {
            bytes[page * PAGE..end.min((page + 1) * PAGE)].fill(0);
        }
        fs::write(&file, &bytes).unwrap();
        cut(&dir.path().join("chains/synced"), 3);
        let (ledger, recovery) = open(dir.path());
        let first_lost = bytes.iter().zip(&whole).position(|(left, was)| left != was).unwrap_or(end);
        let good = starts.iter().skip(1).chain([&end]).filter(|end| **end <= first_lost).count();
        assert_eq!(recovery.replay, 0..good as u64, "lost {pages:?}");
        assert_eq!(recovery.torn.map(|torn| torn.offset), starts.get(good).map(|start| *start as u64));
        assert_eq!(ledger.blocks(0).unwrap().map(Result::unwrap).count(), good);
        assert_eq!(fs::read(&file).unwrap(), whole[..*starts.get(good).unwrap_or(&end)]);
    }
}

#[test]
fn of_blocks_that_were_synced_nothing_is_cut_off() {
    let (dir, file, starts) = half_synced();
    let whole = fs::read(&file).unwrap();
    for start in &starts[..3] {
        let mut bytes = whole.clone();
        bytes[start + 1..start + 30].fill(0);
        fs::write(&file, &bytes).unwrap();
        assert_damage(&refusal(dir.path()), &file, *start as u64);
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    // Where nothing is known of syncs, everything may have been acknowledged.
    let mut bytes = whole.clone();
    bytes[starts[4] + 1..starts[4] + 30].fill(0);
    fs::write(&file, &bytes).unwrap();
    fs::remove_file(dir.path().join("chains/synced")).unwrap();
    assert_damage(&refusal(dir.path()), &file, starts[4] as u64);
}

/// Any byte of a middle block changed, those of the filter aside, which no hash covers.
#[test]
fn damage_in_the_middle_is_an_error_and_cuts_nothing_off() {
    let (dir, file) = ten_blocks(options());
    fs::remove_dir_all(dir.path().join("derived")).unwrap();
    let location = {
        let (ledger, _) = open(dir.path());
        ledger.block(4).unwrap().location
    };
    let whole = size(&file);
    for offset in (location.offset..location.end() - 2).step_by(3) {
        flip(&file, offset);
        let found = Ledger::open(dir.path(), options())
            .and_then(|(ledger, _)| ledger.blocks(0)?.try_for_each(|block| block.map(drop)));
        assert_damage(&found.unwrap_err(), &file, location.offset);
        assert_eq!(size(&file), whole, "changed byte {}", offset - location.offset);
        flip(&file, offset);
    }
    let (ledger, recovery) = open(dir.path());
    replay(&ledger, &recovery);
}

#[test]
fn a_hole_in_the_middle_is_an_error() {
    let (dir, file) = ten_blocks(options());
    fs::remove_dir_all(dir.path().join("derived")).unwrap();
    let whole = fs::read(&file).unwrap();
    let location = {
        let (ledger, _) = open(dir.path());
        ledger.block(5).unwrap().location
    };
    let (start, end) = (usize::try_from(location.offset).unwrap(), usize::try_from(location.end()).unwrap());
    for (from, to) in [(start, end), (start, start + 1), (start + 100, start + 150), (start + 5, end - 5)] {
        fs::write(&file, [&whole[..from], &whole[to..]].concat()).unwrap();
        assert_damage(&refusal(dir.path()), &file, location.offset);
    }
}

#[test]
fn damage_in_the_last_block_that_the_savepoint_names_is_an_error() {
    let (dir, file) = ten_blocks(options());
    let last = open(dir.path()).0.savepoint().unwrap().location.unwrap();
    for offset in [last.offset + 3, last.offset + 60, last.end() - 20] {
        flip(&file, offset);
        assert_damage(&refusal(dir.path()), &file, last.offset);
        flip(&file, offset);
    }
    open(dir.path());
}

#[test]
fn blocks_missing_at_the_end_are_an_error() {
    let (dir, file) = ten_blocks(options());
    let (ledger, _) = open(dir.path());
    let seven = ledger.block(7).unwrap().location;
    drop(ledger);
    cut(&file, seven.end());
    assert_damage(&refusal(dir.path()), &file, seven.end());
    fs::remove_dir_all(dir.path().join("derived")).unwrap();
    assert_eq!(open(dir.path()).1.replay, 0..8);
}

#[test]
fn a_full_file_must_keep_its_size() {
    let small = Options { block_file_bytes: 1200, ..options() };
    let (dir, last_file) = ten_blocks(small);
    let first = block_file_path(&dir.path().join("chains"), 0);
    assert_ne!(first, last_file);
    let whole = fs::read(&first).unwrap();
    cut(&first, whole.len() as u64 - 1);
    let Err(error) = Ledger::open(dir.path(), small) else { panic!("opened") };
    assert_damage(&error, &first, whole.len() as u64 - 1);
    fs::remove_dir_all(dir.path().join("derived")).unwrap();
    let Err(error) = Ledger::open(dir.path(), small) else { panic!("opened") };
    assert!(matches!(&error, LedgerError::DamagedBlockFile { path, .. } if *path == first), "{error}");
    fs::write(&first, &whole).unwrap();
    let (ledger, recovery) = Ledger::open(dir.path(), small).unwrap();
    assert_eq!(recovery.replay, 0..10);
    replay(&ledger, &recovery);
}

#[test]
fn a_file_made_right_before_a_crash_is_used() {
    let (dir, file) = ten_blocks(options());
    let next = block_file_path(&dir.path().join("chains"), 1);
    fs::write(&next, b"").unwrap();
    let (ledger, recovery) = open(dir.path());
    assert_eq!((recovery.torn, recovery.replay), (None, 10..10));
    fill(&ledger, 1);
    ledger.flush().unwrap();
    assert!(size(&next) > 0);
    assert_eq!(ledger.blocks(0).unwrap().count(), 11);
    drop(ledger);
    assert_eq!(open(dir.path()).0.height(), 11);
    assert!(size(&file) > 0);
}

#[test]
fn derived_data_is_dropped_when_nobody_uses_it() {
    let (dir, _) = ten_blocks(options());
    let (ledger, _) = open(dir.path());
    assert!(matches!(Ledger::drop_derived(dir.path()), Err(LedgerError::InUse { .. })));
    drop(ledger);
    Ledger::drop_derived(dir.path()).unwrap();
    Ledger::drop_derived(dir.path()).unwrap();
    assert_eq!(open(dir.path()).1.replay, 0..10);
}

#[test]
fn deleting_or_spoiling_the_derived_data_rebuilds_it() {
    let (dir, _) = ten_blocks(options());
    let expected = fingerprint(&open(dir.path()).0);
    let derived = dir.path().join("derived");
    let spoilers: [(&str, &dyn Fn()); 6] = [
        ("deleted", &|| fs::remove_dir_all(&derived).unwrap()),
        ("without data", &|| fs::remove_file(derived.join("data.mdb")).unwrap()),
        ("empty data", &|| fs::write(derived.join("data.mdb"), b"").unwrap()),
        ("short data", &|| cut(&derived.join("data.mdb"), size(&derived.join("data.mdb")) - 4096)),
        ("no LMDB file", &|| fs::write(derived.join("data.mdb"), vec![7; 100_000]).unwrap()),
        ("without reader table", &|| fs::remove_file(derived.join("lock.mdb")).unwrap()),
    ];
    for (what, spoil) in spoilers {
        spoil();
        let (ledger, recovery) = open(dir.path());
        assert_eq!(recovery.rebuilding.is_some(), what != "without reader table", "{what}");
        replay(&ledger, &recovery);
        assert_eq!(fingerprint(&ledger), expected, "{what}");
    }
}

/// Transactions cannot carry bytes that make a torn block look like damage: they cannot know its hash.
#[test]
fn a_torn_block_with_a_forged_follower_inside_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    fill(&ledger, 2);
    ledger.flush().unwrap();
    let forged = record(3, &[9; 32], 1, 50);
    let mut framed = Vec::new();
    encode::length_prefixed(&mut framed, &forged);
    let data = [framed.as_slice(), &[1; 300]];
    let data_hash = hash::data_hash(&data);
    let previous_hash = ledger.tip().unwrap().header_hash;
    let header = BlockHeader { number: 2, previous_hash: &previous_hash, data_hash: &data_hash };
    let last = ledger.append(&fastledger_wire::block::encode_record(&header, &data, &[])).unwrap().location;
    let file = block_file_path(&ledger.chains(), 0);
    drop(ledger);
    cut(&file, last.end() - 100);
    assert_eq!(open(dir.path()).1.torn.map(|torn| torn.offset), Some(last.offset));
}

#[test]
fn opening_does_not_read_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let fast = Options { durability: Durability::EachFlush, ..options() };
    let (ledger, _) = Ledger::open(dir.path(), fast).unwrap();
    for _ in 0..10_000 {
        let appended = append(&ledger, 1, 20);
        effects(appended.tip.number).with(&appended, |block| ledger.stage(block)).unwrap();
    }
    ledger.flush().unwrap();
    drop(ledger);
    let start = std::time::Instant::now();
    let (ledger, recovery) = Ledger::open(dir.path(), fast).unwrap();
    assert_eq!((ledger.committed_height(), recovery.replay), (10_000, 10_000..10_000));
    assert!(start.elapsed().as_millis() < 500, "opening took {:?}", start.elapsed());
}

/// A stream over a foreign folder reports what a ledger would cut off.
#[test]
fn a_stream_names_the_place_of_damage() {
    let (dir, file) = ten_blocks(options());
    let chains = dir.path().join("chains");
    let last = open(dir.path()).0.savepoint().unwrap().location.unwrap();
    cut(&file, last.end() - 1);
    let mut stream = BlockStream::open(&chains, Checks::Hashes).unwrap();
    let read: Vec<_> = stream.by_ref().take(9).map(Result::unwrap).collect();
    assert_eq!(read.len(), 9);
    assert_damage(&stream.next().unwrap().unwrap_err(), &file, last.offset);
    assert!(stream.next().is_none());
}

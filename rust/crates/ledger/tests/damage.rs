// SPDX-License-Identifier: Apache-2.0
//! Derived data that a disk, or somebody's copy, has changed: made again, never believed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fastledger_ledger::{Appended, ChainTip, Ledger, Options, Recovery, check_environment};
use fastledger_mvcc::state::{StateKey, StateReader};
use fastledger_wire::{block, hash};
use support::{Effects, key};

const BLOCKS: u64 = 12;
const KEYS: u64 = 40;

/// Memory so small that changes are merged into the stores, beside those in the journal.
fn options() -> Options {
    Options { layer_bytes: 4096, map_bytes: 16 << 20, ..Options::default() }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("derived/data.mdb")
}

fn effects(number: u64) -> Effects {
    let mut effects = Effects::default();
    for index in 0..KEYS {
        let name = format!("key-{:05}", (index * 7 + number) % 200);
        effects = effects.put(key("cc", "", name.as_bytes()), 0, &format!("value-7-{number}-{index}"));
        effects.history.push(("cc".into(), name, 0));
    }
    // One that does not fit into a page.
    effects = effects.put(key("cc", "", b"long"), 0, &"x".repeat(9000));
    effects.tx_ids = vec![format!("{number:064x}"), format!("text {number}")];
    effects
}

/// Twelve blocks of changes, and everything that can be read of them.
fn made(dir: &Path) -> String {
    let (ledger, _) = Ledger::open(dir, options()).unwrap();
    for number in 0..BLOCKS {
        effects(number).commit(&ledger);
    }
    everything(&ledger)
}

fn everything(ledger: &Ledger) -> String {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = ledger.export_snapshot(&dir.path().join("out"), "ch").unwrap();
    let view = ledger.view().unwrap();
    let mut all = format!("{:?}", snapshot.snapshot_hash);
    for number in 0..200 {
        let name = format!("key-{number:05}");
        let value = view.get(StateKey { namespace: "cc", collection: "", key: name.as_bytes() }).unwrap();
        let history = view.history("cc", &name).unwrap();
        writeln!(all, "{name} {value:?} {history:?}").unwrap();
    }
    for number in 0..BLOCKS {
        let block = ledger.block(number).unwrap();
        let found = [format!("{number:064x}"), format!("text {number}")].map(|id| view.tx_location(&id).unwrap());
        writeln!(all, "{block:?} {found:?}").unwrap();
    }
    all
}

/// Opens a ledger, does what it asks for, and reads everything.
fn reopened(dir: &Path) -> (String, Option<String>) {
    let (ledger, recovery) = Ledger::open(dir, options()).unwrap();
    replay(&ledger, &recovery);
    (everything(&ledger), recovery.rebuilding)
}

fn replay(ledger: &Ledger, recovery: &Recovery) {
    let mut previous_hash = None;
    for stored in ledger.blocks(recovery.replay.start).unwrap() {
        let stored = stored.unwrap();
        let header = block::decode_record(&stored.record).unwrap().header.unwrap();
        if stored.number > 0 && previous_hash.is_none() {
            previous_hash = Some(header.previous_hash.try_into().unwrap());
        }
        let tip = ChainTip { number: stored.number, header_hash: hash::header_hash(&header), previous_hash };
        previous_hash = Some(tip.header_hash);
        let appended = Appended { tip, location: stored.location };
        effects(stored.number).with(&appended, |block| ledger.stage(block)).unwrap();
    }
    ledger.flush().unwrap();
}

#[test]
fn what_is_whole_is_not_found_fault_with() {
    let dir = tempfile::tempdir().unwrap();
    let whole = made(dir.path());
    check_environment(&dir.path().join("derived"), &|_| true).unwrap();
    assert_eq!(reopened(dir.path()), (whole, None));
}

#[test]
fn any_changed_byte_changes_nothing_or_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let whole = made(dir.path());
    let bytes = fs::read(data(dir.path())).unwrap();
    let mut found = 0;
    // A prime, so that all offsets within pages and records come about.
    for offset in (0..bytes.len()).step_by(1499) {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 1 << (offset % 8);
        fs::write(data(dir.path()), &damaged).unwrap();
        let (state, rebuilding) = reopened(dir.path());
        assert_eq!(state, whole, "byte {offset} was changed; {rebuilding:?}");
        found += usize::from(rebuilding.is_some());
    }
    assert!(found > 20, "{found} found");
}

#[test]
fn every_changed_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let whole = made(dir.path());
    let bytes = fs::read(data(dir.path())).unwrap();
    // Values and keys of the state: wherever they stand, pages that are free included.
    for needle in [b"value-7-".as_slice(), b"key-00000".as_slice()] {
        let places: Vec<_> = (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
        assert!(places.len() > 10);
        let mut damaged = bytes.clone();
        for place in places {
            damaged[place + needle.len() - 1] ^= 1;
        }
        fs::write(data(dir.path()), &damaged).unwrap();
        let (state, rebuilding) = reopened(dir.path());
        assert_eq!(state, whole);
        assert!(rebuilding.is_some());
        fs::write(data(dir.path()), &bytes).unwrap();
    }
}

#[test]
fn a_file_that_was_cut_short_anywhere_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let whole = made(dir.path());
    let bytes = fs::read(data(dir.path())).unwrap();
    for length in [0, 1, 100, 4096, 8191, bytes.len() / 2, bytes.len() - 5000, bytes.len() - 1] {
        fs::write(data(dir.path()), &bytes[..length]).unwrap();
        assert_eq!(reopened(dir.path()).0, whole, "cut to {length} bytes");
        fs::write(data(dir.path()), &bytes).unwrap();
    }
}

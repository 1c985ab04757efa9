// SPDX-License-Identifier: Apache-2.0
//! Snapshots of real peers come in and go out again byte for byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use fastledger_ledger::{Ledger, LedgerError, SnapshotMetadata, TxLocation, expiring_block};
use fastledger_mvcc::state::StateReader;
use fastledger_vectors::Corpus;
use fastledger_wire::{encode, hash};
use serde_json::Value;
use support::{Effects, ModelKey, key, open, options, state_key};

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn expected_states(corpus: &Corpus, name: &str) -> Vec<Value> {
    let text = std::str::from_utf8(&corpus.files[name]).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Imports a real snapshot, exports it again and compares every file.
fn round_trip(corpus: &Corpus, folder: &str, states: &str) {
    let dir = tempfile::tempdir().unwrap();
    corpus.unpack(&dir.path().join("corpus")).unwrap();
    let source = dir.path().join("corpus").join(folder);
    let ledger_dir = dir.path().join("ledger");
    let (ledger, metadata) = Ledger::import_snapshot(&source, &ledger_dir, options()).unwrap();
    assert_eq!(ledger.height(), metadata.signable.last_block_number + 1);
    assert_eq!(ledger.last_commit_hash(), metadata.last_block_commit_hash);
    check_states(&ledger, &expected_states(corpus, states));
    check_tx_ids(&ledger, corpus);

    let channel = &metadata.signable.channel_name;
    let out = dir.path().join("out");
    let exported = ledger.export_snapshot(&out, channel).unwrap();
    assert_eq!(exported, metadata);
    assert_eq!(files(&out), files(&source));

    drop(ledger);
    fs::remove_dir_all(ledger_dir.join("derived")).unwrap();
    let (ledger, recovery) = open(&ledger_dir);
    assert!(recovery.rebuilding.is_some() && recovery.replay.is_empty());
    ledger.export_snapshot(&dir.path().join("again"), channel).unwrap();
    assert_eq!(files(&dir.path().join("again")), files(&source));
}

fn check_states(ledger: &Ledger, expected: &[Value]) {
    let mut found = Vec::new();
    ledger
        .view()
        .unwrap()
        .all_states(&mut |key, value| {
            let version = format!("{}:{}", value.version.block, value.version.tx);
            let hash = hash::hex(&hash::sha256(&[&value.value]));
            let metadata = hash::hex(&value.metadata);
            let name = if key.collection.is_empty() {
                String::from_utf8(key.key.to_vec()).unwrap()
            } else {
                hash::hex(key.key)
            };
            found.push((key.namespace.to_owned(), key.collection.to_owned(), name, version, hash, metadata));
            ControlFlow::Continue(())
        })
        .unwrap();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let mut expected: Vec<_> = expected
        .iter()
        .map(|line| {
            let name = if text(line, "collection").is_empty() { text(line, "key") } else { text(line, "key_hex") };
            let (version, hash) = (text(line, "version"), text(line, "value_sha256"));
            (text(line, "namespace"), text(line, "collection"), name, version, hash, text(line, "metadata_hex"))
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Every transaction of the chain is known, and nothing more of it.
fn check_tx_ids(ledger: &Ledger, corpus: &Corpus) {
    let expected: Value = serde_json::from_slice(&corpus.files["expected.json"]).unwrap();
    let view = ledger.view().unwrap();
    let mut checked = 0;
    for block in expected["blocks"].as_array().unwrap() {
        for tx in block["txs"].as_array().unwrap() {
            let id = tx["txid"].as_str().unwrap_or_default();
            if !id.is_empty() {
                assert_eq!(view.tx_location(id).unwrap(), Some(TxLocation::Snapshot), "{id}");
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
    assert!(!view.tx_id_exists(&"00".repeat(32)).unwrap());
}

#[test]
fn small() {
    round_trip(&Corpus::kept("fabric-3.1/small"), "snapshot", "expected_state.jsonl");
}

#[test]
fn bypass() {
    round_trip(&Corpus::kept("fabric-3.1/bypass"), "snapshot", "expected_state.jsonl");
}

#[test]
fn malformed() {
    round_trip(&Corpus::kept("fabric-3.1/malformed"), "snapshot", "expected_state.jsonl");
}

#[test]
fn perf_2of2() {
    if let Some(corpus) = Corpus::further("fabric-3.1/perf-2of2") {
        round_trip(&corpus, "snapshot", "expected_state.jsonl");
    }
}

#[test]
fn perf_contended() {
    if let Some(corpus) = Corpus::further("fabric-3.1/perf-contended") {
        round_trip(&corpus, "snapshot", "expected_state.jsonl");
    }
}

#[test]
fn pvt14() {
    round_trip(&Corpus::kept("fabric-1.4/pvt14"), "snapshot", "expected_state_2.5.15.jsonl");
    round_trip(&Corpus::kept("fabric-1.4/pvt14"), "snapshot_fresh", "expected_state_2.5.15.jsonl");
}

/// A package with one collection that lives so long.
fn package(name: &str, block_to_live: u64) -> Vec<u8> {
    let mut collection = Vec::new();
    encode::bytes_field(&mut collection, 1, name.as_bytes());
    encode::varint_field(&mut collection, 5, block_to_live);
    let (mut config, mut package) = (Vec::new(), Vec::new());
    encode::present_field(&mut config, 1, &collection);
    encode::present_field(&mut package, 1, &config);
    package
}

fn hashed(name: &str) -> ModelKey {
    key("cc", "coll", &hash::sha256(&[name.as_bytes()]))
}

/// A chain with everything a snapshot can hold: `blocks` of its blocks from `from` on.
fn fill(ledger: &Ledger, blocks: std::ops::Range<u64>) {
    for number in blocks {
        let mut effects = Effects::default().put(key("cc", "", &number.to_be_bytes()), 1, "value");
        effects = effects.put(hashed(&format!("{}", number % 3)), 2, "hash");
        effects.puts.push((key("other", "", b"k"), number, b"v".to_vec(), b"metadata".to_vec()));
        effects.expiries = vec![(hashed(&format!("{}", number % 3)), expiring_block(number, 1).unwrap())];
        if number % 4 == 0 {
            effects.expiries.clear();
            effects.puts.retain(|put| put.0.1.is_empty());
        }
        effects.tx_ids = vec![format!("{number:064x}"), format!("text {number}"), String::new()];
        effects
            .tx_ids
            .push("x".repeat(460 + usize::try_from(number % 3).unwrap()) + if number % 2 == 0 { "z" } else { "a" });
        effects.tx_ids.push(format!("{number:063}X"));
        if number == 0 {
            effects.collections = vec![("cc".into(), package("coll", 9)), ("b".into(), package("coll", 7))];
        }
        if number == 1 {
            effects.collections = vec![("cc".into(), package("coll", 1))];
        }
        effects.stage(ledger);
    }
}

#[test]
fn a_ledger_from_a_snapshot_goes_on_like_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (original, _) = open(&at("original"));
    fill(&original, 0..10);
    original.export_snapshot(&at("first"), "ch").unwrap();
    let (copy, metadata) = Ledger::import_snapshot(&at("first"), &at("copy"), options()).unwrap();
    assert_eq!(metadata.signable.last_block_number, 9);
    for block in 10..14 {
        fill(&original, block..block + 1);
        fill(&copy, block..block + 1);
        let visible = |ledger: &Ledger| {
            let view = ledger.view().unwrap();
            ["0", "1", "2"].map(|name| view.version(state_key(&hashed(name))).unwrap())
        };
        assert_eq!(visible(&original), visible(&copy), "block {block}");
    }
    assert_eq!(copy.view().unwrap().metadata(state_key(&key("other", "", b"k"))).unwrap().as_ref(), b"metadata");
    // A key that nobody writes again: block 9's write of "0" is gone with block 11.
    assert_eq!(original.view().unwrap().version(state_key(&hashed("0"))).unwrap(), None);
    original.export_snapshot(&at("second"), "ch").unwrap();
    copy.export_snapshot(&at("second copy"), "ch").unwrap();
    assert_eq!(files(&at("second")), files(&at("second copy")));
    assert!(matches!(copy.block(9), Err(LedgerError::NoSuchBlock { number: 9, first: 10, end: 14 })));
    assert_eq!(copy.blocks(10).unwrap().map(|block| block.unwrap().number).collect::<Vec<_>>(), [10, 11, 12, 13]);
    assert!(matches!(copy.view().unwrap().tx_location("text 3").unwrap(), Some(TxLocation::Snapshot)));
    assert!(copy.block_by_tx_id("text 3").unwrap().is_none());
    assert_eq!(copy.block_by_tx_id("text 12").unwrap().unwrap().number, 12);

    drop(copy);
    fs::remove_dir_all(at("copy").join("derived")).unwrap();
    let (copy, recovery) = open(&at("copy"));
    assert_eq!((recovery.replay, copy.committed_height(), copy.height()), (10..14, 10, 14));
}

#[test]
fn tx_ids_go_out_by_length_then_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir.path().join("ledger"));
    fill(&ledger, 0..20);
    ledger.export_snapshot(&dir.path().join("out"), "ch").unwrap();
    let data = fs::read(dir.path().join("out/txids.data")).unwrap();
    let mut reader = fastledger_wire::protobuf::Reader::new(&data[1..]);
    let mut found = Vec::new();
    while !reader.rest().is_empty() {
        found.push(reader.length_prefixed().unwrap().to_vec());
    }
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for number in 0..20u64 {
        let tail = if number % 2 == 0 { "z" } else { "a" };
        let long = "x".repeat(460 + usize::try_from(number % 3).unwrap()) + tail;
        expected.extend(
            [format!("{number:064x}"), format!("text {number}"), long, format!("{number:063}X")]
                .map(String::into_bytes),
        );
    }
    expected.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    expected.dedup();
    assert_eq!(found, expected);
}

#[test]
fn blocks_are_committed_while_a_snapshot_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir.path().join("ledger"));
    fill(&ledger, 0..200);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 200;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                fill(&ledger, next..next + 1);
                ledger.flush().unwrap();
                next += 1;
            }
        });
        for attempt in 0..5 {
            let out = dir.path().join(format!("out{attempt}"));
            let metadata = ledger.export_snapshot(&out, "ch").unwrap();
            let last = metadata.signable.last_block_number;
            let (copy, _) =
                Ledger::import_snapshot(&out, &dir.path().join(format!("copy{attempt}")), options()).unwrap();
            let view = copy.view().unwrap();
            let newest = |number: u64| view.version(state_key(&key("cc", "", &number.to_be_bytes()))).unwrap();
            assert!(newest(last).is_some() && newest(last + 1).is_none());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_damaged_snapshot_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (ledger, _) = open(&at("ledger"));
    fill(&ledger, 0..3);
    ledger.export_snapshot(&at("good"), "ch").unwrap();
    let good = files(&at("good"));
    assert_eq!(good.len(), 10);
    let refused = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let bad = tempfile::tempdir().unwrap();
        for (other, bytes) in &good {
            let mut bytes = bytes.clone();
            if other == name {
                change(&mut bytes);
            }
            fs::write(bad.path().join(other), bytes).unwrap();
        }
        let target = bad.path().join("ledger");
        let Err(error) = Ledger::import_snapshot(bad.path(), &target, options()) else {
            panic!("a damaged {name} was accepted");
        };
        assert!(!target.join("derived").exists() && !target.join("snapshot").exists());
        error.to_string()
    };
    for name in good.keys() {
        let error = refused(name, &|bytes| *bytes.last_mut().unwrap() ^= 1);
        assert!(error.contains("snapshot"), "{error}");
        refused(name, &|bytes| bytes.truncate(bytes.len() / 2));
    }
    let error = refused("_snapshot_signable_metadata.json", &|bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap().replace("txids.data", "../txids.data");
        *bytes = text.into_bytes();
    });
    assert!(error.contains("SHA-256"), "{error}");
}

/// Hashes that fit do not make contents right.
#[test]
fn malformed_contents_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&dir.path().join("ledger"));
    fill(&ledger, 0..3);
    let good = dir.path().join("good");
    ledger.export_snapshot(&good, "ch").unwrap();
    let changes: [(&str, &[u8]); 8] = [
        ("txids.metadata", b"\x01\x7f"),
        ("txids.metadata", b"\x02\x01"),
        ("txids.data", b"\x01\xff\xff\xff\xff\x0f"),
        ("public_state.metadata", b"\x01\x01\x02cc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("public_state.metadata", b"\x01\x01\x08cc$$hcol\x03"),
        ("private_state_hashes.data", b"\x01\x03\x0a\x05a"),
        ("confighistory.data", b"\x01\x01a\x01b"),
        ("confighistory.metadata", b"\x01"),
    ];
    for (name, contents) in changes {
        let bad = tempfile::tempdir().unwrap();
        for (other, bytes) in files(&good) {
            fs::write(bad.path().join(other), bytes).unwrap();
        }
        fs::write(bad.path().join(name), contents).unwrap();
        restate(bad.path(), name, contents);
        SnapshotMetadata::verify(bad.path()).unwrap();
        let target = bad.path().join("ledger");
        let Err(error) = Ledger::import_snapshot(bad.path(), &target, options()) else {
            panic!("{name} with {contents:02x?} was accepted");
        };
        assert!(matches!(error, LedgerError::Snapshot { .. }), "{error}");
        assert!(!target.join("snapshot").exists(), "{error}");
    }
}

/// Makes the JSON files state the hash of changed contents.
fn restate(dir: &Path, name: &str, contents: &[u8]) {
    let signable = dir.join("_snapshot_signable_metadata.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&signable).unwrap()).unwrap();
    json["snapshot_files_raw_hashes"][name] = hash::hex(&hash::sha256(&[contents])).into();
    let text = serde_json::to_vec(&json).unwrap();
    fs::write(&signable, &text).unwrap();
    let additional = dir.join("_snapshot_additional_metadata.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&additional).unwrap()).unwrap();
    json["snapshot_hash"] = hash::hex(&hash::sha256(&[&text])).into();
    fs::write(&additional, serde_json::to_vec(&json).unwrap()).unwrap();
}

#[test]
fn a_snapshot_goes_only_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (ledger, _) = open(&at("ledger"));
    assert!(matches!(ledger.export_snapshot(&at("out"), "ch"), Err(LedgerError::Snapshot { .. })), "no blocks");
    fill(&ledger, 0..1);
    ledger.export_snapshot(&at("out"), "ch").unwrap();
    assert!(matches!(ledger.export_snapshot(&at("out"), "ch"), Err(LedgerError::Snapshot { .. })));
    fs::create_dir(at("next.partial")).unwrap();
    fs::write(at("next.partial").join("txids.data"), "of an export that was cut short").unwrap();
    ledger.export_snapshot(&at("next"), "ch").unwrap();
    fs::create_dir(at("last.partial")).unwrap();
    fs::write(at("last.partial").join("notes"), "somebody's").unwrap();
    assert!(matches!(ledger.export_snapshot(&at("last"), "ch"), Err(LedgerError::Snapshot { .. })));
    assert_eq!(fs::read(at("last.partial").join("notes")).unwrap(), b"somebody's");
    assert!(matches!(Ledger::import_snapshot(&at("out"), &at("ledger"), options()), Err(LedgerError::InUse { .. })));
    drop(ledger);
    assert!(matches!(Ledger::import_snapshot(&at("out"), &at("ledger"), options()), Err(LedgerError::Snapshot { .. })));
    assert_eq!(open(&at("ledger")).0.height(), 1);
}

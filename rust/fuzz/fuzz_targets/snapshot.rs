// SPDX-License-Identifier: Apache-2.0
//! Snapshots whose hashes fit and whose files are anything: imported or refused; what was imported goes out and in again.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fastledger_fuzz::channel::{folder, options};
use fastledger_fuzz::tree;
use fastledger_ledger::Ledger;
use fastledger_wire::hash::{hex, sha256};
use fastledger_wire::{Message, messages};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::json;

/// The files, in the order of the input's fields.
const FILES: [&str; 8] = [
    "public_state.data",
    "public_state.metadata",
    "private_state_hashes.data",
    "private_state_hashes.metadata",
    "txids.data",
    "txids.metadata",
    "confighistory.data",
    "confighistory.metadata",
];

messages! {
    /// A snapshot.
    Input<'a> {
        1 => public_data: Option<&'a [u8]>,
        2 => public_metadata: Option<&'a [u8]>,
        3 => hashes_data: Option<&'a [u8]>,
        4 => hashes_metadata: Option<&'a [u8]>,
        5 => txids_data: Option<&'a [u8]>,
        6 => txids_metadata: Option<&'a [u8]>,
        7 => history_data: Option<&'a [u8]>,
        8 => history_metadata: Option<&'a [u8]>,
        9 => last_block_number: u64,
        10 => previous_hash: &'a str,
        11 => commit_hash: &'a str,
        /// The signable metadata as it is, if not empty.
        12 => signable: &'a [u8],
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::decode(bytes) else { return };
    let folder = folder();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("in")).expect("a folder");
    write(&place("in"), &input);
    let Ok((ledger, metadata)) = Ledger::import_snapshot(&place("in"), &place("one"), options().ledger) else {
        // Nothing may be left that keeps a good snapshot out.
        let left: Vec<_> = fs::read_dir(place("one")).map(|all| all.flatten().collect()).unwrap_or_default();
        assert!(left.iter().all(|entry| entry.file_name() == "LOCK"), "{left:?}");
        return;
    };
    assert_eq!(Some(ledger.height()), metadata.signable.last_block_number.checked_add(1));
    let channel = &metadata.signable.channel_name;
    ledger.export_snapshot(&place("out"), channel).expect("an export");
    drop(ledger);
    let (again, _) = Ledger::import_snapshot(&place("out"), &place("two"), options().ledger).expect("our own snapshot");
    again.export_snapshot(&place("again"), channel).expect("an export");
    assert_eq!(files(&place("again")), files(&place("out")));
    // What was derived is derived again.
    drop(again);
    Ledger::drop_derived(&place("two")).expect("a closed ledger");
    let (rebuilt, _) = Ledger::open(&place("two"), options().ledger).expect("a good ledger");
    rebuilt.export_snapshot(&place("rebuilt"), channel).expect("an export");
    assert_eq!(files(&place("rebuilt")), files(&place("out")));
});

fn write(dir: &Path, input: &Input<'_>) {
    let contents = [
        input.public_data,
        input.public_metadata,
        input.hashes_data,
        input.hashes_metadata,
        input.txids_data,
        input.txids_metadata,
        input.history_data,
        input.history_metadata,
    ];
    let mut hashes = BTreeMap::new();
    for (name, content) in FILES.iter().zip(contents) {
        let Some(content) = content else { continue };
        fs::write(dir.join(name), content).expect("a new file");
        hashes.insert(*name, hex(&sha256(&[content])));
    }
    let signable = match input.signable {
        [] => json!({
            "channel_name": "fuzz",
            "last_block_number": input.last_block_number,
            "last_block_hash": "00".repeat(32),
            "previous_block_hash": input.previous_hash,
            "snapshot_files_raw_hashes": hashes,
            "state_db_type": "SimpleKeyValueDB",
        })
        .to_string()
        .into_bytes(),
        signable => signable.to_vec(),
    };
    let additional =
        json!({ "snapshot_hash": hex(&sha256(&[&signable])), "last_block_commit_hash": input.commit_hash }).to_string();
    fs::write(dir.join("_snapshot_signable_metadata.json"), signable).expect("a new file");
    fs::write(dir.join("_snapshot_additional_metadata.json"), additional).expect("a new file");
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file")))
        .collect()
}

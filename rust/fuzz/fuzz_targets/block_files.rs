// SPDX-License-Identifier: Apache-2.0
//! Block files of any bytes: the reader ends or says what is wrong; a ledger over them opens or says so, and one that
//! opened gives back the blocks that it says it has, takes another, and opens again as it was.
#![no_main]

use std::fs;

use fastledger_fuzz::channel::{folder, options};
use fastledger_fuzz::tree;
use fastledger_ledger::{BlockStream, Checks, Ledger, block_file_path};
use fastledger_wire::block::encode_record;
use fastledger_wire::common::BlockHeader;
use fastledger_wire::hash::data_hash;
use fastledger_wire::{Message, messages};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Most files.
const MAX_FILES: usize = 3;

messages! {
    /// The files.
    Input<'a> {
        1 => files: Vec<&'a [u8]>,
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::decode(bytes) else { return };
    let folder = folder();
    let chains = folder.path().join("chains");
    fs::create_dir(&chains).expect("a folder");
    for (number, file) in (0..).zip(input.files.iter().take(MAX_FILES)) {
        fs::write(block_file_path(&chains, number), file).expect("a new file");
    }
    let framed = BlockStream::open(&chains, Checks::Framing).expect("a stream").filter(Result::is_ok).count();
    let good: Vec<_> = BlockStream::open(&chains, Checks::Hashes).expect("a stream").map_while(Result::ok).collect();
    assert!(good.len() <= framed);
    let Ok((ledger, recovery)) = Ledger::open(folder.path(), options().ledger) else { return };
    assert_eq!(recovery.replay.start, 0);
    assert_eq!(ledger.height(), recovery.replay.end);
    // Opening follows the headers; what they say of the data is found out by reading.
    assert!(
        good.len() as u64 >= recovery.replay.end || ledger.blocks(0).expect("a stream").any(|block| block.is_err())
    );
    append(&ledger);
    let height = ledger.height();
    drop(ledger);
    let (ledger, recovery) = Ledger::open(folder.path(), options().ledger).expect("it opened once");
    assert_eq!((ledger.height(), recovery.torn), (height, None));
});

fn append(ledger: &Ledger) {
    let data: [&[u8]; 1] = [b"data"];
    let data_hash = data_hash(&data);
    let previous = ledger.tip().map(|tip| tip.header_hash);
    let previous_hash = previous.as_ref().map_or(&[][..], |hash| hash);
    let header = BlockHeader { number: ledger.height(), previous_hash, data_hash: &data_hash };
    ledger.append(&encode_record(&header, &data, &[])).expect("room for a block");
}

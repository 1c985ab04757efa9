// SPDX-License-Identifier: Apache-2.0
//! Whole blocks of a real ledger with anything changed in them: judged or refused, and the real block is still judged as
//! the real peer judged it.
#![no_main]

use std::sync::LazyLock;

use fastledger_committer::Options;
use fastledger_fuzz::channel::{Copied, Template, commit, is_judged_or_refused, judge, options};
use fastledger_fuzz::tree;
use fastledger_vectors::Corpus;
use fastledger_wire::block::encode_block;
use fastledger_wire::common::{Block, BlockHeader, metadata_slot};
use fastledger_wire::hash::data_hash;
use fastledger_wire::{Message, TxValidationCode};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// A byte that chooses where the ledger stands and what is done.
const HEADER: usize = 1;
/// Heights that ledgers stand at: before definitions, among ordinary transactions, after key-level policies.
const HEIGHTS: [usize; 3] = [1, 20, 60];
/// Number, previous hash and data hash are made to fit.
const FITTING: u8 = 4;
/// Entries that are not envelopes are judged.
const MALFORMED: u8 = 8;
/// The remaining bits choose one of so many blocks to be committed, which takes a ledger of its own.
const COMMITTED: u8 = 16;

struct Ledger {
    template: Template,
    strict: Copied,
    lenient: Copied,
    next: Vec<u8>,
    codes: Vec<TxValidationCode>,
}

static LEDGERS: LazyLock<Vec<Ledger>> = LazyLock::new(|| {
    let corpus = Corpus::kept("fabric-3.1/small");
    let blocks: Vec<_> = corpus.delivered_blocks().into_iter().map(<[u8]>::to_vec).collect();
    let codes: Vec<_> = corpus.committed_blocks().into_iter().map(codes).collect();
    HEIGHTS
        .map(|height| {
            let template = Template::new(blocks[..height].to_vec(), &options());
            let (strict, lenient) = (template.open(&unsigned(false)), template.open(&unsigned(true)));
            Ledger { template, strict, lenient, next: blocks[height].clone(), codes: codes[height].clone() }
        })
        .into()
});

/// The real peer's verdicts.
fn codes(block: &[u8]) -> Vec<TxValidationCode> {
    let metadata = Block::decode(block).expect("a block").metadata.expect("metadata").metadata;
    let codes = metadata[metadata_slot::TRANSACTIONS_FILTER].iter();
    codes.map(|code| TxValidationCode::from_number(*code).expect("a code")).collect()
}

fn unsigned(allow_malformed: bool) -> Options {
    Options { verify_block_signatures: false, allow_malformed, ..options() }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, HEADER, fuzzer_mutate)
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let ledger = &LEDGERS[usize::from(choice & 3) % LEDGERS.len()];
    let block = if choice & FITTING == 0 { None } else { fitting(bytes, &ledger.template) };
    let block = block.as_deref().unwrap_or(bytes);
    let lenient = choice & MALFORMED != 0;
    let channel = if lenient { &ledger.lenient.channel } else { &ledger.strict.channel };
    is_judged_or_refused(&judge(channel, block));
    let good = judge(channel, &ledger.next).expect("the real block");
    assert_eq!(good.codes, ledger.codes);
    if choice & !(COMMITTED - 1) == 0 {
        commits(ledger, block, lenient);
    }
});

/// The next block with this one's data.
fn fitting(bytes: &[u8], template: &Template) -> Option<Vec<u8>> {
    let block = Block::decode(bytes).ok()?;
    let (data, metadata) = (block.data?.data, block.metadata.unwrap_or_default().metadata);
    let header = BlockHeader { number: template.height, previous_hash: &template.tip, data_hash: &data_hash(&data) };
    Some(encode_block(&header, &data, &metadata))
}

/// Commits the block to a ledger of its own, which then takes the real one if the block was refused.
fn commits(ledger: &Ledger, block: &[u8], allow_malformed: bool) {
    let copied = ledger.template.open(&unsigned(allow_malformed));
    let committed = commit(&copied.channel, block);
    is_judged_or_refused(&committed);
    let next = commit(&copied.channel, &ledger.next);
    match committed {
        Ok(_) => assert!(next.is_err(), "two blocks of one number"),
        Err(_) => assert_eq!(next.expect("the real block").codes, ledger.codes),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Transactions as hostile as their signers want them: ids, hashes and signatures fit, all else is the fuzzer's choice.
//!
//! Every block is judged or refused, by the product as by the judge of concurrency control; the next good block commits.
#![no_main]

use std::sync::LazyLock;

use fastledger_committer::{CommitResult, Options};
use fastledger_fuzz::channel::{Copied, Template, commit, is_judged_or_refused, judge, options};
use fastledger_fuzz::network::setup::setup;
use fastledger_fuzz::network::{Network, Rules, signed_block};
use fastledger_fuzz::{recipe, tree};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// A byte that chooses the channel and what is done.
const HEADER: usize = 1;
/// One of so many blocks is committed, which takes a ledger of its own.
const COMMITTED: u8 = 16;

struct Ledger {
    rules: Rules,
    template: Template,
    product: Copied,
    judge: Copied,
}

static LEDGERS: LazyLock<Vec<Ledger>> = LazyLock::new(|| {
    [Rules::V1_1, Rules::V1_4, Rules::V2_5]
        .map(|rules| {
            let template = Template::new(setup(Network::get(), rules), &options());
            let (product, judge) = (template.open(&options()), template.open(&sequential()));
            Ledger { rules, template, product, judge }
        })
        .into()
});

fn sequential() -> Options {
    Options { sequential_mvcc: true, ..options() }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, HEADER, fuzzer_mutate)
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, recipe)) = data.split_first() else { return };
    let ledger = &LEDGERS[usize::from(choice & 3) % LEDGERS.len()];
    let entries = recipe::entries(recipe, Network::get());
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let block = ledger.block(&entries);
    let product = judge(&ledger.product.channel, &block);
    is_judged_or_refused(&product);
    let judged = judge(&ledger.judge.channel, &block);
    assert_eq!(verdict(&product.as_ref().ok()), verdict(&judged.as_ref().ok()));
    if (choice >> 2).is_multiple_of(COMMITTED) {
        ledger.commits(&block, &product.ok());
    }
});

/// What every way of judging must agree on.
fn verdict<'r>(result: &Option<&'r CommitResult>) -> Option<(&'r [fastledger_wire::TxValidationCode], [u8; 32])> {
    result.map(|result| (result.codes.as_slice(), result.commit_hash.expect("not block 0")))
}

impl Ledger {
    fn block(&self, entries: &[&[u8]]) -> Vec<u8> {
        signed_block(Network::get(), self.rules, self.template.height, Some(&self.template.tip), entries)
    }

    /// Commits the block to a ledger of its own, then a good one.
    fn commits(&self, block: &[u8], judged: &Option<CommitResult>) {
        let copied = self.template.open(&options());
        let committed = commit(&copied.channel, block);
        is_judged_or_refused(&committed);
        assert_eq!(verdict(&committed.as_ref().ok()), verdict(&judged.as_ref()));
        let (height, tip) = match &committed {
            Ok(result) => (result.number + 1, result.header_hash),
            Err(_) => (self.template.height, self.template.tip),
        };
        let good = [recipe::entries(&recipe::plain(height), Network::get()).remove(0)];
        let good = signed_block(Network::get(), self.rules, height, Some(&tip), &[&good[0]]);
        commit(&copied.channel, &good).expect("a good block follows");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Concurrency control: the product against the judge, on contended blocks over a small state.
#![no_main]

use fastledger_mvcc::testing::{Scenario, transactions};
use fastledger_mvcc::{parallel, sequential, update_bytes};
use fastledger_wire::rwset::TxRwSet;
use libfuzzer_sys::fuzz_target;

/// Times that the block is repeated, for transactions enough to occupy several threads.
const COPIES: usize = 40;

fuzz_target!(|bytes: &[u8]| {
    let scenario = Scenario::from_bytes(bytes);
    let rwsets: Vec<_> =
        scenario.rwsets.iter().map(|rwset| TxRwSet::decode(rwset).expect("an encoded rwset")).collect();
    both(&rwsets, &scenario, &[0, 1, 3]);
    // Threads are dear, so only some inputs take them.
    if bytes.first().is_some_and(|first| first.is_multiple_of(16)) {
        let many: Vec<_> = std::iter::repeat_n(rwsets, COPIES).flatten().collect();
        both(&many, &scenario, &[2, 7]);
    }
});

fn both(rwsets: &[TxRwSet<'_>], scenario: &Scenario, workers: &[usize]) {
    let txs = transactions(rwsets);
    let Ok(judged) = sequential::validate(Scenario::BLOCK, &txs, &scenario.state);
    assert!(judged.batch.updates.is_sorted_by(|one, other| one.key < other.key));
    for workers in workers {
        let Ok(product) = parallel::validate(Scenario::BLOCK, &txs, &scenario.state, *workers);
        assert_eq!(product, judged, "{workers} workers");
    }
    drop(update_bytes(&judged.batch));
    let mut after = scenario.state.clone();
    after.apply(&judged.batch);
}

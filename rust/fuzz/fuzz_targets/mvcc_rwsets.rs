// SPDX-License-Identifier: Apache-2.0
//! Concurrency control: the product against the judge, on any read-write sets over a small state.
#![no_main]

use fastledger_fuzz::message::{Bytes, message};
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_mvcc::testing::{Scenario, transactions};
use fastledger_mvcc::{parallel, sequential, update_bytes};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{Message, messages};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Most transactions of a block.
const MAX_TXS: usize = 16;

messages! {
    /// State and block.
    Input<'a> {
        /// Encoded read-write sets.
        1 => rwsets: Vec<&'a [u8]>,
        /// What makes a scenario's state.
        2 => state: &'a [u8],
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if size == 0 {
        let start = message(&[Bytes(1, b"\x12\x02\x0a\x00")]);
        data[..start.len()].copy_from_slice(&start);
        return start.len();
    }
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| on_deep_stack(|| {
    let Ok(input) = Input::decode(bytes) else { return };
    let state = Scenario::from_bytes(input.state).state;
    let rwsets: Vec<_> = input.rwsets.iter().take(MAX_TXS).filter_map(|rwset| TxRwSet::decode(rwset).ok()).collect();
    let txs = transactions(&rwsets);
    let Ok(judged) = sequential::validate(Scenario::BLOCK, &txs, &state);
    for workers in [1, 2] {
        let Ok(product) = parallel::validate(Scenario::BLOCK, &txs, &state, workers);
        assert_eq!(product, judged, "{workers} workers");
    }
    drop(update_bytes(&judged.batch));
}));

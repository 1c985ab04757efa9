// SPDX-License-Identifier: Apache-2.0
//! Every view of every message: no bytes crash a decoder, equal bytes give equal views, bytes one after the other merge
//! as messages do, and fields that nobody knows change nothing.
#![no_main]

use fastledger_fuzz::message::{Bytes, message};
use fastledger_fuzz::views::VIEWS;
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_wire::rwset::TxRwSet;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Bytes that choose the view and where the message is cut in two.
const HEADER: usize = 3;
/// A field that no message has.
const UNKNOWN_FIELD: u32 = 1000;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, HEADER, fuzzer_mutate)
});

fuzz_target!(|data: &[u8]| {
    let Some((header, bytes)) = data.split_first_chunk::<HEADER>() else { return };
    let cut = usize::from(u16::from_be_bytes([header[1], header[2]])).min(bytes.len());
    let extended = [bytes, &message(&[Bytes(UNKNOWN_FIELD, b"unknown")])].concat();
    on_deep_stack(|| {
        VIEWS[usize::from(header[0]) % VIEWS.len()].1(&extended, cut, bytes.len());
        drop(TxRwSet::decode(bytes));
    });
});

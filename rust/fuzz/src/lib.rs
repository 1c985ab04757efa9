// SPDX-License-Identifier: Apache-2.0
//! What the fuzz targets share: a network made of nothing, a mutator that knows protobuf, and threads with stack enough.
//!
//! Run a target with `cargo +nightly fuzz run --fuzz-dir rust/fuzz TARGET` from the repository's root; `make fuzz` runs
//! them all. `cargo run --release --example seeds` fills `corpus/` from real ledgers; what lies in `seeds/` was found
//! by fuzzing and is worth keeping. `cargo run --release --example hostile` measures blocks that are made to be slow.

#![forbid(unsafe_code)]

pub mod channel;
pub mod message;
pub mod network;
pub mod recipe;
pub mod tree;
pub mod views;

use std::thread;

/// Stack for what decodes deep messages. Sanitizers make frames several times as large as those that
/// [`fastledger_wire::protobuf::DECODE_STACK_BYTES`] is made for.
const STACK_BYTES: usize = 8 * fastledger_wire::protobuf::DECODE_STACK_BYTES;

/// Runs `work` where the deepest message can be decoded.
///
/// # Panics
/// If `work` does.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        thread.expect("a thread").join().expect("no panic")
    })
}

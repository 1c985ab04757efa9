// SPDX-License-Identifier: Apache-2.0
//! Threads whose stacks hold the deepest message.

use std::thread::{Builder, JoinHandle};

use fastledger_wire::protobuf::DECODE_STACK_BYTES;

/// Starts a thread with stack enough for the deepest message.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).stack_size(DECODE_STACK_BYTES).spawn(run)
}

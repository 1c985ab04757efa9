// SPDX-License-Identifier: Apache-2.0
//! Threads whose stacks hold the deepest message, and what is left of one that panicked.

use std::any::Any;
use std::thread::{Builder, JoinHandle};

use fastledger_wire::protobuf::DECODE_STACK_BYTES;

/// Starts a thread with stack enough for the deepest message.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).stack_size(DECODE_STACK_BYTES).spawn(run)
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_owned())
}

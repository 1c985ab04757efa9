// SPDX-License-Identifier: Apache-2.0
//! Threads whose stacks hold the deepest message, and what is left of one that panicked.

use std::any::Any;
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};

use fastledger_wire::protobuf::DECODE_STACK_BYTES;

use crate::error::CommitError;

/// Starts a thread with stack enough for the deepest message.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).stack_size(DECODE_STACK_BYTES).spawn(run)
}

/// Runs `work` on a stack that holds the deepest message, whatever stack the caller has.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, CommitError> + Send) -> Result<T, CommitError> {
    std::thread::scope(|scope| {
        let thread = Builder::new().stack_size(DECODE_STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| CommitError::Threads(error.to_string()))?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_owned())
}

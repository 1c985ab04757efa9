// SPDX-License-Identifier: Apache-2.0
//! Threads whose stacks hold the deepest message.

use std::thread::{Builder, JoinHandle};

use fastledger_defect::{Defect, catch};
use fastledger_wire::protobuf::DECODE_STACK_BYTES;

use crate::error::CommitError;

/// Starts a thread with stack enough for the deepest message.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).stack_size(DECODE_STACK_BYTES).spawn(run)
}

/// Runs `work` on a stack that holds the deepest message, whatever stack the caller has.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, CommitError> + Send) -> Result<T, CommitError> {
    std::thread::scope(|scope| {
        let thread = Builder::new().stack_size(DECODE_STACK_BYTES).spawn_scoped(scope, || catch(work));
        let thread = thread.map_err(|error| CommitError::Threads(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(Defect::new("a thread is gone"))).unwrap_or_else(|defect| defect.resume())
    })
}

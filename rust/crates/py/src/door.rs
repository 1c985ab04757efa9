// SPDX-License-Identifier: Apache-2.0
//! The one door out of the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use fastledger_wire::protobuf::DECODE_STACK_BYTES;
use pyo3::prelude::*;

use crate::error;

/// Runs `work` without the GIL; a panic in it becomes a Python exception that says it is our defect.
pub(crate) fn work<T: Send, E: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
    map: impl FnOnce(Python<'_>, E) -> PyErr,
) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(map(py, error)),
        Err(panic) => Err(error::defect(py, &*panic)),
    }
}

/// [`work`] that decodes recursive messages, whose nesting is the sender's choice: it gets a stack for the deepest.
pub(crate) fn deep_work<T: Send, E: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
    map: impl FnOnce(Python<'_>, E) -> PyErr,
) -> PyResult<T> {
    let outcome = py.detach(|| {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(DECODE_STACK_BYTES).spawn_scoped(scope, work)?;
            Ok::<_, std::io::Error>(thread.join())
        })
    });
    match outcome {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(map(py, error)),
        Ok(Err(panic)) => Err(error::defect(py, &*panic)),
        Err(error) => Err(error::input(py, format!("no thread to decode on: {error}"))),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The one door out of the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fastledger_wire::protobuf::with_stack_for;
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

/// Bytes of messages whose length is not known before they are decoded.
pub(crate) const ANY_LENGTH: usize = usize::MAX;

/// [`work`] that decodes so many bytes of recursive messages, whose nesting is the sender's choice.
pub(crate) fn deep_work<T: Send, E: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce() -> Result<T, E> + Send,
    map: impl FnOnce(Python<'_>, E) -> PyErr,
) -> PyResult<T> {
    self::work(py, || with_stack_for(bytes, work), map)
}

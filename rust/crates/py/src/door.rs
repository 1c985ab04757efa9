// SPDX-License-Identifier: Apache-2.0
//! The one door out of the GIL.

use std::panic::{AssertUnwindSafe, catch_unwind};

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

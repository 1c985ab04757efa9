// SPDX-License-Identifier: Apache-2.0
//! The one door out of the GIL.

use fastledger_defect::catch;
use fastledger_wire::protobuf::with_stack_for;
use pyo3::prelude::*;

use crate::error;

/// Runs `work` without the GIL; a panic in it becomes a Python exception that says it is our defect.
pub(crate) fn work<T: Send, E: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
    map: impl FnOnce(Python<'_>, E) -> PyErr,
) -> PyResult<T> {
    match py.detach(|| catch(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(map(py, error)),
        Err(defect) => Err(error::defect(py, defect)),
    }
}

/// Panics behind the door: so that it can be tried out what a defect becomes, and whom its alarms reach.
#[pyfunction]
pub(crate) fn provoke_defect(py: Python<'_>, text: String) -> PyResult<()> {
    work(py, || -> Result<(), std::convert::Infallible> { panic!("{text}") }, |_, never| match never {})
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

// SPDX-License-Identifier: Apache-2.0
//! The one door out of the GIL.

use std::thread;

use fastledger_defect::{Defect, catch};
use fastledger_wire::protobuf::DECODE_STACK_BYTES;
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

/// [`work`] that decodes recursive messages, whose nesting is the sender's choice: it gets a stack for the deepest.
pub(crate) fn deep_work<T: Send, E: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
    map: impl FnOnce(Python<'_>, E) -> PyErr,
) -> PyResult<T> {
    let outcome = py.detach(|| {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(DECODE_STACK_BYTES).spawn_scoped(scope, || catch(work))?;
            Ok::<_, std::io::Error>(thread.join().unwrap_or_else(|_| Err(Defect::new("a thread is gone"))))
        })
    });
    match outcome {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(map(py, error)),
        Ok(Err(defect)) => Err(error::defect(py, defect)),
        Err(error) => Err(error::input(py, format!("no thread to decode on: {error}"))),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Blocks whose beginning is missing, as Python sees them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fastledger_committer as committer;
use fastledger_committer::CommitError;
use fastledger_wire::common::{Block, BlockHeader};
use fastledger_wire::{Hash, Message};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::{door, error};

/// Consecutive blocks from the middle of a chain.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Excerpt(Mutex<committer::Excerpt>);

#[pymethods]
impl Excerpt {
    #[new]
    #[pyo3(signature = (after=None, *, allow_malformed=false))]
    fn new(py: Python<'_>, after: Option<(u64, PyBackedBytes)>, allow_malformed: bool) -> PyResult<Self> {
        let wrong = |bytes: usize| error::input(py, format!("a header hash has 32 bytes, not {bytes}"));
        let after = after
            .map(|(number, hash)| Ok::<_, PyErr>((number, Hash::try_from(&*hash).map_err(|_| wrong(hash.len()))?)))
            .transpose()?;
        Ok(Self(Mutex::new(committer::Excerpt::new(after, allow_malformed))))
    }

    #[getter]
    fn channel_id(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).channel_id().map(str::to_owned)
    }

    fn examine(&self, py: Python<'_>, block: PyBackedBytes) -> PyResult<Examined> {
        let block = Bytes::from_owner(block);
        let examine = || {
            let number = number_of(&block);
            let mut excerpt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let refused = |refusal| CommitError::Refused { number, refusal: Box::new(refusal) };
            excerpt.examine(block).map_err(refused)
        };
        door::deep_work(py, door::ANY_LENGTH, examine, error::commit).map(Examined)
    }
}

/// The number that a block claims, 0 where it claims none.
fn number_of(block: &[u8]) -> u64 {
    let header = Block::decode(block).ok().and_then(|block| block.header);
    header.map_or(0, |BlockHeader { number, .. }| number)
}

/// What was found of one block.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Examined(committer::Examined);

#[pymethods]
impl Examined {
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    #[getter]
    fn header_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.header_hash)
    }

    #[getter]
    fn transactions(&self) -> usize {
        self.0.transactions
    }

    #[getter]
    fn decided(&self) -> usize {
        self.0.decided
    }

    #[getter]
    fn orderers_checked(&self) -> bool {
        self.0.orderers_checked
    }

    #[getter]
    fn creators_checked(&self) -> bool {
        self.0.creators_checked
    }

    #[getter]
    fn commit_hash_follows(&self) -> Option<bool> {
        self.0.commit_hash_follows
    }

    #[getter]
    fn differences(&self) -> Vec<(u32, &str)> {
        self.0.differences.iter().map(|(tx, text)| (*tx, text.as_str())).collect()
    }

    #[getter]
    fn notes(&self) -> Vec<&str> {
        self.0.notes.iter().map(String::as_str).collect()
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Outcomes as Python sees them.

use std::time::Duration;

use fastledger_committer as committer;
use fastledger_committer::{Spent, Stage};
use fastledger_wire::block;
use fastledger_wire::common::Block;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::private;

/// What became of one block.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct CommitResult(pub committer::CommitResult);

#[pymethods]
impl CommitResult {
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    #[getter]
    fn header_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.header_hash)
    }

    #[getter]
    fn data_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data_hash)
    }

    #[getter]
    fn commit_hash<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.commit_hash.map(|hash| PyBytes::new(py, &hash))
    }

    #[getter]
    fn codes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let codes: Vec<u8> = self.0.codes.iter().map(|code| *code as u8).collect();
        PyBytes::new(py, &codes)
    }

    #[getter]
    fn notes(&self) -> Vec<&str> {
        self.0.notes.iter().map(String::as_str).collect()
    }

    #[getter]
    fn private_effects(&self) -> Vec<private::Transaction<'_>> {
        private::tuples(&self.0.private_effects)
    }

    #[getter]
    fn stored_codes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        present(py, &self.0.stored_codes)
    }

    #[getter]
    fn stored_commit_hash<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        present(py, &self.0.stored_commit_hash)
    }

    #[getter]
    fn stage_ms<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.stages(py, |spent| spent.wall)
    }

    #[getter]
    fn stage_cpu_ms<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.stages(py, |spent| spent.cpu)
    }
}

impl CommitResult {
    /// Milliseconds by stage.
    fn stages<'py>(&self, py: Python<'py>, time: fn(Spent) -> Duration) -> PyResult<Bound<'py, PyDict>> {
        let stages = PyDict::new(py);
        for stage in Stage::ALL {
            stages.set_item(stage.name(), time(self.0.timings.get(stage)).as_secs_f64() * 1e3)?;
        }
        Ok(stages)
    }
}

fn present<'py>(py: Python<'py>, bytes: &[u8]) -> Option<Bound<'py, PyBytes>> {
    (!bytes.is_empty()).then(|| PyBytes::new(py, bytes))
}

/// Where a transaction stands.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct Location {
    pub block: u64,
    pub tx: u64,
    pub code: u8,
}

/// Encodes a decoded block as `common.Block`.
pub(crate) fn encode(decoded: &Block<'_>) -> Vec<u8> {
    let header = decoded.header.clone().unwrap_or_default();
    let data = decoded.data.as_ref().map_or([].as_slice(), |data| &data.data);
    let metadata = decoded.metadata.as_ref().map_or([].as_slice(), |metadata| &metadata.metadata);
    block::encode_block(&header, data, metadata)
}

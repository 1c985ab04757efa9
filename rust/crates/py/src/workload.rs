// SPDX-License-Identifier: Apache-2.0
//! Generated channels as Python sees them.

use std::sync::{Mutex, PoisonError};

use fastledger_workload as workload;
use fastledger_workload::{GeneratedBlock, Spec, WorkloadError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{door, error};

/// The blocks of a generated channel, in order.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Workload {
    spec: String,
    blocks: Mutex<workload::Workload>,
}

fn unusable(py: Python<'_>, failure: WorkloadError) -> PyErr {
    error::input(py, failure.to_string())
}

#[pymethods]
impl Workload {
    #[new]
    #[pyo3(signature = (spec, *, threads=0))]
    fn new(py: Python<'_>, spec: &str, threads: usize) -> PyResult<Self> {
        let make = || {
            let spec = Spec::from_json(spec)?;
            let blocks = workload::Workload::with_threads(&spec, threads)?;
            // Numbers, text and lists always serialize.
            Ok((serde_json::to_string(&spec).unwrap_or_default(), blocks))
        };
        let (spec, blocks) = door::work(py, make, unusable)?;
        Ok(Self { spec, blocks: Mutex::new(blocks) })
    }

    /// The whole specification as JSON, defaults included.
    #[getter]
    fn spec(&self) -> &str {
        &self.spec
    }

    /// Everybody who signs, and the orderer's TLS pair as the last one: name, MSP, certificate and its authority's, key.
    #[getter]
    fn identities<'py>(&self, py: Python<'py>) -> Vec<PyIdentity<'py>> {
        let identities = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).identities();
        let told = identities.into_iter();
        told.map(|one| (one.common_name, one.msp_id, one.certificate, one.ca, PyBytes::new(py, &one.key))).collect()
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    /// Number, encoded `common.Block`, predicted codes, and whether the block is measured rather than set-up.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<PyBlock<'py>>> {
        let next = || Ok(self.blocks.lock().unwrap_or_else(PoisonError::into_inner).next());
        let block: Option<GeneratedBlock> = door::work(py, next, unusable)?;
        Ok(block.map(|block| {
            let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
            (block.number, bytes(&block.bytes), bytes(&block.predicted), block.is_measured)
        }))
    }
}

type PyIdentity<'py> = (String, String, String, String, Bound<'py, PyBytes>);
type PyBlock<'py> = (u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, bool);

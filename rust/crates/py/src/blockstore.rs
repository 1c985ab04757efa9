// SPDX-License-Identifier: Apache-2.0
//! An orderer's block files from Python.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use fastledger_ledger as ledger;
use fastledger_wire::common::Block;
use fastledger_wire::{Message, block};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::delivered::{CoreBytes, Encoded};
use crate::result::encode;
use crate::{door, error};

/// Size beyond which a block file does not grow, in bytes; Fabric's.
const BLOCK_FILE_BYTES: u64 = 64 << 20;

/// One channel's block files, with nothing derived from them.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct BlockStore {
    path: PathBuf,
    store: RwLock<Option<Arc<ledger::BlockStore>>>,
    torn: Option<ledger::TornTail>,
}

impl BlockStore {
    fn store(&self, py: Python<'_>) -> PyResult<Arc<ledger::BlockStore>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner).clone();
        store.ok_or_else(|| error::input(py, format!("the block files in {} are closed", self.path.display())))
    }

    /// Reads an encoded `common.Block`.
    fn read(&self, py: Python<'_>, number: u64) -> PyResult<Vec<u8>> {
        let store = self.store(py)?;
        let read = || {
            let record = store.record(number)?;
            let block = block::decode_record(&record).map_err(not_a_record)?;
            Ok(encode(&block))
        };
        door::work(py, read, error::ledger)
    }
}

#[pymethods]
impl BlockStore {
    #[staticmethod]
    #[pyo3(signature = (path, *, known = false))]
    fn open(py: Python<'_>, path: PathBuf, known: bool) -> PyResult<Self> {
        let open = || ledger::BlockStore::open(&path, BLOCK_FILE_BYTES, known);
        let (store, torn) = door::work(py, open, error::ledger)?;
        Ok(Self { path, store: RwLock::new(Some(Arc::new(store))), torn })
    }

    fn close(&self, py: Python<'_>) {
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(store));
    }

    /// What opening cut off, if anything: file, offset, bytes.
    #[getter]
    fn torn(&self) -> Option<(String, u64, u64)> {
        self.torn.as_ref().map(|torn| (torn.path.display().to_string(), torn.offset, torn.bytes))
    }

    #[getter]
    fn height(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.store(py)?.height())
    }

    #[getter]
    fn last_header_hash<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.store(py)?.tip().map(|tip| PyBytes::new(py, &tip.header_hash)))
    }

    fn append(&self, py: Python<'_>, blocks: Vec<Encoded>) -> PyResult<()> {
        let store = self.store(py)?;
        let blocks: Vec<Bytes> = blocks.into_iter().map(Encoded::into_bytes).collect();
        let append = || {
            let records = blocks.iter().map(|block| record(block)).collect::<ledger::Result<Vec<_>>>()?;
            store.append(&records)
        };
        door::work(py, append, error::ledger)
    }

    fn block<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, number)?))
    }

    fn block_in_core(&self, py: Python<'_>, number: u64) -> PyResult<CoreBytes> {
        self.read(py, number).map(|block| CoreBytes(block.into()))
    }
}

/// The record of an encoded `common.Block`.
fn record(encoded: &[u8]) -> ledger::Result<Vec<u8>> {
    let decoded = Block::decode(encoded).map_err(not_a_record)?;
    let header = decoded.header.unwrap_or_default();
    let data = decoded.data.unwrap_or_default().data;
    Ok(block::encode_record(&header, &data, &decoded.metadata.unwrap_or_default().metadata))
}

fn not_a_record(reason: impl ToString) -> ledger::LedgerError {
    ledger::LedgerError::NotARecord { reason: reason.to_string() }
}

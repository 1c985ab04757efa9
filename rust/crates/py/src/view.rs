// SPDX-License-Identifier: Apache-2.0
//! A consistent view of the state as Python sees it: what one simulation reads.

use std::sync::{Arc, PoisonError, RwLock};

use fastledger_committer as committer;
use fastledger_ledger::View;
use fastledger_mvcc::{StateKey, StateReader};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::config::ChannelConfig;
use crate::definition::ChaincodeDefinition;
use crate::state::{Scope, StateIterator, VersionedValue};
use crate::{door, error};

/// The state after one block; commits go on beside it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct StateView {
    view: RwLock<Option<Arc<View>>>,
}

impl StateView {
    pub(crate) fn new(view: Arc<View>) -> Self {
        Self { view: RwLock::new(Some(view)) }
    }

    pub(crate) fn view(&self, py: Python<'_>) -> PyResult<Arc<View>> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner).clone();
        view.ok_or_else(|| error::input(py, "this view of the state is closed".to_owned()))
    }
}

#[pymethods]
impl StateView {
    fn close(&self, py: Python<'_>) {
        let view = self.view.write().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(view));
    }

    #[getter]
    fn height(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.view(py)?.height())
    }

    #[getter]
    fn definitions_height(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.view(py)?.definitions_height())
    }

    fn get(&self, py: Python<'_>, namespace: &str, key: &str) -> PyResult<Option<VersionedValue>> {
        self.get_hash(py, namespace, "", key.as_bytes())
    }

    fn get_hash(
        &self,
        py: Python<'_>,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> PyResult<Option<VersionedValue>> {
        let view = self.view(py)?;
        let key = StateKey { namespace, collection, key: key_hash };
        Ok(door::work(py, || view.get(key), error::ledger)?.map(Into::into))
    }

    /// What the state says of a chaincode, none where no lifecycle defines it.
    fn definition(&self, py: Python<'_>, name: &str) -> PyResult<Option<ChaincodeDefinition>> {
        let view = self.view(py)?;
        let found = door::work(py, || committer::definition(&view, name), error::ledger)?;
        let found = found.map_err(|unusable| error::input(py, unusable.0))?;
        Ok(found.and_then(|found| ChaincodeDefinition::new(py, found)))
    }

    /// Who must endorse what is written to a namespace, or to one of its collections.
    #[pyo3(signature = (config, namespace, collection=""))]
    fn endorsement_policy<'py>(
        &self,
        py: Python<'py>,
        config: &ChannelConfig,
        namespace: &str,
        collection: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let view = self.view(py)?;
        let find = || committer::endorsement_policy(&view, &config.0, namespace, collection);
        Ok(door::work(py, find, error::commit)?.map(|policy| PyBytes::new(py, &policy)))
    }

    fn range(&self, py: Python<'_>, namespace: String, start: &str, end: String) -> PyResult<StateIterator> {
        Ok(StateIterator::new(self.view(py)?, Scope::Namespace { namespace, end }, start))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What capabilities ask of peers and orderers, from Python.

use std::collections::BTreeSet;

use fastledger_identity as identity;
use fastledger_identity::IdentityError;
use pyo3::prelude::*;
use pyo3::types::PyFrozenSet;

use crate::error;

/// The text is Fabric's: an orderer's clients get to see it.
fn unsupported(py: Python<'_>, error: IdentityError) -> PyErr {
    match error {
        IdentityError::UnsupportedCapability { group, name } => {
            error::unsupported(py, format!("{group} capability {name} is required but not supported"))
        }
        other => error::identity(py, other),
    }
}

/// What the application capabilities of a channel ask of its peers.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ApplicationCapabilities {
    names: Vec<String>,
    has: identity::ApplicationCapabilities,
}

impl ApplicationCapabilities {
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self { has: identity::ApplicationCapabilities::new(&names), names }
    }
}

#[pymethods]
impl ApplicationCapabilities {
    #[new]
    fn new(names: BTreeSet<String>) -> Self {
        Self::of(names.into_iter().collect())
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, &self.names)
    }

    fn check_supported(&self, py: Python<'_>) -> PyResult<()> {
        identity::ApplicationCapabilities::check_known(&self.names).map_err(|error| unsupported(py, error))
    }

    #[getter]
    fn private_channel_data(&self) -> bool {
        self.has.private_channel_data
    }

    #[getter]
    fn lifecycle_v2_0(&self) -> bool {
        self.has.lifecycle_v2_0
    }

    #[getter]
    fn key_level_endorsement(&self) -> bool {
        self.has.key_level_endorsement
    }

    #[getter]
    fn store_pvt_data_of_invalid_tx(&self) -> bool {
        self.has.store_pvt_data_of_invalid_tx
    }

    #[getter]
    fn purge_pvt_data(&self) -> bool {
        self.has.purge_pvt_data
    }
}

/// What the orderer capabilities of a channel ask of its orderers.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct OrdererCapabilities {
    names: Vec<String>,
    has: identity::OrdererCapabilities,
}

impl OrdererCapabilities {
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self { has: identity::OrdererCapabilities::new(&names), names }
    }
}

#[pymethods]
impl OrdererCapabilities {
    #[new]
    fn new(names: BTreeSet<String>) -> Self {
        Self::of(names.into_iter().collect())
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, &self.names)
    }

    fn check_supported(&self, py: Python<'_>) -> PyResult<()> {
        identity::OrdererCapabilities::check_known(&self.names).map_err(|error| unsupported(py, error))
    }

    #[getter]
    fn expiration_check(&self) -> bool {
        self.has.expiration_check
    }

    #[getter]
    fn consensus_type_migration(&self) -> bool {
        self.has.consensus_type_migration
    }
}

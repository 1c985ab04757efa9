// SPDX-License-Identifier: Apache-2.0
//! Chaincode definitions as Python sees them.

use fastledger_committer::{Definition, LegacyDefinition, LifecycleDefinition};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What the state says of a chaincode, by either lifecycle.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct ChaincodeDefinition {
    lifecycle: &'static str,
    sequence: i64,
    version: String,
    init_required: bool,
    endorsement_plugin: String,
    validation_plugin: String,
    validation_parameter: Py<PyBytes>,
    collections: Py<PyBytes>,
    package_id: Py<PyBytes>,
}

impl ChaincodeDefinition {
    /// None of what no state defines.
    pub(crate) fn new(py: Python<'_>, definition: Definition) -> Option<Self> {
        match definition {
            Definition::Lifecycle(found) => Some(Self::of_lifecycle(py, found)),
            Definition::Legacy(found) => Some(Self::of_lscc(py, found)),
            Definition::LifecycleItself | Definition::SystemChaincode => None,
        }
    }

    fn of_lifecycle(py: Python<'_>, found: LifecycleDefinition) -> Self {
        Self {
            lifecycle: "_lifecycle",
            sequence: found.sequence,
            version: found.version,
            init_required: found.init_required,
            endorsement_plugin: found.endorsement_plugin,
            validation_plugin: found.validation_plugin,
            validation_parameter: PyBytes::new(py, &found.validation_parameter).unbind(),
            collections: PyBytes::new(py, &found.collections).unbind(),
            package_id: PyBytes::new(py, &[]).unbind(),
        }
    }

    fn of_lscc(py: Python<'_>, found: LegacyDefinition) -> Self {
        Self {
            lifecycle: "lscc",
            sequence: 0,
            version: found.version,
            init_required: false,
            endorsement_plugin: found.escc,
            validation_plugin: found.vscc,
            validation_parameter: PyBytes::new(py, &found.policy).unbind(),
            collections: PyBytes::new(py, &found.collections).unbind(),
            package_id: PyBytes::new(py, &found.id).unbind(),
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Certificates that belong to no MSP, from Python.

use std::sync::Arc;

use fastledger_identity::x509;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error;

/// One certificate.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Certificate(pub Arc<x509::Certificate>);

#[pymethods]
impl Certificate {
    #[new]
    fn new(py: Python<'_>, pem: &[u8]) -> PyResult<Self> {
        match x509::Certificate::from_pem(pem) {
            Ok(certificate) => Ok(Self(Arc::new(certificate))),
            Err(x509::NO_PEM) => Err(error::input(py, x509::NO_PEM.to_string())),
            Err(reason) => Err(error::refused(py, reason.to_string())),
        }
    }

    #[getter]
    fn serial<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.serial())
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public_key_der())
    }

    #[getter]
    fn not_before(&self) -> i64 {
        self.0.not_before()
    }

    #[getter]
    fn not_after(&self) -> i64 {
        self.0.not_after()
    }
}

/// When the certificate of a serialized identity ends, in seconds since 1970.
#[pyfunction]
pub(crate) fn expires_at(identity: &[u8]) -> Option<i64> {
    fastledger_identity::expires_at(identity)
}

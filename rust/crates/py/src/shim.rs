// SPDX-License-Identifier: Apache-2.0
//! A chaincode's peers, and the transactions that they ask for.

use std::collections::BTreeMap;

use fastledger_comm::{ClientTls, CommError, ServerTls};
use fastledger_shim::{Answer, Peers, Transaction};
use fastledger_wire::DecodeError;
use pyo3::exceptions::{PyConnectionError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::door;

/// The peers of a chaincode; several threads may use it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ShimPeers(Peers);

#[pymethods]
impl ShimPeers {
    #[staticmethod]
    #[pyo3(signature = (ccid, address, workers, *, roots=None, cert=None, key=None))]
    fn dial(
        py: Python<'_>,
        ccid: &str,
        address: &str,
        workers: usize,
        roots: Option<Vec<u8>>,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let tls = roots.map(|roots| ClientTls { roots, pair: cert.zip(key), ..ClientTls::default() });
        door::work(py, || Peers::dial(ccid, address, tls.as_ref(), workers), not_connected).map(Self)
    }

    #[staticmethod]
    #[pyo3(signature = (ccid, address, workers, *, cert=None, key=None, client_roots=None))]
    fn serve(
        py: Python<'_>,
        ccid: &str,
        address: &str,
        workers: usize,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        client_roots: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let tls = cert.zip(key).map(|(cert, key)| ServerTls {
            cert,
            key,
            require_client_cert: client_roots.is_some(),
            client_roots: client_roots.unwrap_or_default(),
            ..ServerTls::default()
        });
        door::work(py, || Peers::serve(ccid, address, tls, workers), not_connected).map(Self)
    }

    /// The TCP port.
    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    fn next(&self, py: Python<'_>) -> Option<ShimTransaction> {
        py.detach(|| self.0.next()).map(ShimTransaction)
    }

    fn has_idle(&self) -> bool {
        self.0.has_idle()
    }

    fn close(&self) {
        self.0.close();
    }

    fn over(&self) -> Option<String> {
        self.0.over()
    }
}

/// A transaction that a thread runs.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ShimTransaction(Transaction);

#[pymethods]
impl ShimTransaction {
    #[getter]
    fn tx_id(&self) -> &str {
        self.0.tx_id()
    }

    #[getter]
    fn channel_id(&self) -> &str {
        self.0.channel_id()
    }

    #[getter]
    fn is_init(&self) -> bool {
        self.0.is_init()
    }

    #[getter]
    fn caller<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.caller())
    }

    #[getter]
    fn signed_proposal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.signed_proposal().map(|signed| bytes(py, signed)).transpose()
    }

    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.params())
    }

    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let args = self.0.args().map_err(no_input)?;
        args.into_iter().map(|arg| bytes(py, arg)).collect()
    }

    #[getter]
    fn decorations<'py>(&self, py: Python<'py>) -> PyResult<BTreeMap<&str, Bound<'py, PyBytes>>> {
        let decorations = self.0.decorations().map_err(no_input)?;
        decorations.into_iter().map(|(name, value)| Ok((name, bytes(py, value)?))).collect()
    }

    #[getter]
    fn age_s(&self) -> f64 {
        self.0.age().as_secs_f64()
    }

    fn ask<'py>(
        &self,
        py: Python<'py>,
        kind: i32,
        payload: PyBackedBytes,
    ) -> PyResult<Option<(bool, Bound<'py, PyBytes>)>> {
        match py.detach(|| self.0.ask(kind, &payload)) {
            None => Ok(None),
            Some(Answer { is_error, payload }) => Ok(Some((is_error, bytes(py, &payload)?))),
        }
    }

    #[pyo3(signature = (response, event=None))]
    fn complete(&self, response: &[u8], event: Option<&[u8]>) {
        self.0.complete(response, event.unwrap_or_default());
    }

    fn fail(&self, why: &str) {
        self.0.fail(why);
    }

    fn done(&self) {
        self.0.done();
    }
}

/// A copy for Python; raises `MemoryError` where there is no room for it.
fn bytes<'py>(py: Python<'py>, copied: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, copied.len(), |new| {
        new.copy_from_slice(copied);
        Ok(())
    })
}

/// The shim knows nothing of the package's own errors.
fn not_connected(_: Python<'_>, error: CommError) -> PyErr {
    PyConnectionError::new_err(error.to_string())
}

fn no_input(error: DecodeError) -> PyErr {
    PyValueError::new_err(format!("the transaction's input cannot be decoded: {error}"))
}

// SPDX-License-Identifier: Apache-2.0
//! gRPC servers for an event loop in Python.

use std::time::Duration;

use bytes::Bytes;
use fastledger_comm::{ClientRoots, Happened, Limits, Server, ServerTls};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::{door, error};

/// A server that listens.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct GrpcServer(Server);

#[pymethods]
impl GrpcServer {
    #[staticmethod]
    #[pyo3(signature = (address, *, max_message_bytes, max_calls, keepalive_s, keepalive_timeout_s, cert=None, key=None, client_roots=None, require_client_cert=false, more_client_roots=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn start(
        py: Python<'_>,
        address: String,
        max_message_bytes: usize,
        max_calls: u32,
        keepalive_s: f64,
        keepalive_timeout_s: f64,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        client_roots: Option<Vec<u8>>,
        require_client_cert: bool,
        more_client_roots: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let limits = Limits {
            max_message_bytes,
            max_calls,
            keepalive: Duration::from_secs_f64(keepalive_s),
            keepalive_timeout: Duration::from_secs_f64(keepalive_timeout_s),
        };
        let tls = cert.zip(key).map(|(cert, key)| ServerTls {
            cert,
            key,
            client_roots: client_roots.unwrap_or_default(),
            require_client_cert,
            more_client_roots: more_client_roots.map(ask),
        });
        door::work(py, || Server::start(&address, tls, limits), error::comm).map(Self)
    }

    /// The TCP port.
    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    fn fileno(&self) -> i32 {
        self.0.descriptor()
    }

    /// (call, what happened, what comes with it) of everything that has happened.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for event in self.0.drain() {
            let (kind, with) = match event.happened {
                Happened::Begun { path, peer, certificates } => {
                    let certificates: Vec<_> = certificates.iter().map(|der| PyBytes::new(py, der)).collect();
                    (0, (path, &*peer, certificates).into_pyobject(py)?.into_any())
                }
                Happened::Message(message) => (1, PyBytes::new(py, &message).into_any()),
                Happened::HalfClosed => (2, py.None().into_bound(py)),
                Happened::Writable => (3, py.None().into_bound(py)),
                Happened::Ended => (4, py.None().into_bound(py)),
            };
            events.append((event.call, kind, with))?;
        }
        Ok(events)
    }

    fn send(&self, call: u64, message: PyBackedBytes) -> bool {
        self.0.send(call, Bytes::from_owner(message))
    }

    #[pyo3(signature = (call, code=0, message="", details=None))]
    fn finish(&self, call: u64, code: i32, message: &str, details: Option<&[u8]>) {
        self.0.finish(call, code, message, Bytes::copy_from_slice(details.unwrap_or_default()));
    }

    fn consumed(&self, call: u64, size: usize) {
        self.0.consumed(call, size);
    }

    fn close(&self) {
        self.0.close();
    }

    fn abort(&self) {
        self.0.abort();
    }
}

/// Asks Python for more authorities; what it raises counts as none.
fn ask(more: Py<PyAny>) -> ClientRoots {
    Box::new(move || {
        Python::attach(|py| more.call0(py).and_then(|roots| roots.extract::<Vec<u8>>(py))).unwrap_or_default()
    })
}

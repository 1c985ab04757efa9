// SPDX-License-Identifier: Apache-2.0
//! A chaincode's stream to its peer.

use fastledger_comm::{ClientStream, ClientTls};
use fastledger_wire::protobuf::{Reader, Value};
use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::door;

/// Largest message, as everywhere in Fabric.
const MAX_MESSAGE_BYTES: usize = 100 << 20;

/// `ChaincodeMessage.Type` of what answers a request.
const ANSWERS: [u64; 2] = [7, 13];

/// What Python needs to know of messages.
pub(crate) fn constants(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CHAINCODE_ANSWERS", ANSWERS.into_pyobject(module.py())?)
}

/// The stream of a chaincode that has dialled its peer; several threads may use it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ChaincodeStream(ClientStream);

#[pymethods]
impl ChaincodeStream {
    #[staticmethod]
    #[pyo3(signature = (address, roots=None, cert=None, key=None))]
    fn connect(
        py: Python<'_>,
        address: &str,
        roots: Option<Vec<u8>>,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let tls = roots.map(|roots| ClientTls { roots, pair: cert.zip(key), server_name: String::new() });
        let connect = || {
            ClientStream::connect(address, tls.as_ref(), "/protos.ChaincodeSupport/Register", MAX_MESSAGE_BYTES, route)
        };
        // The shim knows nothing of the package's own errors.
        door::work(py, connect, |_, error| PyConnectionError::new_err(error.to_string())).map(Self)
    }

    fn send(&self, message: &[u8]) {
        self.0.send(message);
    }

    fn next<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        py.detach(|| self.0.next()).map(|message| PyBytes::new(py, &message))
    }

    fn ask<'py>(
        &self,
        py: Python<'py>,
        channel_id: &str,
        tx_id: &str,
        message: PyBackedBytes,
    ) -> Option<Bound<'py, PyBytes>> {
        let key = key(channel_id.as_bytes(), tx_id.as_bytes());
        py.detach(|| self.0.ask(key, &message)).map(|answer| PyBytes::new(py, &answer))
    }

    fn close(&self) {
        self.0.close();
    }

    fn over(&self) -> Option<String> {
        self.0.over()
    }
}

/// What tells the conversations of a chaincode's transactions apart: each asks one thing at a time.
fn key(channel_id: &[u8], tx_id: &[u8]) -> Vec<u8> {
    [channel_id, &[0], tx_id].concat()
}

/// The key of a `ChaincodeMessage` that answers a request.
fn route(message: &[u8]) -> Option<Vec<u8>> {
    let (mut kind, mut tx_id, mut channel_id) = (0, [].as_slice(), [].as_slice());
    let mut reader = Reader::new(message);
    while let Ok(Some((number, value))) = reader.field() {
        match (number, value) {
            (1, Value::Varint(value)) => kind = value,
            (4, Value::Bytes(value)) => tx_id = value,
            (7, Value::Bytes(value)) => channel_id = value,
            _ => {}
        }
    }
    ANSWERS.contains(&kind).then(|| key(channel_id, tx_id))
}

// SPDX-License-Identifier: Apache-2.0
//! What orderers of a channel send each other, opened and made without a copy more than Python needs.

use bytes::Bytes;
use fastledger_wire::Message;
use fastledger_wire::cluster::{StepRequest, SubmitRequest};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::delivered::{CoreBytes, Encoded, StepMessage};

/// Channel, whether it is a client's message, the sequence at which that was checked, payload and metadata of a request.
type Opened<'py> = (String, bool, u64, Bound<'py, PyAny>, Bound<'py, PyBytes>);

/// Takes `orderer.StepRequest`s apart; none where anything about one is out of the ordinary.
///
/// A message of Raft stays where it is, since it holds a block. As long as the encoding is as short as can be, no field is there
/// twice, so that other decoders read the same.
#[pyfunction]
pub(crate) fn open_step_requests(py: Python<'_>, encoded: Vec<Encoded>) -> PyResult<Vec<Option<Opened<'_>>>> {
    encoded.into_iter().map(|encoded| open(py, &encoded.into_bytes())).collect()
}

fn open<'py>(py: Python<'py>, encoded: &Bytes) -> PyResult<Option<Opened<'py>>> {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    match StepRequest::decode(encoded) {
        Ok(StepRequest { consensus: Some(request), submit: None }) if request.step_len() == encoded.len() => {
            let payload = CoreBytes(encoded.slice_ref(request.payload)).into_bound_py_any(py)?;
            Ok(Some((request.channel.to_owned(), false, 0, payload, bytes(request.metadata))))
        }
        Ok(StepRequest { consensus: None, submit: Some(request) }) if request.step_len() == encoded.len() => {
            let envelope = bytes(request.payload).into_any();
            Ok(Some((request.channel.to_owned(), true, request.last_validation_seq, envelope, bytes(&[]))))
        }
        _ => Ok(None),
    }
}

/// An encoded `orderer.StepRequest` that hands a client's message on.
#[pyfunction]
pub(crate) fn submit_request(channel: &str, last_validation_seq: u64, envelope: PyBackedBytes) -> StepMessage {
    let before = SubmitRequest { channel, last_validation_seq, payload: &envelope }.before_payload();
    StepMessage(vec![before.into(), Bytes::from_owner(envelope)])
}

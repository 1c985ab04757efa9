// SPDX-License-Identifier: Apache-2.0
//! What orderers of a channel send each other, opened and made without a copy more than Python needs.

use fastledger_wire::Message;
use fastledger_wire::cluster::{StepRequest, SubmitRequest};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Channel, whether it is a client's message, the sequence at which that was checked, payload and metadata of a request.
type Opened<'py> = (String, bool, u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Takes an `orderer.StepRequest` apart that is encoded as Fabric encodes it; none where anything about it is out of the ordinary.
#[pyfunction]
pub(crate) fn open_step_request<'py>(py: Python<'py>, encoded: &[u8]) -> Option<Opened<'py>> {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    match StepRequest::decode(encoded).ok()? {
        StepRequest { consensus: Some(request), submit: None } if request.encode_step() == encoded => {
            Some((request.channel.to_owned(), false, 0, bytes(request.payload), bytes(request.metadata)))
        }
        StepRequest { consensus: None, submit: Some(request) } if request.encode_step() == encoded => {
            let sequence = request.last_validation_seq;
            Some((request.channel.to_owned(), true, sequence, bytes(request.payload), bytes(&[])))
        }
        _ => None,
    }
}

/// An encoded `orderer.StepRequest` that hands a client's message on.
#[pyfunction]
pub(crate) fn submit_request<'py>(
    py: Python<'py>,
    channel: &str,
    last_validation_seq: u64,
    envelope: &[u8],
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &SubmitRequest { channel, last_validation_seq, payload: envelope }.encode_step())
}

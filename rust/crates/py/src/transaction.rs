// SPDX-License-Identifier: Apache-2.0
//! Proposals and transactions of clients, put together.

use std::collections::BTreeMap;

use fastledger_wire::DecodeError;
use fastledger_wire::proposal::{self, Proposed};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error;

/// Encoded `common.Header` and `protos.ChaincodeProposalPayload` of a proposal.
#[pyfunction]
#[expect(clippy::too_many_arguments, clippy::needless_pass_by_value, reason = "they are a proposal's parts in Python")]
pub(crate) fn proposal_parts<'py>(
    py: Python<'py>,
    header_type: i32,
    channel_id: &str,
    tx_id: &str,
    invocation: &[u8],
    creator: &[u8],
    nonce: &[u8],
    time_ns: u64,
    transient: BTreeMap<String, PyBackedBytes>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    const SECOND_NS: u64 = 1_000_000_000;
    let time = (time_ns / SECOND_NS, (time_ns % SECOND_NS) as u32);
    let proposed = Proposed { header_type, channel_id, tx_id, invocation, creator, nonce, time };
    let header = proposed.header().map_err(|failure| undecoded(py, "ChaincodeInvocationSpec", failure))?;
    let payload = proposed.payload(transient.iter().map(|(name, value)| (name.as_str(), &**value)));
    Ok((PyBytes::new(py, &header), PyBytes::new(py, &payload)))
}

/// Encoded `common.Payload` of the transaction that a proposal and its endorsements make.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 hands it over")]
pub(crate) fn transaction_payload<'py>(
    py: Python<'py>,
    header: &[u8],
    signature_header: &[u8],
    payload: &[u8],
    response_payload: &[u8],
    endorsements: Vec<(PyBackedBytes, PyBackedBytes)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let endorsements: Vec<_> = endorsements.iter().map(|(endorser, signature)| (&**endorser, &**signature)).collect();
    let made = proposal::transaction(header, signature_header, payload, response_payload, &endorsements);
    let made = made.map_err(|failure| undecoded(py, "ChaincodeProposalPayload", failure))?;
    Ok(PyBytes::new(py, &made))
}

fn undecoded(py: Python<'_>, kind: &str, failure: DecodeError) -> PyErr {
    error::input(py, format!("error unmarshalling {kind}: {failure}"))
}

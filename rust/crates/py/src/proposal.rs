// SPDX-License-Identifier: Apache-2.0
//! Proposals and their answers from Python.

use std::sync::Arc;

use bytes::Bytes;
use fastledger_comm::{Make, Status};
use fastledger_defect::catch;
use fastledger_endorser::{self as endorser, Endorsement, Outcome};
use fastledger_identity::{IdentityError, SigningKey};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use self_cell::self_cell;

use crate::{door, error};

type Parts<'a> = endorser::Proposal<'a>;

self_cell!(
    struct Unpacked {
        owner: PyBackedBytes,
        #[covariant]
        dependent: Parts,
    }
);

/// A signed proposal with all the parts that an endorser needs.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Proposal {
    unpacked: Unpacked,
    #[pyo3(get)]
    channel_id: Py<PyString>,
    #[pyo3(get)]
    tx_id: Py<PyString>,
    #[pyo3(get)]
    creator: Py<PyBytes>,
    #[pyo3(get)]
    chaincode: Py<PyString>,
}

impl Proposal {
    pub(crate) fn parts(&self) -> &Parts<'_> {
        self.unpacked.borrow_dependent()
    }
}

#[pymethods]
impl Proposal {
    /// Takes an encoded `protos.SignedProposal` apart; None where a part is missing or is no such message.
    #[staticmethod]
    fn unpack(py: Python<'_>, encoded: PyBackedBytes) -> PyResult<Option<Self>> {
        let unpack = || Ok::<_, String>(Unpacked::try_new(encoded, |encoded| Parts::unpack(encoded).ok_or(())).ok());
        let Some(unpacked) = door::work(py, unpack, error::input)? else { return Ok(None) };
        let parts = unpacked.borrow_dependent();
        let (channel_id, tx_id) = (parts.channel.channel_id, parts.channel.tx_id);
        Ok(Some(Self {
            channel_id: PyString::new(py, channel_id).unbind(),
            tx_id: PyString::new(py, tx_id).unbind(),
            creator: PyBytes::new(py, parts.signature.creator).unbind(),
            chaincode: PyString::new(py, parts.chaincode).unbind(),
            unpacked,
        }))
    }

    /// SHA-256 of the headers, and of the payload without its transient part.
    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let hash = door::work(py, || Ok::<_, String>(self.parts().hash()), error::input)?;
        Ok(PyBytes::new(py, &hash))
    }

    /// The encoded `protos.ChaincodeInvocationSpec`.
    #[getter]
    fn invocation<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.parts().invocation)
    }
}

/// What an endorser signs (`protoutil.GetBytesProposalResponsePayload`), of encoded parts.
#[pyfunction]
pub(crate) fn response_payload<'py>(
    py: Python<'py>,
    proposal_hash: &[u8],
    response: &[u8],
    results: &[u8],
    event: &[u8],
    chaincode: &str,
    version: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let outcome = Outcome { response, results, event, chaincode, version };
    let compose = || Ok::<_, String>(endorser::response_payload(proposal_hash, &outcome));
    Ok(PyBytes::new(py, &door::work(py, compose, error::input)?))
}

/// An encoded `protos.ProposalResponse` of encoded parts, without an endorsement.
#[pyfunction]
#[pyo3(signature = (response, payload, interest=None))]
pub(crate) fn proposal_response<'py>(
    py: Python<'py>,
    response: &[u8],
    payload: &[u8],
    interest: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let compose = || Ok::<_, String>(endorser::proposal_response(response, payload, None, interest));
    Ok(PyBytes::new(py, &door::work(py, compose, error::input)?))
}

/// The parts of an answer that is to be endorsed.
struct Unsigned {
    key: Arc<SigningKey>,
    endorser: PyBackedBytes,
    response: PyBackedBytes,
    payload: PyBackedBytes,
    interest: Option<PyBackedBytes>,
}

impl Unsigned {
    /// Signs the payload together with the endorser's identity, and composes the answer.
    fn sign(&self) -> Result<Vec<u8>, IdentityError> {
        let signature = self.key.sign(&[&*self.payload, &*self.endorser].concat())?;
        let endorsement = Endorsement { endorser: &self.endorser, signature: &signature };
        Ok(endorser::proposal_response(&self.response, &self.payload, Some(endorsement), self.interest.as_deref()))
    }

    fn bytes(&self) -> usize {
        self.response.len() + self.payload.len() + self.endorser.len()
    }
}

/// A `protos.ProposalResponse` that is signed where it is sent.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct EndorsedResponse(Arc<Unsigned>);

#[pymethods]
impl EndorsedResponse {
    #[new]
    #[pyo3(signature = (key, endorser, response, payload, interest=None))]
    fn new(
        key: &crate::identity::SigningKey,
        endorser: PyBackedBytes,
        response: PyBackedBytes,
        payload: PyBackedBytes,
        interest: Option<PyBackedBytes>,
    ) -> Self {
        Self(Arc::new(Unsigned { key: Arc::clone(&key.0), endorser, response, payload, interest }))
    }

    /// Signs here and now.
    fn encoded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &door::work(py, || self.0.sign(), error::identity)?))
    }
}

impl EndorsedResponse {
    /// What makes the message, and about how many bytes it holds until then.
    pub(crate) fn make(&self) -> (Make, usize) {
        let unsigned = Arc::clone(&self.0);
        let bytes = unsigned.bytes();
        let make = move || {
            let signed = catch(|| unsigned.sign()).map_err(|defect| defect.text);
            signed.and_then(|signed| signed.map_err(|reason| reason.to_string())).map(Bytes::from).map_err(|reason| {
                log::error!(target: "core.endorser", "an answer is not signed: {reason}");
                Status::unknown("internal error, see the log of this node")
            })
        };
        (Box::new(make), bytes)
    }
}

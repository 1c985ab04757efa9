// SPDX-License-Identifier: Apache-2.0
//! Proposals and their answers from Python.

use fastledger_endorser::{self as endorser, Endorsement, Outcome};
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

/// An encoded `protos.ProposalResponse` of encoded parts; a signature is the endorser's.
#[pyfunction]
#[pyo3(signature = (response, payload, *, endorser=None, signature=None, interest=None))]
pub(crate) fn proposal_response<'py>(
    py: Python<'py>,
    response: &[u8],
    payload: &[u8],
    endorser: Option<&[u8]>,
    signature: Option<&[u8]>,
    interest: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let endorsement = endorser.zip(signature).map(|(endorser, signature)| Endorsement { endorser, signature });
    let compose = || Ok::<_, String>(endorser::proposal_response(response, payload, endorsement, interest));
    Ok(PyBytes::new(py, &door::work(py, compose, error::input)?))
}

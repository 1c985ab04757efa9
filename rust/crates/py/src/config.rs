// SPDX-License-Identifier: Apache-2.0
//! Channel configurations from Python.

use std::sync::Arc;

use fastledger_endorser::{Rules, admitted};
use fastledger_identity as identity;
use fastledger_identity::x509;
use fastledger_identity::{IdentityError, Policy, Signers, block_signature};
use fastledger_wire::Message;
use fastledger_wire::common::{Block, metadata_slot};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyFrozenSet, PyMappingProxy, PyTuple};

use crate::certificate::Certificate;
use crate::identity::{Identity, SignedData, satisfies, signers, valid_signers, verifier};
use crate::proposal::Proposal;
use crate::sections::{Application, Orderer, consortiums};
use crate::{door, envelope, error};

/// One configuration of a channel: it never changes, an update makes the next one.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ChannelConfig(pub identity::ChannelConfig);

#[pymethods]
impl ChannelConfig {
    #[staticmethod]
    fn from_block(py: Python<'_>, block: &[u8]) -> PyResult<Self> {
        door::deep_work(py, block.len(), || identity::ChannelConfig::from_block(block), error::identity).map(Self)
    }

    #[staticmethod]
    fn from_config(py: Python<'_>, channel_id: &str, config: &[u8]) -> PyResult<Self> {
        door::deep_work(py, config.len(), || identity::ChannelConfig::from_config(channel_id, config), error::identity)
            .map(Self)
    }

    #[getter]
    fn channel_id(&self) -> &str {
        self.0.channel_id()
    }

    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let encoded = door::deep_work(py, door::ANY_LENGTH, || self.0.encoded(), error::identity)?;
        Ok(PyBytes::new(py, &encoded))
    }

    /// Names of the channel capabilities.
    #[getter]
    fn capabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, self.0.capability_names())
    }

    #[getter]
    fn application(&self, py: Python<'_>) -> PyResult<Option<Application>> {
        self.0.application().map(|read| Application::new(py, read)).transpose()
    }

    #[getter]
    fn orderer(&self, py: Python<'_>) -> PyResult<Option<Orderer>> {
        self.0.orderer().map(|read| Orderer::new(py, read)).transpose()
    }

    #[getter]
    fn consortiums(&self, py: Python<'_>) -> PyResult<Option<Py<PyMappingProxy>>> {
        self.0.consortiums().map(|read| consortiums(py, read)).transpose()
    }

    #[getter]
    fn orderer_addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.orderer_addresses())
    }

    #[getter]
    fn msp_ids(&self) -> Vec<&str> {
        self.0.msps().names().collect()
    }

    /// Root and intermediate certificates of an MSP's TLS.
    fn tls_cas<'py>(&self, py: Python<'py>, mspid: &str) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let unknown = || error::not_found(py, format!("channel {} has no MSP {mspid}", self.0.channel_id()));
        let msp = self.0.msps().msp(mspid).ok_or_else(unknown)?;
        let cas = msp.tls_roots().iter().chain(msp.tls_intermediates());
        Ok(cas.map(|ca| PyBytes::new(py, ca.to_pem().as_bytes())).collect())
    }

    /// Holds a TLS certificate against the TLS CAs of the organizations that run orderers.
    #[pyo3(signature = (certificate, now, *, ignore_expiration=false))]
    fn verify_orderer_tls(
        &self,
        py: Python<'_>,
        certificate: &Certificate,
        now: i64,
        ignore_expiration: bool,
    ) -> PyResult<()> {
        let organizations = self.0.orderer().into_iter().flat_map(|orderer| orderer.organizations.values());
        let msps: Vec<_> = organizations.filter_map(|one| self.0.msps().msp(&one.mspid)).collect();
        let roots = msps.iter().flat_map(|msp| msp.tls_roots()).cloned();
        let intermediates = msps.iter().flat_map(|msp| msp.tls_intermediates()).cloned();
        let verify = || match x509::verify_tls(&certificate.0, roots, intermediates, now) {
            Err(x509::TlsError::Validity) if ignore_expiration => Ok(()),
            verdict => verdict,
        };
        door::work(py, verify, |py, reason| error::refused(py, reason.to_string()))
    }

    fn identity(&self, py: Python<'_>, serialized: &[u8]) -> PyResult<Identity> {
        door::work(py, || self.0.msps().identity(serialized), error::identity).map(Identity)
    }

    /// Whether an identity satisfies an encoded `common.MSPPrincipal`.
    fn satisfies(&self, py: Python<'_>, serialized: &[u8], principal: &[u8]) -> PyResult<bool> {
        door::work(py, || satisfies(self.0.msps(), serialized, principal), error::identity)
    }

    fn has_policy(&self, path: &str) -> bool {
        self.0.policy(path).is_some()
    }

    fn evaluate(&self, py: Python<'_>, path: &str, signed: Vec<SignedData>) -> PyResult<()> {
        self.judge(py, self.policy(py, path)?, &signed)
    }

    /// `evaluate` of many questions at once: what Fabric says of each that is not satisfied.
    fn evaluate_many(
        &self,
        py: Python<'_>,
        path: &str,
        questions: Vec<Vec<SignedData>>,
    ) -> PyResult<Vec<Option<String>>> {
        let policy = self.policy(py, path)?;
        let judge = || {
            let lengths: Vec<_> = questions.iter().map(Vec::len).collect();
            let signed: Vec<_> = questions.into_iter().flatten().collect();
            let mut rest = valid_signers(self.0.msps(), &signed).into_iter();
            let answers = lengths.into_iter().map(|length| {
                let signers: Signers = rest.by_ref().take(length).flatten().collect();
                let is_satisfied = policy.is_satisfied_by(signers.as_slice());
                (!is_satisfied).then(|| policy.refusal(signers.as_slice()))
            });
            Ok(answers.collect())
        };
        door::work(py, judge, error::identity)
    }

    fn evaluate_signature_policy(&self, py: Python<'_>, envelope: &[u8], signed: Vec<SignedData>) -> PyResult<()> {
        let policy = door::deep_work(py, envelope.len(), || self.0.key_policy(envelope), error::identity)?;
        self.judge(py, &policy, &signed)
    }

    fn evaluate_application_policy(&self, py: Python<'_>, policy: &[u8], signed: Vec<SignedData>) -> PyResult<()> {
        let policy = door::deep_work(py, policy.len(), || self.0.application_policy(policy), error::identity)?;
        self.judge(py, &policy, &signed)
    }

    /// Which proposals keep all rules, in one batch of signatures.
    #[pyo3(signature = (proposals, policy, now, *, unexpired, window_s))]
    fn admitted(
        &self,
        py: Python<'_>,
        proposals: Vec<Py<Proposal>>,
        policy: Option<&str>,
        now: f64,
        unexpired: bool,
        window_s: Option<f64>,
    ) -> PyResult<Vec<bool>> {
        let known = policy.map(|path| self.0.policy(path));
        if known.is_some_and(|known| known.is_none()) {
            // Nobody satisfies a policy that there is not.
            return Ok(vec![false; proposals.len()]);
        }
        let policy = known.flatten().map(|policy| &**policy);
        let rules = Rules { now, unexpired, window: window_s, policy };
        let parts: Vec<_> = proposals.iter().map(|proposal| proposal.get().parts()).collect();
        let judge = || Ok::<_, IdentityError>(admitted(&parts, &self.0, verifier(), &rules));
        door::work(py, judge, error::identity)
    }

    /// Which envelopes may be ordered, in one batch of signatures.
    #[pyo3(signature = (envelopes, policy, max_bytes, now))]
    fn admitted_envelopes(
        &self,
        py: Python<'_>,
        envelopes: Vec<PyBackedBytes>,
        policy: &str,
        max_bytes: usize,
        now: Option<f64>,
    ) -> PyResult<Vec<bool>> {
        let rules = envelope::Rules { max_bytes, now, policy: self.policy(py, policy)? };
        let judge = || Ok::<_, IdentityError>(envelope::admitted(&envelopes, &self.0, &rules));
        door::work(py, judge, error::identity)
    }

    /// Holds the orderers' signatures in a block's metadata against the policy for them.
    fn verify_block(&self, py: Python<'_>, block: &[u8]) -> PyResult<()> {
        let verify = || {
            let undecodable = |reason| IdentityError::ConfigUndecodable { what: "Block".to_owned(), reason };
            let block = Block::decode(block).map_err(undecodable)?;
            let header = block.header.unwrap_or_default();
            let metadata = block.metadata.unwrap_or_default().metadata;
            let signatures = metadata.get(metadata_slot::SIGNATURES).copied().unwrap_or_default();
            block_signature::verify(&header, signatures, &self.0, verifier())
        };
        door::deep_work(py, block.len(), verify, error::identity)
    }

    fn apply(&self, py: Python<'_>, config_envelope: &[u8]) -> PyResult<Self> {
        door::deep_work(py, door::ANY_LENGTH, || self.0.apply(config_envelope), error::identity).map(Self)
    }

    fn channel_template(&self, py: Python<'_>, request: &[u8]) -> PyResult<Self> {
        door::deep_work(py, door::ANY_LENGTH, || self.0.channel_template(request), error::identity).map(Self)
    }

    fn propose_update<'py>(&self, py: Python<'py>, update: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let envelope = door::deep_work(py, door::ANY_LENGTH, || self.0.propose_update(update), error::identity)?;
        Ok(PyBytes::new(py, &envelope))
    }
}

impl ChannelConfig {
    fn policy(&self, py: Python<'_>, path: &str) -> PyResult<&Arc<Policy>> {
        let unknown = || error::identity(py, IdentityError::UnknownPolicy(path.to_owned()));
        self.0.policy(path).ok_or_else(unknown)
    }

    fn judge(&self, py: Python<'_>, policy: &Arc<Policy>, signed: &[SignedData]) -> PyResult<()> {
        let judge = || {
            let signers = signers(self.0.msps(), signed);
            policy.evaluate(signers.as_slice()).map_err(|details| (policy.refusal(signers.as_slice()), details))
        };
        door::work(py, judge, |py, (reason, details)| error::policy(py, &reason, &details.to_string()))
    }
}

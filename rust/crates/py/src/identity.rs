// SPDX-License-Identifier: Apache-2.0
//! Identities and MSPs from Python.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity as identity;
use fastledger_identity::policy::{SignaturePolicy, Signers};
use fastledger_identity::{IdentityError, MspManager, MspVersion, Policy, Signed};
use fastledger_wire::Message;
use fastledger_wire::msp::{MspConfig, MspPrincipal, role};
use fastledger_wire::policies::{SignaturePolicy as Rule, SignaturePolicyEnvelope};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::{door, error};

/// `MSPConfig.type` of X.509 MSPs.
const FABRIC: i32 = 0;

/// Bytes of tables for the keys that sign most: 256 of them, more than the nodes and clients of most networks.
const TABLE_BYTES: usize = 64 << 20;

/// The verifier of everything that is not in a block; its tables serve all channels.
pub(crate) fn verifier() -> &'static Verifier {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    VERIFIER.get_or_init(|| Verifier::new(VerifierOptions { table_bytes: TABLE_BYTES, ..VerifierOptions::default() }))
}

/// Message, serialized identity and signature (`protoutil.SignedData`).
pub(crate) type SignedData = (PyBackedBytes, PyBackedBytes, PyBackedBytes);

/// Those whose signatures hold, each once, in the order of the signatures; the rest is passed over.
pub(crate) fn signers(msps: &MspManager, signed: &[SignedData]) -> Signers {
    valid_signers(msps, signed).into_iter().flatten().collect()
}

/// The signer of each signature that holds; all signatures are verified in one batch.
pub(crate) fn valid_signers(msps: &MspManager, signed: &[SignedData]) -> Vec<Option<Arc<identity::Identity>>> {
    let signed: Vec<_> =
        signed.iter().map(|(message, identity, signature)| Signed { message, identity, signature }).collect();
    identity::valid_signers(msps, verifier(), &signed)
}

/// An identity that an MSP could read, with the MSP's verdict on it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Identity(pub Arc<identity::Identity>);

#[pymethods]
impl Identity {
    #[getter]
    fn mspid(&self) -> &str {
        self.0.mspid()
    }

    #[getter]
    fn subject(&self) -> String {
        self.0.certificate().subject().to_string()
    }

    #[getter]
    fn common_name(&self) -> &str {
        &self.0.certificate().subject().common_name
    }

    #[getter]
    fn organizational_units(&self) -> Vec<String> {
        self.0.certificate().subject().organizational_units.clone()
    }

    #[getter]
    fn certificate<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.certificate().to_pem().as_bytes())
    }

    #[getter]
    fn identifier<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.identifier())
    }

    #[getter]
    fn not_before(&self) -> i64 {
        self.0.certificate().not_before()
    }

    #[getter]
    fn not_after(&self) -> i64 {
        self.0.certificate().not_after()
    }

    #[getter]
    fn roles(&self) -> BTreeSet<&'static str> {
        const NAMED: [(i32, &str); 5] = [
            (role::MEMBER, "member"),
            (role::ADMIN, "admin"),
            (role::CLIENT, "client"),
            (role::PEER, "peer"),
            (role::ORDERER, "orderer"),
        ];
        NAMED.into_iter().filter(|(role, _)| self.0.roles().contains(*role)).map(|(_, name)| name).collect()
    }

    #[getter]
    fn is_admin(&self) -> bool {
        self.0.roles().contains(role::ADMIN)
    }

    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        self.0.validity().map_err(|reason| error::identity(py, reason.clone()))
    }

    fn verify(&self, py: Python<'_>, message: &[u8], signature: &[u8]) -> PyResult<()> {
        door::work(py, || self.0.verify_by(verifier(), &[message], signature), error::identity)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// A private key on P-256 that signs as Fabric does.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct SigningKey(pub Arc<identity::SigningKey>);

#[pymethods]
impl SigningKey {
    /// Reads a key in PKCS#8.
    #[staticmethod]
    fn from_pkcs8(py: Python<'_>, der: &[u8]) -> PyResult<Self> {
        door::work(py, || identity::SigningKey::from_pkcs8(der), error::identity).map(Arc::new).map(Self)
    }

    fn sign<'py>(&self, py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &door::work(py, || self.0.sign(message), error::identity)?))
    }
}

/// One MSP by itself, as a node's own one.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Msp {
    name: String,
    msps: MspManager,
}

#[pymethods]
impl Msp {
    #[new]
    #[pyo3(signature = (config, *, version="V3_0"))]
    fn new(py: Python<'_>, config: &[u8], version: &str) -> PyResult<Self> {
        let version = match version {
            "V1_0" => MspVersion::V1_0,
            "V1_1" => MspVersion::V1_1,
            "V1_3" => MspVersion::V1_3,
            "V1_4_3" => MspVersion::V1_4_3,
            "V3_0" => MspVersion::V3_0,
            other => {
                let text = format!("MSP version {other:?} is not one of V1_0, V1_1, V1_3, V1_4_3, V3_0");
                return Err(error::input(py, text));
            }
        };
        let config =
            MspConfig::decode(config).map_err(|reason| error::input(py, format!("not an MSPConfig: {reason}")))?;
        if config.r#type != FABRIC {
            let text = format!("MSP type {} is not supported: only X.509 MSPs (type 0) are", config.r#type);
            return Err(error::unsupported(py, text));
        }
        let msp = door::work(py, || identity::Msp::new(config.config, version), error::identity)?;
        Ok(Self { name: msp.name().to_owned(), msps: MspManager::from_msps(version, [msp]) })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn tls_roots<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        certificates(py, self.msps.msp(&self.name).map(identity::Msp::tls_roots))
    }

    #[getter]
    fn tls_intermediates<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        certificates(py, self.msps.msp(&self.name).map(identity::Msp::tls_intermediates))
    }

    fn identity(&self, py: Python<'_>, serialized: &[u8]) -> PyResult<Identity> {
        door::work(py, || self.msps.identity(serialized), error::identity).map(Identity)
    }

    /// Whether an identity satisfies an encoded `common.MSPPrincipal`.
    fn satisfies(&self, py: Python<'_>, serialized: &[u8], principal: &[u8]) -> PyResult<bool> {
        let judge = || satisfies(&self.msps, serialized, principal);
        door::work(py, judge, error::identity)
    }

    fn is_well_formed(&self, serialized: &[u8]) -> bool {
        self.msps.is_well_formed(serialized)
    }
}

fn certificates<'py>(
    py: Python<'py>,
    certificates: Option<&[Arc<identity::x509::Certificate>]>,
) -> Vec<Bound<'py, PyBytes>> {
    let pems = certificates.unwrap_or_default().iter().map(|certificate| certificate.to_pem());
    pems.map(|pem| PyBytes::new(py, pem.as_bytes())).collect()
}

/// A principal is asked as the only one of a policy that one signature satisfies.
pub(crate) fn satisfies(msps: &MspManager, serialized: &[u8], principal: &[u8]) -> Result<bool, IdentityError> {
    let principal = MspPrincipal::decode(principal)
        .map_err(|reason| IdentityError::Policy(format!("not an MSPPrincipal: {reason}")))?;
    let envelope = SignaturePolicyEnvelope { version: 0, rule: Some(Rule::SignedBy(0)), identities: vec![principal] };
    let policy = Policy::Signature(SignaturePolicy::compile(&envelope, msps)?);
    Ok(policy.is_satisfied_by(&[msps.identity(serialized)?]))
}

// SPDX-License-Identifier: Apache-2.0
//! An X.509 MSP at work: reading identities and computing chains.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, Context, SHA3_256, SHA3_384, SHA256, SHA384};

use super::MspVersion;
use super::node_ous::NodeOus;
use crate::error::{IdentityError, Result};
use crate::identity::{Identity, Roles};
use crate::key::{SignatureHash, VerifyingKey};
use crate::x509::{CertPool, Certificate, CertificateError, Chain, Crl, is_legacy_hostname, sanitized, verify};

/// A certificate in low S, and its chain if that is known.
type Sanitized = (Arc<Certificate>, Option<Chain>);

/// One organization's MSP.
#[derive(Debug)]
pub struct Msp {
    pub(super) name: Arc<str>,
    pub(super) version: MspVersion,
    pub(super) signature_hash: SignatureHash,
    pub(super) identifier_hash: &'static Algorithm,
    pub(super) roots: Vec<Arc<Certificate>>,
    pub(super) intermediates: Vec<Arc<Certificate>>,
    pub(super) root_pool: CertPool,
    pub(super) intermediate_pool: CertPool,
    /// Certificates above an intermediate: they sign CAs, so they must not sign identities.
    pub(super) internal_nodes: Vec<Arc<Certificate>>,
    pub(super) admins: Vec<Arc<Certificate>>,
    pub(super) revocation_lists: Vec<Crl>,
    /// The units that an identity must share one of, each with the chains that may certify it.
    pub(super) ou_identifiers: BTreeMap<String, Vec<Box<[u8]>>>,
    pub(super) node_ous: Option<NodeOus>,
    pub(super) tls_roots: Vec<Arc<Certificate>>,
    pub(super) tls_intermediates: Vec<Arc<Certificate>>,
}

impl Msp {
    /// The MSP's name, the `mspid` of its identities.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The root certificates.
    #[must_use]
    pub fn roots(&self) -> &[Arc<Certificate>] {
        &self.roots
    }

    /// The intermediate certificates.
    #[must_use]
    pub fn intermediates(&self) -> &[Arc<Certificate>] {
        &self.intermediates
    }

    /// The root certificates of the organization's TLS.
    #[must_use]
    pub fn tls_roots(&self) -> &[Arc<Certificate>] {
        &self.tls_roots
    }

    /// The intermediate certificates of the organization's TLS.
    #[must_use]
    pub fn tls_intermediates(&self) -> &[Arc<Certificate>] {
        &self.tls_intermediates
    }

    /// Whether roles are told apart by organizational units.
    #[must_use]
    pub fn has_node_ous(&self) -> bool {
        self.node_ous.is_some()
    }

    /// Reads an identity's certificate and judges it (`deserializeIdentityInternal`, then `Validate`).
    pub fn identity(&self, pem: &[u8]) -> Result<Identity> {
        let certificate = Certificate::from_pem(pem).map_err(|reason| self.refused(None, reason))?;
        let key = VerifyingKey::from_public_key(certificate.public_key(), self.signature_hash);
        let key = key.ok_or_else(|| {
            self.refused(Some(&certificate), CertificateError("public key is neither ECDSA, Ed25519 nor RSA"))
        })?;
        let certificate = Arc::new(certificate);
        let (certificate, chain) =
            self.sanitize(&certificate).map_err(|reason| self.refused(Some(&certificate), reason))?;
        let chain = self.identity_chain(&certificate, chain);
        let certifiers_identifier = chain.as_ref().ok().map(|chain| self.certifiers_identifier(&chain[1..]));
        let mut identity = Identity {
            mspid: Arc::clone(&self.name),
            identifier: self.hash([certificate.der()]),
            key,
            certificate,
            validity: Ok(()),
            roles: Roles::default(),
            certifiers_identifier,
        };
        let verdict = chain.map_err(|reason| reason.to_string()).and_then(|chain| self.validate(&identity, &chain));
        identity.validity = verdict.map_err(|reason| self.invalid(&identity.certificate, reason));
        identity.roles = self.roles(&identity);
        Ok(identity)
    }

    fn refused(&self, certificate: Option<&Certificate>, reason: CertificateError) -> IdentityError {
        let subject = certificate.map(|certificate| certificate.subject().to_string()).unwrap_or_default();
        IdentityError::Certificate { msp: self.name.to_string(), subject, reason }
    }

    fn invalid(&self, certificate: &Certificate, reason: String) -> IdentityError {
        IdentityError::Invalid { msp: self.name.to_string(), subject: certificate.subject().to_string(), reason }
    }

    /// The one chain of a certificate (`getUniqueValidationChain`): several would leave open who owns it.
    pub(super) fn unique_chain(
        &self,
        certificate: &Arc<Certificate>,
        roots: &CertPool,
    ) -> Result<Chain, CertificateError> {
        unique_chain(certificate, roots, &self.intermediate_pool)
    }

    /// The chain of a certificate that is used as an identity; `known` where it was built already.
    fn identity_chain(&self, certificate: &Arc<Certificate>, known: Option<Chain>) -> Result<Chain, CertificateError> {
        if certificate.is_ca() {
            return Err(CertificateError("a CA's certificate cannot be used as an identity"));
        }
        let chain = known.map_or_else(|| self.unique_chain(certificate, &self.root_pool), Ok)?;
        self.check_leaf_chain(&chain, 1)?;
        Ok(chain)
    }

    /// Refuses a chain whose certificate at `parent` signs other CAs (`getValidationChain`).
    pub(super) fn check_leaf_chain(&self, chain: &Chain, parent: usize) -> Result<(), CertificateError> {
        if chain.len() < 2 {
            return Err(CertificateError("chain has no issuer above the certificate"));
        }
        if self.internal_nodes.iter().any(|node| node.der() == chain[parent].der()) {
            return Err(CertificateError("issuer signs other CAs, so it must not sign identities"));
        }
        Ok(())
    }

    /// The certificate with its ECDSA signature in low S (`sanitizeCert`), which demands a valid chain on the way.
    ///
    /// That chain comes back too where it is the one of the resulting certificate.
    pub(super) fn sanitize(&self, certificate: &Arc<Certificate>) -> Result<Sanitized, CertificateError> {
        if !certificate.is_ecdsa_signed() {
            return Ok((Arc::clone(certificate), None));
        }
        if certificate.is_ca() && certificate.check_signature_from(certificate).is_ok() {
            let root = sanitized(certificate, certificate)?;
            self.unique_chain(&root, &CertPool::from_iter([Arc::clone(&root)]))?;
            return Ok((root, None));
        }
        let chain = self.unique_chain(certificate, &self.root_pool)?;
        let parent = chain.get(1).ok_or(CertificateError("certificate has no issuer among the MSP's CAs"))?;
        let low_s = sanitized(certificate, parent)?;
        let is_same = Arc::ptr_eq(&low_s, certificate);
        Ok((low_s, is_same.then_some(chain)))
    }

    /// Hash of the certificates above an identity, which names who certified its organizational units.
    pub(super) fn certifiers_identifier(&self, chain: &[Arc<Certificate>]) -> Box<[u8]> {
        self.hash(chain.iter().map(|certificate| certificate.der()))
    }

    fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Box<[u8]> {
        let mut context = Context::new(self.identifier_hash);
        parts.into_iter().for_each(|part| context.update(part));
        context.finish().as_ref().into()
    }
}

/// The one chain of a certificate, checked for host names as Go 1.14 did (`verifyLegacyNameConstraints`).
pub(super) fn unique_chain(
    certificate: &Arc<Certificate>,
    roots: &CertPool,
    intermediates: &CertPool,
) -> Result<Chain, CertificateError> {
    let mut chains = verify(certificate, roots, intermediates)?;
    let (Some(chain), true) = (chains.pop(), chains.is_empty()) else {
        return Err(CertificateError("certificate has more than one chain"));
    };
    let claims_host = !certificate.has_alternative_names() && is_legacy_hostname(&certificate.subject().common_name);
    if claims_host && chain[1..].iter().any(|issuer| issuer.has_name_constraints()) {
        return Err(CertificateError("common name is a host, which the issuer's name constraints cannot allow"));
    }
    Ok(chain)
}

/// The hash function of this name (`bccsp.GetHashOpt`).
pub(super) fn hash_algorithm(name: &str) -> Option<&'static Algorithm> {
    Some(match name {
        "" | "SHA256" => &SHA256,
        "SHA384" => &SHA384,
        "SHA3_256" => &SHA3_256,
        "SHA3_384" => &SHA3_384,
        _ => return None,
    })
}

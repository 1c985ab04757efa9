// SPDX-License-Identifier: Apache-2.0
//! Certificates whose ECDSA signature is high-S are replaced by a copy with the low one (`msp/cert.go`).
//!
//! The copy is what an identity's identifier, an OU's certifiers identifier and comparisons of certificates see.

use std::sync::Arc;

use super::certificate::Certificate;
use super::ecdsa::EcdsaSignature;
use super::key::PublicKey;
use super::{CertificateError, Result};

/// `certificate` with its signature, made by `parent`'s key, in low-S and canonical DER.
pub(crate) fn sanitized(certificate: &Arc<Certificate>, parent: &Certificate) -> Result<Arc<Certificate>> {
    let PublicKey::Ec(key) = parent.public_key() else {
        return Err(CertificateError("issuer of an ECDSA signature has no ECDSA key"));
    };
    let signature = key.curve.to_low_s(EcdsaSignature::lenient(certificate.signature())?).to_der();
    if signature == certificate.signature() {
        return Ok(Arc::clone(certificate));
    }
    certificate.with_signature(&signature).map(Arc::new)
}

// SPDX-License-Identifier: Apache-2.0
//! One parsed certificate (Go's `x509.ParseCertificate`).

use super::der::{BIT_STRING, CONSTRUCTED, CONTEXT, Der, SEQUENCE, push_element, unsigned};
use super::ecdsa::EcdsaSignature;
use super::extensions::Extensions;
use super::key::PublicKey;
use super::name::Name;
use super::pem::{self, PemBlock};
use super::signature::{BAD_SIGNATURE, SignatureAlgorithm};
use super::time::{self, UnixSeconds};
use super::{CertificateError, Result};

/// A text without any PEM block.
pub const NO_PEM: CertificateError = CertificateError("no PEM block found");

/// A certificate: its own bytes, and what Go's reader makes of them.
#[derive(Debug, Clone)]
pub struct Certificate {
    raw: Vec<u8>,
    pub(super) tbs: Vec<u8>,
    pub(super) signature_identifier: Vec<u8>,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
    pub(super) version: u64,
    serial: Vec<u8>,
    pub(super) raw_issuer: Vec<u8>,
    issuer: Name,
    pub(super) raw_subject: Vec<u8>,
    subject: Name,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    pub(super) raw_public_key: Vec<u8>,
    public_key: PublicKey,
    pub(super) extensions: Extensions,
}

impl Certificate {
    /// Reads the certificate in the first PEM block of `text`; the block's type does not matter.
    pub fn from_pem(text: &[u8]) -> Result<Self> {
        let block = PemBlock::first(text).ok_or(NO_PEM)?;
        Self::from_der(&block.contents)
    }

    /// Reads exactly one DER certificate.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let mut input = Der::new(der);
        let mut outer = input.nested(SEQUENCE, "malformed certificate")?;
        if !input.is_empty() {
            return Err(CertificateError("bytes follow the certificate"));
        }
        let tbs_element = outer.element(SEQUENCE, "malformed tbsCertificate")?;
        let mut tbs = Der::new(tbs_element).nested(SEQUENCE, "malformed tbsCertificate")?;
        let version = version(&mut tbs)?;
        let serial = tbs.integer("malformed serial number")?;
        if serial[0] & 0x80 != 0 {
            return Err(CertificateError("negative serial number"));
        }
        let inner_identifier = tbs.contents(SEQUENCE, "malformed signature algorithm")?;
        let signature_identifier = outer.contents(SEQUENCE, "malformed signature algorithm")?;
        if inner_identifier != signature_identifier {
            return Err(CertificateError("inner and outer signature algorithms differ"));
        }
        let raw_issuer = tbs.element(SEQUENCE, "malformed issuer")?;
        let issuer = Name::parse(raw_issuer)?;
        let mut validity = tbs.nested(SEQUENCE, "malformed validity")?;
        let (not_before, not_after) = (time::read(&mut validity)?, time::read(&mut validity)?);
        let raw_subject = tbs.element(SEQUENCE, "malformed subject")?;
        let subject = Name::parse(raw_subject)?;
        let raw_public_key = tbs.element(SEQUENCE, "malformed public key")?;
        let public_key = public_key(raw_public_key)?;
        let extensions = extensions(&mut tbs, version)?;
        let signature = outer.bit_string("malformed signature")?.right_align();
        Ok(Self {
            raw: der.to_vec(),
            tbs: tbs_element.to_vec(),
            signature_identifier: signature_identifier.to_vec(),
            signature_algorithm: SignatureAlgorithm::parse(signature_identifier)?,
            signature,
            version,
            serial: serial.to_vec(),
            raw_issuer: raw_issuer.to_vec(),
            issuer,
            raw_subject: raw_subject.to_vec(),
            subject,
            not_before,
            not_after,
            raw_public_key: raw_public_key.to_vec(),
            public_key,
            extensions,
        })
    }

    /// Whether `text` is one PEM block of type CERTIFICATE (or of none) that ends the text, and the certificate's
    /// signature, if ECDSA, is in its canonical form.
    pub(crate) fn is_canonical_pem(text: &[u8]) -> bool {
        let Some(block) = PemBlock::first(text).filter(|block| block.rest.is_empty()) else { return false };
        matches!(block.label, b"CERTIFICATE" | b"")
            && Self::from_der(&block.contents).is_ok_and(|certificate| {
                let canonical = |signature: EcdsaSignature| signature.to_der() == certificate.signature;
                !certificate.is_ecdsa_signed() || EcdsaSignature::lenient(&certificate.signature).is_ok_and(canonical)
            })
    }

    /// The same certificate with another signature value, encoded anew.
    pub(super) fn with_signature(&self, signature: &[u8]) -> Result<Self> {
        let mut identifier = Vec::with_capacity(self.signature_identifier.len() + 4);
        push_element(&mut identifier, SEQUENCE, &[&self.signature_identifier]);
        let mut bits = Vec::with_capacity(signature.len() + 5);
        push_element(&mut bits, BIT_STRING, &[&[0], signature]);
        let mut raw = Vec::with_capacity(self.raw.len() + 4);
        push_element(&mut raw, SEQUENCE, &[&self.tbs, &identifier, &bits]);
        Self::from_der(&raw)
    }

    /// The DER encoding.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.raw
    }

    /// The certificate in PEM, as Go's `encoding/pem` writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.raw)
    }

    /// The serial number: contents of its DER INTEGER, never negative.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Who the certificate is about.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// First second of validity.
    #[must_use]
    pub fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// Last second of validity.
    #[must_use]
    pub fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Whether basic constraints say that it is a certificate authority.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions.is_ca()
    }

    /// The key with its algorithm: a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.raw_public_key
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    pub(crate) fn is_ecdsa_signed(&self) -> bool {
        self.signature_algorithm.is_ecdsa()
    }

    /// The signature value as it stands in the certificate.
    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The subject key identifier, `None` where the extension is absent.
    pub(crate) fn subject_key_id(&self) -> Option<&[u8]> {
        self.extensions.subject_key_id.as_deref()
    }

    pub(crate) fn has_alternative_names(&self) -> bool {
        self.extensions.alternative_names.is_some()
    }

    pub(crate) fn has_name_constraints(&self) -> bool {
        self.extensions.name_constraints.is_some()
    }

    /// Verifies that `parent`'s key signed this certificate and was allowed to (Go's `CheckSignatureFrom`).
    pub(crate) fn check_signature_from(&self, parent: &Self) -> Result<()> {
        let constraints = parent.extensions.basic_constraints;
        let may_sign = match constraints {
            Some(constraints) => constraints.is_ca,
            None => parent.version != 3,
        };
        if !may_sign || !parent.extensions.may_sign_certificates() {
            return Err(CertificateError("issuer's certificate must not sign certificates"));
        }
        if self.signature_algorithm.verify(&parent.public_key, &self.tbs, &self.signature, false) {
            Ok(())
        } else {
            Err(BAD_SIGNATURE)
        }
    }
}

fn version(tbs: &mut Der<'_>) -> Result<u64> {
    let Some(mut explicit) = tbs.optional(CONTEXT | CONSTRUCTED, "malformed version")? else { return Ok(1) };
    let version = unsigned(explicit.integer("malformed version")?).filter(|version| *version <= 2);
    match version {
        Some(version) if explicit.is_empty() => Ok(version + 1),
        _ => Err(CertificateError("malformed or unsupported version")),
    }
}

fn public_key(element: &[u8]) -> Result<PublicKey> {
    let mut info = Der::new(element).nested(SEQUENCE, "malformed public key")?;
    let algorithm = info.contents(SEQUENCE, "malformed public key algorithm")?;
    let bits = info.bit_string("malformed public key")?.right_align();
    PublicKey::parse(algorithm, &bits)
}

fn extensions(tbs: &mut Der<'_>, version: u64) -> Result<Extensions> {
    if version == 1 {
        return Ok(Extensions::default());
    }
    for unique_id in [1, 2] {
        tbs.optional(CONTEXT | unique_id, "malformed unique identifier")?;
    }
    let explicit = if version == 3 { tbs.optional(CONTEXT | CONSTRUCTED | 3, "malformed extensions")? } else { None };
    match explicit {
        Some(mut explicit) => Extensions::parse(explicit.nested(SEQUENCE, "malformed extensions")?),
        None => Ok(Extensions::default()),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Certificate revocation lists (Go's `x509.ParseCRL`), as far as an MSP looks at them.

use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::der::{
    BIT_STRING, BOOLEAN, CONSTRUCTED, CONTEXT, Der, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, UTC_TIME,
};
use super::ecdsa::EcdsaSignature;
use super::extensions::authority_key_id;
use super::name::Name;
use super::pem::PemBlock;
use super::signature::SignatureAlgorithm;
use super::time;
use super::{CertificateError, Result};

const WHAT: &str = "malformed CRL";
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];

/// A revocation list. Its times do not matter: what a channel's configuration holds is in force.
#[derive(Debug, Clone)]
pub(crate) struct Crl {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// `None` where the extension is absent, which makes every identity of the MSP invalid.
    pub(crate) authority_key_id: Option<Vec<u8>>,
    revoked: BTreeSet<Vec<u8>>,
}

impl Crl {
    /// Reads a list in DER, or in a PEM block of type `X509 CRL` that starts the text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let block = if bytes.starts_with(b"-----BEGIN X509 CRL") { PemBlock::first(bytes) } else { None };
        match block {
            Some(block) if block.label == b"X509 CRL" => Self::from_der(&block.contents),
            _ => Self::from_der(bytes),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self> {
        let mut input = Der::new(der);
        let mut outer = input.nested(SEQUENCE, WHAT)?;
        if !input.is_empty() {
            return Err(CertificateError("bytes follow the CRL"));
        }
        let tbs = outer.element(SEQUENCE, WHAT)?;
        let algorithm = SignatureAlgorithm::parse(outer.contents(SEQUENCE, WHAT)?)?;
        if !outer.next_is(BIT_STRING) {
            return Err(CertificateError(WHAT));
        }
        let signature = outer.bit_string(WHAT)?.right_align();
        let (revoked, authority_key_id) = list(Der::new(tbs).nested(SEQUENCE, WHAT)?)?;
        // Fabric brings an ECDSA signature into its one form first, so what follows it is ignored here.
        let signature = if algorithm.is_ecdsa() { EcdsaSignature::lenient(&signature)?.to_der() } else { signature };
        Ok(Self { tbs: tbs.to_vec(), algorithm, signature, authority_key_id, revoked })
    }

    /// Whether the list names this serial number (contents of its INTEGER).
    pub(crate) fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.contains(serial)
    }

    /// Whether `issuer`'s key signed the list.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> bool {
        self.algorithm.verify(issuer.public_key(), &self.tbs, &self.signature, true)
    }
}

type List = (BTreeSet<Vec<u8>>, Option<Vec<u8>>);

fn list(mut tbs: Der<'_>) -> Result<List> {
    if tbs.next_is(INTEGER) {
        tbs.integer(WHAT)?;
    }
    tbs.contents(SEQUENCE, WHAT)?;
    Name::parse(tbs.element(SEQUENCE, WHAT)?)?;
    time::read(&mut tbs)?;
    if tbs.next_is(UTC_TIME) || tbs.next_is(GENERALIZED_TIME) {
        time::read(&mut tbs)?;
    }
    let mut revoked = BTreeSet::new();
    if let Some(mut entries) = tbs.optional(SEQUENCE, WHAT)? {
        while !entries.is_empty() {
            let mut entry = entries.nested(SEQUENCE, WHAT)?;
            revoked.insert(entry.integer(WHAT)?.to_vec());
            time::read(&mut entry)?;
        }
    }
    let mut authority = None;
    if let Some(mut explicit) = tbs.optional(CONTEXT | CONSTRUCTED, WHAT)? {
        let mut extensions = explicit.nested(SEQUENCE, WHAT)?;
        while !extensions.is_empty() {
            let (oid, value) = extension(&mut extensions)?;
            // The first one counts.
            if oid == AUTHORITY_KEY_ID && authority.is_none() {
                authority = Some(authority_key_id(Der::new(value))?);
            }
        }
    }
    Ok((revoked, authority))
}

fn extension<'a>(extensions: &mut Der<'a>) -> Result<(&'a [u8], &'a [u8])> {
    let mut extension = extensions.nested(SEQUENCE, WHAT)?;
    let oid = extension.oid(WHAT)?;
    if extension.next_is(BOOLEAN) {
        extension.boolean(WHAT)?;
    }
    Ok((oid, extension.contents(OCTET_STRING, WHAT)?))
}

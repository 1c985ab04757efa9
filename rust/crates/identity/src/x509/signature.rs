// SPDX-License-Identifier: Apache-2.0
//! Signature algorithms of certificates and CRLs, and their verification (Go's `checkSignature`).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as aws, RsaParameters};

use super::der::{CONSTRUCTED, CONTEXT, Der, SEQUENCE, unsigned};
use super::ecdsa::EcdsaSignature;
use super::key::{PublicKey, rsa_components, verify_ed25519};
use super::{CertificateError, Result};

const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
const NULL: &[u8] = &[5, 0];

/// Hash functions of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn digest(self, message: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message)
    }
}

/// The algorithms that Go can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureAlgorithm {
    Ecdsa(Hash),
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ed25519,
    /// Includes MD5 and DSA, which Go knows and refuses.
    Unsupported,
}

impl SignatureAlgorithm {
    /// Reads an algorithm identifier's contents.
    pub(super) fn parse(identifier: &[u8]) -> Result<Self> {
        let mut der = Der::new(identifier);
        let oid = der.oid("malformed signature algorithm")?;
        let parameters = if der.is_empty() { &[][..] } else { der.any_element()? };
        Ok(match oid {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Self::Ecdsa(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => Self::Ecdsa(Hash::Sha256),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => Self::Ecdsa(Hash::Sha384),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => Self::Ecdsa(Hash::Sha512),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5] | [0x2b, 0x0e, 3, 2, 0x1d] => Self::RsaPkcs1(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11] => Self::RsaPkcs1(Hash::Sha256),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] => Self::RsaPkcs1(Hash::Sha384),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] => Self::RsaPkcs1(Hash::Sha512),
            RSA_PSS => pss(parameters).unwrap_or(Self::Unsupported),
            [0x2b, 0x65, 0x70] if parameters.is_empty() => Self::Ed25519,
            _ => Self::Unsupported,
        })
    }

    pub(super) fn is_ecdsa(self) -> bool {
        matches!(self, Self::Ecdsa(_))
    }

    /// Whether `signature` over `message` verifies; SHA-1 is good enough for CRLs only.
    pub(super) fn verify(self, key: &PublicKey, message: &[u8], signature: &[u8], allow_sha1: bool) -> bool {
        if matches!(self, Self::Ecdsa(Hash::Sha1) | Self::RsaPkcs1(Hash::Sha1)) && !allow_sha1 {
            return false;
        }
        match (self, key) {
            (Self::Ecdsa(hash), PublicKey::Ec(key)) => EcdsaSignature::strict(signature)
                .is_ok_and(|signature| key.verify(hash.digest(message).as_ref(), &signature)),
            (Self::RsaPkcs1(hash), PublicKey::Rsa { modulus, exponent }) => {
                verify_rsa(pkcs1_parameters(hash), modulus, exponent, message, signature)
            }
            (Self::RsaPss(hash), PublicKey::Rsa { modulus, exponent }) => {
                verify_rsa(pss_parameters(hash), modulus, exponent, message, signature)
            }
            (Self::Ed25519, PublicKey::Ed25519(key)) => verify_ed25519(key, message, signature),
            _ => false,
        }
    }
}

fn verify_rsa(
    parameters: &'static RsaParameters,
    modulus: &[u8],
    exponent: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    rsa_components(modulus, exponent).verify(parameters, message, signature).is_ok()
}

fn pkcs1_parameters(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha1 => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Hash::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    }
}

fn pss_parameters(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha1 | Hash::Sha256 => &aws::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &aws::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PSS_2048_8192_SHA512,
    }
}

/// RSASSA-PSS-params (RFC 4055, 3.1) with one hash throughout and a salt of its length, as Go demands.
fn pss(parameters: &[u8]) -> Option<SignatureAlgorithm> {
    const WHAT: &str = "malformed PSS parameters";
    let mut fields = Der::new(parameters).nested(SEQUENCE, WHAT).ok()?;
    let mut explicit = |number: u8| fields.nested(CONTEXT | CONSTRUCTED | number, WHAT).ok();
    let hash = hash_identifier(&mut explicit(0)?)?;
    let mut mgf = explicit(1)?.nested(SEQUENCE, WHAT).ok()?;
    let mut salt = explicit(2)?;
    let salt = unsigned(salt.integer(WHAT).ok()?)?;
    if let Some(mut trailer) = fields.optional(CONTEXT | CONSTRUCTED | 3, WHAT).ok()?
        && unsigned(trailer.integer(WHAT).ok()?)? != 1
    {
        return None;
    }
    let same_hash = mgf.oid(WHAT).ok()? == MGF1 && hash_identifier(&mut mgf)? == hash;
    let expected_salt = match hash {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
        Hash::Sha1 => return None,
    };
    (same_hash && salt == expected_salt).then_some(SignatureAlgorithm::RsaPss(hash))
}

fn hash_identifier(der: &mut Der<'_>) -> Option<Hash> {
    let mut identifier = der.nested(SEQUENCE, "malformed hash identifier").ok()?;
    let oid = identifier.oid("malformed hash identifier").ok()?;
    if !identifier.is_empty() && identifier.any_element().ok()? != NULL {
        return None;
    }
    match oid {
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Some(Hash::Sha256),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Some(Hash::Sha384),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Some(Hash::Sha512),
        _ => None,
    }
}

/// The error that stands for any failed verification.
pub(super) const BAD_SIGNATURE: CertificateError = CertificateError("signature does not verify under the issuer's key");

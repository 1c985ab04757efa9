// SPDX-License-Identifier: Apache-2.0
//! The public keys that certificates carry.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    UnparsedPublicKey,
};
use p224::ecdsa::signature::hazmat::PrehashVerifier;

use super::der::{Der, SEQUENCE, unsigned};
use super::ecdsa::{self, EcdsaSignature};
use super::{CertificateError, Result};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const EDWARDS_25519: &[u8] = &[0x2b, 0x65, 0x70];
const NULL: &[u8] = &[5, 0];

/// The elliptic curves of Go's `crypto/x509`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

impl Curve {
    fn from_oid(oid: &[u8]) -> Option<Self> {
        Some(match oid {
            [0x2b, 0x81, 0x04, 0x00, 0x21] => Self::P224,
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => Self::P256,
            [0x2b, 0x81, 0x04, 0x00, 0x22] => Self::P384,
            [0x2b, 0x81, 0x04, 0x00, 0x23] => Self::P521,
            _ => return None,
        })
    }

    /// Bytes of a coordinate and of a scalar.
    fn width(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The order of the base point (SEC 2), big-endian without leading zeros.
    fn order(self) -> &'static [u8] {
        match self {
            Self::P224 => &P224_ORDER,
            Self::P256 => &P256_ORDER,
            Self::P384 => &P384_ORDER,
            Self::P521 => &P521_ORDER,
        }
    }

    /// Whether s is at most half of the order (`bccsp/utils.IsLowS`).
    pub(crate) fn is_low_s(self, signature: &EcdsaSignature) -> bool {
        let complement = ecdsa::compare(&signature.s, self.order());
        complement.is_lt() && ecdsa::compare(&signature.s, &ecdsa::subtract(self.order(), &signature.s)).is_lt()
    }

    /// The signature with s replaced by order - s where it is high (`bccsp/utils.ToLowS`).
    pub(crate) fn to_low_s(self, signature: EcdsaSignature) -> EcdsaSignature {
        if self.is_low_s(&signature) || ecdsa::compare(&signature.s, self.order()).is_ge() {
            return signature;
        }
        EcdsaSignature { s: ecdsa::subtract(self.order(), &signature.s), ..signature }
    }
}

/// An elliptic curve key, its point checked.
#[derive(Clone)]
pub(crate) struct EcKey {
    pub(crate) curve: Curve,
    /// `04 ‖ x ‖ y`.
    pub(crate) point: Box<[u8]>,
    engine: EcEngine,
}

#[derive(Clone)]
enum EcEngine {
    AwsLc(ParsedPublicKey),
    P224(Box<p224::ecdsa::VerifyingKey>),
}

impl EcKey {
    fn parse(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.first() != Some(&4) || point.len() != 1 + 2 * curve.width() {
            return None;
        }
        let engine = match curve {
            Curve::P224 => EcEngine::P224(Box::new(p224::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?)),
            Curve::P256 => EcEngine::AwsLc(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?),
            Curve::P384 => EcEngine::AwsLc(ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).ok()?),
            Curve::P521 => EcEngine::AwsLc(ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).ok()?),
        };
        Some(Self { curve, point: point.into(), engine })
    }

    /// Plain ECDSA (FIPS 186-5, 6.4.2) over a digest of any length; high s is accepted.
    pub(crate) fn verify(&self, digest: &[u8], signature: &EcdsaSignature) -> bool {
        self.try_verify(digest, signature).is_some()
    }

    fn try_verify(&self, digest: &[u8], signature: &EcdsaSignature) -> Option<()> {
        let fixed = signature.fixed(self.curve.width())?;
        match &self.engine {
            EcEngine::P224(key) => {
                let signature = p224::ecdsa::Signature::from_slice(&fixed).ok()?;
                key.verify_prehash(digest, &signature).ok()
            }
            EcEngine::AwsLc(key) => {
                // The library ties a curve to one hash; only the number that the digest stands for matters.
                let algorithm = match self.curve {
                    Curve::P224 | Curve::P256 => &SHA256,
                    Curve::P384 => &SHA384,
                    Curve::P521 => &SHA512,
                };
                let digest = Digest::import_less_safe(&resize(digest, algorithm.output_len()), algorithm).ok()?;
                key.verify_digest_sig(&digest, &fixed).ok()
            }
        }
    }
}

impl fmt::Debug for EcKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EcKey({:?}, {})", self.curve, fastledger_wire::hash::hex(&self.point))
    }
}

/// Keeps the leftmost bytes of a long digest and pads a short one: the same number to ECDSA either way.
fn resize(digest: &[u8], length: usize) -> Vec<u8> {
    let kept = &digest[..digest.len().min(length)];
    let mut resized = vec![0; length - kept.len()];
    resized.extend_from_slice(kept);
    resized
}

/// A certificate's key.
#[derive(Debug, Clone)]
pub(crate) enum PublicKey {
    /// A key on one of the four curves.
    Ec(EcKey),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// An Ed25519 key.
    Ed25519([u8; 32]),
    /// A DSA key: known to X.509, of no use here.
    Dsa,
    /// Any other kind.
    Unknown,
}

impl PublicKey {
    /// Reads the algorithm identifier's contents and the key's bits (Go's `parsePublicKey`).
    pub(super) fn parse(algorithm: &[u8], bits: &[u8]) -> Result<Self> {
        let mut algorithm = Der::new(algorithm);
        let oid = algorithm.oid("malformed public key algorithm")?;
        let parameters = if algorithm.is_empty() { &[][..] } else { algorithm.any_element()? };
        match oid {
            EC => ec(parameters, bits),
            RSA if parameters == NULL => rsa(bits),
            RSA => Err(CertificateError("RSA key without NULL parameters")),
            EDWARDS_25519 if parameters.is_empty() => {
                let key = bits.try_into().map_err(|_| CertificateError("wrong Ed25519 key size"))?;
                Ok(Self::Ed25519(key))
            }
            EDWARDS_25519 => Err(CertificateError("Ed25519 key with parameters")),
            DSA => dsa(parameters, bits),
            _ => Ok(Self::Unknown),
        }
    }

    /// Name of the algorithm, for messages.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ECDSA",
            Self::Rsa { .. } => "RSA",
            Self::Ed25519(_) => "Ed25519",
            Self::Dsa => "DSA",
            Self::Unknown => "an unknown algorithm",
        }
    }
}

pub(crate) fn rsa_components<'a>(modulus: &'a [u8], exponent: &'a [u8]) -> PublicKeyComponents<&'a [u8]> {
    PublicKeyComponents { n: modulus, e: exponent }
}

pub(crate) fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

fn ec(parameters: &[u8], bits: &[u8]) -> Result<PublicKey> {
    let oid = Der::new(parameters).oid("malformed ECDSA parameters")?;
    let curve = Curve::from_oid(oid).ok_or(CertificateError("unsupported elliptic curve"))?;
    let key = EcKey::parse(curve, bits).ok_or(CertificateError("not an uncompressed point of the curve"))?;
    Ok(PublicKey::Ec(key))
}

fn rsa(bits: &[u8]) -> Result<PublicKey> {
    let mut numbers = Der::new(bits).nested(SEQUENCE, "malformed RSA key")?;
    let modulus = positive(numbers.integer("malformed RSA modulus")?)?;
    let exponent = numbers.integer("malformed RSA exponent")?;
    if unsigned(exponent).is_none_or(|exponent| exponent == 0) {
        return Err(CertificateError("RSA exponent is not a positive number of 63 bits"));
    }
    let exponent = positive(exponent)?;
    Ok(PublicKey::Rsa { modulus, exponent })
}

fn dsa(parameters: &[u8], bits: &[u8]) -> Result<PublicKey> {
    positive(Der::new(bits).integer("malformed DSA key")?)?;
    let mut numbers = Der::new(parameters).nested(SEQUENCE, "malformed DSA parameters")?;
    for _ in 0..3 {
        positive(numbers.integer("malformed DSA parameters")?)?;
    }
    Ok(PublicKey::Dsa)
}

fn positive(contents: &[u8]) -> Result<Vec<u8>> {
    match contents {
        [0] | [0x80..=0xff, ..] => Err(CertificateError("key holds a number that is not positive")),
        [0, magnitude @ ..] | magnitude => Ok(magnitude.to_vec()),
    }
}

const P224_ORDER: [u8; 28] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x16, 0xa2, 0xe0, 0xb8, 0xf0,
    0x3e, 0x13, 0xdd, 0x29, 0x45, 0x5c, 0x5c, 0x2a, 0x3d,
];
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const P384_ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0,
    0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
const P521_ORDER: [u8; 66] = [
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83,
    0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47,
    0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09,
];

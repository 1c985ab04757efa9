// SPDX-License-Identifier: Apache-2.0
//! Keys that follow from names, and signatures with them.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use fastledger_wire::hash::sha256;

use super::certificate::{INTEGER, SEQUENCE, element};

/// What stands before the scalar in a PKCS#8 key of P-256 (RFC 5208, RFC 5915).
const PKCS8_PREFIX: [u8; 36] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20, 0,
];

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A private key of P-256.
pub struct Key(EcdsaKeyPair);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl Key {
    /// The key of this name.
    ///
    /// # Panics
    /// If the name's digest is no scalar, for which there is one chance in 2^32.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut pkcs8 = PKCS8_PREFIX[..35].to_vec();
        pkcs8.extend(sha256(&[name.as_bytes()]));
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).expect("a scalar"))
    }

    /// The public point, `04 ‖ x ‖ y`.
    #[must_use]
    pub fn point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs the concatenation of `parts`: DER with low s.
    ///
    /// # Panics
    /// If there is no randomness.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), &parts.concat()).expect("randomness");
        let (r, s) = signature.as_ref().split_at(32);
        let s = low_s(s.try_into().expect("32 bytes"));
        element(SEQUENCE, &[&integer(r), &integer(&s)])
    }
}

/// s, or the order less s, whichever is lower.
#[must_use]
pub fn low_s(s: [u8; 32]) -> [u8; 32] {
    let mut other = ORDER;
    let mut borrow = 0i32;
    for (digit, subtrahend) in other.iter_mut().zip(s).rev() {
        let difference = i32::from(*digit) - i32::from(subtrahend) - borrow;
        borrow = i32::from(difference < 0);
        *digit = (difference & 0xff) as u8;
    }
    s.min(other)
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count().min(magnitude.len() - 1);
    let digits = &magnitude[zeros..];
    let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
    element(INTEGER, &[sign, digits])
}

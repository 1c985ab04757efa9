// SPDX-License-Identifier: Apache-2.0
//! Verification by AWS-LC, one signature at a time: the judge of our own engines.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use crate::der::Signature;

/// A public key in the library's own form.
pub(crate) struct Key(ParsedPublicKey);

impl Key {
    /// `None` when the bytes are no uncompressed point of the curve.
    pub(crate) fn new(sec1: &[u8; 65]) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, sec1).ok().map(Self)
    }

    /// Plain ECDSA (FIPS 186-5, 6.4.2) over a digest of 32 bytes.
    pub(crate) fn verify(&self, digest: &[u8; 32], signature: &Signature) -> bool {
        let mut fixed = [0; 64];
        fixed[..32].copy_from_slice(&signature.r);
        fixed[32..].copy_from_slice(&signature.s);
        Digest::import_less_safe(digest, &SHA256).is_ok_and(|digest| self.0.verify_digest_sig(&digest, &fixed).is_ok())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Signatures of one's own, as Fabric's software provider makes them (`bccsp/sw/ecdsa.go`).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::error::{IdentityError, Result};
use crate::x509::{Curve, EcdsaSignature};

/// A private key on P-256. The library's constant-time code signs, and chooses the nonces.
#[derive(Debug)]
pub struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    /// Reads a key in PKCS#8.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map(Self)
            .map_err(|reason| IdentityError::SigningKey(reason.to_string()))
    }

    /// Signs SHA-256 of a message: ECDSA in DER, s at most half of the curve's order.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| IdentityError::SigningKey("the library has no random numbers".to_owned());
        let made = self.0.sign(&SystemRandom::new(), message).map_err(failed)?;
        let signature = EcdsaSignature::strict(made.as_ref())
            .map_err(|reason| IdentityError::SigningKey(format!("it makes what is no signature: {reason}")))?;
        Ok(Curve::P256.to_low_s(signature).to_der())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, KeyPair, UnparsedPublicKey};

    use super::*;

    #[test]
    fn signatures_verify_and_have_a_low_s() {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let key = SigningKey::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.0.public_key().as_ref());
        for message in 0..64_u8 {
            let signature = key.sign(&[message]).unwrap();
            public.verify(&[message], &signature).unwrap();
            assert!(Curve::P256.is_low_s(&EcdsaSignature::strict(&signature).unwrap()));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(
            SigningKey::from_pkcs8(b"no key").unwrap_err().to_string().starts_with("the private key cannot be used")
        );
    }
}

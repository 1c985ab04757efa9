// SPDX-License-Identifier: Apache-2.0
//! The key of an identity, and how Fabric verifies what it signed (`bccsp/sw`).

use aws_lc_rs::digest::{Context, Digest, SHA3_256, SHA256};
use fastledger_crypto as crypto;

use crate::x509::{EcKey, EcdsaSignature, PublicKey, verify_ed25519};

/// The hash that an MSP prescribes for signatures (`FabricCryptoConfig.signature_hash_family`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// SHA-256.
    Sha2,
    /// SHA3-256.
    Sha3,
    /// A family that Fabric does not know: no signature verifies.
    Unknown,
}

impl SignatureHash {
    pub(crate) fn from_family(family: &str) -> Self {
        match family {
            "" | "SHA2" => Self::Sha2,
            "SHA3" => Self::Sha3,
            _ => Self::Unknown,
        }
    }

    fn digest(self, message: &[&[u8]]) -> Option<Digest> {
        let mut context = Context::new(match self {
            Self::Sha2 => &SHA256,
            Self::Sha3 => &SHA3_256,
            Self::Unknown => return None,
        });
        for part in message {
            context.update(part);
        }
        Some(context.finish())
    }
}

/// An identity's key, sorted by who verifies its signatures.
#[derive(Debug, Clone)]
pub enum VerifyingKey {
    /// P-256 over SHA-256: goes into batches of `fastledger_crypto`.
    P256(crypto::PublicKey),
    /// Everything else: verified one by one with [`OtherKey::verify`].
    Other(OtherKey),
}

/// A key outside the batch engine.
#[derive(Debug, Clone)]
pub struct OtherKey(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Ec(EcKey, SignatureHash),
    Ed25519([u8; 32]),
    /// RSA keys are allowed in certificates, but nothing that they sign verifies.
    Rsa,
}

impl OtherKey {
    /// Verifies a signature over the concatenation of `message`: ECDSA over the MSP's hash with low S, or pure Ed25519.
    pub fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<(), &'static str> {
        let verifies = match &self.0 {
            Kind::Ec(key, hash) => return verify_ecdsa(key, *hash, message, signature),
            Kind::Ed25519(key) => {
                let message = message.concat();
                // Fabric's crypto provider refuses to look at an empty message.
                !message.is_empty() && verify_ed25519(key, &message, signature)
            }
            Kind::Rsa => return Err("RSA keys do not sign transactions"),
        };
        if verifies { Ok(()) } else { Err("it does not verify under the identity's key") }
    }
}

fn verify_ecdsa(key: &EcKey, hash: SignatureHash, message: &[&[u8]], signature: &[u8]) -> Result<(), &'static str> {
    let signature = EcdsaSignature::lenient(signature).map_err(|_| "it is not an ECDSA signature in DER")?;
    if !key.curve.is_low_s(&signature) {
        return Err("its s is above half of the curve's order");
    }
    let digest = hash.digest(message).ok_or("the MSP prescribes an unknown hash family")?;
    if key.verify(digest.as_ref(), &signature) { Ok(()) } else { Err("it does not verify under the identity's key") }
}

impl VerifyingKey {
    /// `None` for keys that Fabric does not import (`bccsp.X509PublicKeyImportOpts`).
    pub(crate) fn from_public_key(key: &PublicKey, hash: SignatureHash) -> Option<Self> {
        Some(match key {
            PublicKey::Ec(key) => match crypto::PublicKey::from_sec1(&key.point) {
                Ok(point) if hash == SignatureHash::Sha2 => Self::P256(point),
                _ => Self::Other(OtherKey(Kind::Ec(key.clone(), hash))),
            },
            PublicKey::Ed25519(key) => Self::Other(OtherKey(Kind::Ed25519(*key))),
            PublicKey::Rsa { .. } => Self::Other(OtherKey(Kind::Rsa)),
            PublicKey::Dsa | PublicKey::Unknown => return None,
        })
    }
}

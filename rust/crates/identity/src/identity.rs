// SPDX-License-Identifier: Apache-2.0
//! One identity: a certificate as one MSP sees it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use fastledger_crypto::{self as crypto, Engine, Job, Verifier, VerifierOptions};
use fastledger_wire::hash::sha256;

use crate::error::{IdentityError, Result};
use crate::key::VerifyingKey;
use crate::x509::Certificate;

/// The roles that a policy can ask for (`MSPRole.MSPRoleType`), as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// Whether the role with this number is in the set.
    #[must_use]
    pub fn contains(self, role: i32) -> bool {
        (0..8).contains(&role) && self.0 >> role & 1 == 1
    }

    pub(crate) fn insert(&mut self, role: i32) {
        self.0 |= 1 << role;
    }
}

/// An identity that an MSP could read, with the MSP's verdict on it. Equal identities have one MSP and one certificate.
#[derive(Debug)]
pub struct Identity {
    pub(crate) mspid: Arc<str>,
    pub(crate) certificate: Arc<Certificate>,
    /// Hash of the certificate by the MSP's identifier hash.
    pub(crate) identifier: Box<[u8]>,
    pub(crate) key: VerifyingKey,
    pub(crate) validity: Result<()>,
    pub(crate) roles: Roles,
    /// Hash of the chain above the certificate, where there is one chain.
    pub(crate) certifiers_identifier: Option<Box<[u8]>>,
}

impl Identity {
    /// The MSP that the identity belongs to.
    #[must_use]
    pub fn mspid(&self) -> &str {
        &self.mspid
    }

    /// The certificate, its signature brought to low S as Fabric does.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The MSP's hash of the certificate (`IdentityIdentifier.Id`); with the MSP's name it tells signers apart.
    #[must_use]
    pub fn identifier(&self) -> &[u8] {
        &self.identifier
    }

    /// The key, for whoever verifies signatures in batches.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The MSP's verdict (`Identity.Validate`): chain, revocation and organizational units.
    pub fn validity(&self) -> Result<(), &IdentityError> {
        self.validity.as_ref().copied()
    }

    /// The roles that the identity satisfies in a policy; a revoked administrator may still be one.
    #[must_use]
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// Verifies one signature over the concatenation of `message` (`Identity.Verify`).
    ///
    /// It does not look at [`Self::validity`].
    pub fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<()> {
        static LIBRARY: OnceLock<Verifier> = OnceLock::new();
        // A single signature of a key that is seldom seen gains nothing from tables.
        let single = VerifierOptions { engine: Some(Engine::Library), table_bytes: 0 };
        self.verify_by(LIBRARY.get_or_init(|| Verifier::new(single)), message, signature)
    }

    /// [`Self::verify`] by a verifier that may have a table of the identity's key.
    pub fn verify_by(&self, verifier: &Verifier, message: &[&[u8]], signature: &[u8]) -> Result<()> {
        let verdict = match &self.key {
            VerifyingKey::P256(key) => verify_p256(verifier, key, message, signature),
            VerifyingKey::Other(key) => key.verify(message, signature),
        };
        verdict.map_err(|reason| IdentityError::Signature { signer: self.to_string(), reason })
    }
}

fn verify_p256(
    verifier: &Verifier,
    key: &crypto::PublicKey,
    message: &[&[u8]],
    signature: &[u8],
) -> Result<(), &'static str> {
    let signature = crypto::Signature::from_der(signature).map_err(|error| match error {
        crypto::SignatureError::HighS => "its s is above half of the curve's order",
        _ => "it is not an ECDSA signature in DER",
    })?;
    let mut valid = [false];
    verifier.verify_batch(&[Job { key, digest: sha256(message), signature }], &mut valid);
    if valid[0] { Ok(()) } else { Err("it does not verify under the identity's key") }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.identifier == other.identifier && self.mspid == other.mspid
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identifier.hash(state);
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.mspid, self.certificate.subject())
    }
}

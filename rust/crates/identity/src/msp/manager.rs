// SPDX-License-Identifier: Apache-2.0
//! The MSPs of one channel configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::msp::SerializedIdentity;

use super::{Msp, MspVersion};
use crate::cache::GenerationCache;
use crate::error::{IdentityError, Result};
use crate::identity::Identity;
use crate::x509::Certificate;

/// Bytes that the identities of one configuration may take in the cache: about ten thousand of them.
pub const IDENTITY_CACHE_BYTES: usize = 64 << 20;

/// An MSP's definition: X.509, or one that we only know by name.
#[derive(Debug)]
pub(crate) enum Provider {
    Fabric(Box<Msp>),
    Idemix,
}

/// Every MSP of a channel, and the identities that were read through them.
#[derive(Debug)]
pub struct MspManager {
    version: MspVersion,
    msps: BTreeMap<Box<str>, Provider>,
    identities: GenerationCache<Result<Arc<Identity>>>,
}

impl MspManager {
    /// Manages X.509 MSPs, all set up with this version; of two with one name the last counts.
    #[must_use]
    pub fn from_msps(version: MspVersion, msps: impl IntoIterator<Item = Msp>) -> Self {
        let named = msps.into_iter().map(|msp| (msp.name().into(), Provider::Fabric(Box::new(msp))));
        Self::new(version, named.collect())
    }

    pub(crate) fn new(version: MspVersion, msps: BTreeMap<Box<str>, Provider>) -> Self {
        Self { version, msps, identities: GenerationCache::new(IDENTITY_CACHE_BYTES) }
    }

    /// The behavior that the channel's capabilities ask for, the same for all its MSPs.
    #[must_use]
    pub fn version(&self) -> MspVersion {
        self.version
    }

    /// The X.509 MSP of this name.
    #[must_use]
    pub fn msp(&self, name: &str) -> Option<&Msp> {
        match self.msps.get(name) {
            Some(Provider::Fabric(msp)) => Some(msp),
            _ => None,
        }
    }

    /// Names of all MSPs, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.msps.keys().map(AsRef::as_ref)
    }

    /// Reads a `msp.SerializedIdentity` (`DeserializeIdentity`); ask [`Identity::validity`] whether it is valid.
    ///
    /// The outcome is remembered by the bytes, so equal bytes give the same `Arc`.
    pub fn identity(&self, serialized: &[u8]) -> Result<Arc<Identity>> {
        self.identities.get_or_insert_with(serialized, || self.read(serialized).map(Arc::new))
    }

    /// Whether the bytes are an identity in the one form that gossip passes on (`IsWellFormed`): a single PEM block of
    /// type CERTIFICATE and nothing after it, the certificate's ECDSA signature in canonical DER.
    #[must_use]
    pub fn is_well_formed(&self, serialized: &[u8]) -> bool {
        SerializedIdentity::decode(serialized).is_ok_and(|identity| Certificate::is_canonical_pem(identity.id_bytes))
    }

    fn read(&self, serialized: &[u8]) -> Result<Identity> {
        let identity = SerializedIdentity::decode(serialized).map_err(IdentityError::Undecodable)?;
        match self.msps.get(identity.mspid) {
            Some(Provider::Fabric(msp)) => msp.identity(identity.id_bytes),
            Some(Provider::Idemix) => Err(IdentityError::IdemixNotSupported(identity.mspid.to_owned())),
            None => Err(IdentityError::UnknownMsp(identity.mspid.to_owned())),
        }
    }
}

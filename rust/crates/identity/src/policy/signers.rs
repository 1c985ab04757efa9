// SPDX-License-Identifier: Apache-2.0
//! Those who signed well, each once (`policies.SignatureSetToValidIdentities`).

use std::collections::HashSet;
use std::sync::Arc;

use ahash::RandomState;

use crate::identity::Identity;

/// Collects signers in the order of their signatures.
///
/// A signer counts once, by MSP and certificate, and only from a good signature on: a bad one does not keep a later
/// good one of the same signer from counting.
#[derive(Debug, Default)]
pub struct Signers {
    identities: Vec<Arc<Identity>>,
    seen: HashSet<Arc<Identity>, RandomState>,
}

/// Up to so many signers are compared one by one, which is faster than hashing them.
const COMPARED: usize = 8;

impl Signers {
    /// Whether this signer counts already, so that its signature needs no check.
    #[must_use]
    pub fn contains(&self, identity: &Arc<Identity>) -> bool {
        if self.identities.len() <= COMPARED {
            return self.identities.iter().any(|known| Arc::ptr_eq(known, identity) || known == identity);
        }
        self.seen.contains(identity)
    }

    /// Adds the signer of a good signature, unless it counts already.
    pub fn add(&mut self, identity: Arc<Identity>) {
        if self.contains(&identity) {
            return;
        }
        self.identities.push(identity);
        if self.identities.len() > COMPARED {
            let missing = self.identities[self.seen.len()..].iter().cloned();
            self.seen.extend(missing);
        }
    }

    /// The signers.
    #[must_use]
    pub fn as_slice(&self) -> &[Arc<Identity>] {
        &self.identities
    }
}

impl FromIterator<Arc<Identity>> for Signers {
    fn from_iter<I: IntoIterator<Item = Arc<Identity>>>(identities: I) -> Self {
        let mut signers = Self::default();
        identities.into_iter().for_each(|identity| signers.add(identity));
        signers
    }
}

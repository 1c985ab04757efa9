// SPDX-License-Identifier: Apache-2.0
//! The policies of keys with long metadata, read and compiled once for a block: its transactions may write such a key
//! often, at the price of a few bytes each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fastledger_identity::{Identity, Policy};
use fastledger_mvcc::StateKey;

use crate::policies;

/// Shorter metadata is read again faster than it is remembered.
pub(crate) const LONG_METADATA_BYTES: usize = 1 << 10;

/// Metadata of the keys that are remembered, in bytes; a compiled policy takes about four times as much.
const MAX_REMEMBERED_BYTES: usize = 32 << 20;

/// What the metadata of a key say.
pub(crate) struct KeyPolicy {
    /// The policy, none where there is none, or what is wrong with it.
    policy: Result<Option<Arc<Policy>>, String>,
    /// Who held against it last, and what came of that.
    last: Mutex<Option<Held>>,
}

/// Signers, and what came of holding them against a policy.
type Held = (Vec<Arc<Identity>>, Result<(), String>);

impl KeyPolicy {
    pub(crate) fn new(policy: Result<Option<Arc<Policy>>, String>) -> Self {
        Self { policy, last: Mutex::new(None) }
    }

    /// Whether these signers, each listed once, satisfy the policy; none where there is no policy. An error says which
    /// it is, or what is wrong with it.
    pub(crate) fn evaluate(&self, signers: &[Arc<Identity>]) -> Result<Option<()>, String> {
        let Some(policy) = self.policy.as_ref().map_err(Clone::clone)? else { return Ok(None) };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, outcome)) = &*last
            && known.len() == signers.len()
            && known.iter().zip(signers).all(|(one, other)| Arc::ptr_eq(one, other))
        {
            return outcome.clone().map(Some);
        }
        let outcome = policies::hold(policy, signers);
        *last = Some((signers.to_vec(), outcome.clone()));
        outcome.map(Some)
    }
}

/// The long ones that a block asked for, by key.
#[derive(Default)]
pub(crate) struct KeyPolicies<'a> {
    known: HashMap<StateKey<'a>, Arc<KeyPolicy>>,
    bytes: usize,
}

impl<'a> KeyPolicies<'a> {
    pub(crate) fn get(&self, key: StateKey<'a>) -> Option<Arc<KeyPolicy>> {
        if self.known.is_empty() { None } else { self.known.get(&key).map(Arc::clone) }
    }

    /// Remembers a policy that so many bytes of metadata hold, if there is room.
    pub(crate) fn remember(&mut self, key: StateKey<'a>, policy: &Arc<KeyPolicy>, bytes: usize) {
        if self.bytes + bytes <= MAX_REMEMBERED_BYTES && self.known.insert(key, Arc::clone(policy)).is_none() {
            self.bytes += bytes;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The policies that transactions are held against, compiled once for each configuration.

use std::sync::{Arc, PoisonError, RwLock};

use fastledger_identity::{ChannelConfig, Identity, Policy};
use fastledger_wire::policies::ApplicationPolicy;
use rustc_hash::FxHashMap;

/// Where `_lifecycle`'s own policy stands (`lifecycle.LifecycleEndorsementPolicyRef`).
const LIFECYCLE_ENDORSEMENT: &str = "/Channel/Application/LifecycleEndorsement";

/// Most bytes of policies that are kept compiled; what comes after is compiled each time.
///
/// Keys may carry policies of their own, so a chaincode can bring as many as it has keys.
const MAX_CACHED_BYTES: usize = 32 << 20;

/// Names a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PolicyRef<'p> {
    /// An encoded `ApplicationPolicy`.
    Application(&'p [u8]),
    /// An encoded `SignaturePolicyEnvelope`.
    Signature(&'p [u8]),
    /// A decoded `ApplicationPolicy`.
    Decoded(&'p ApplicationPolicy<'p>),
    /// That of `_lifecycle`'s own namespace (`LifecycleEndorsementPolicyAsBytes`).
    LifecycleEndorsement,
    /// That of an organisation's implicit collection, by MSP id (`ImplicitCollectionEndorsementPolicyAsBytes`).
    Organization(&'p str),
    /// Any member of the channel's application organisations: 1.x's policy for system chaincodes.
    AnyMember,
}

type Compiled = Result<Arc<Policy>, String>;

/// Evaluates policies under one configuration.
#[derive(Debug)]
pub(crate) struct Policies {
    config: Arc<ChannelConfig>,
    application: Cache,
    signature: Cache,
}

#[derive(Debug, Default)]
struct Cache(RwLock<Cached>);

#[derive(Debug, Default)]
struct Cached {
    policies: FxHashMap<Box<[u8]>, Compiled>,
    bytes: usize,
}

impl Policies {
    pub(crate) fn new(config: Arc<ChannelConfig>) -> Self {
        Self { config, application: Cache::default(), signature: Cache::default() }
    }

    /// Whether these signers, each listed once, satisfy the policy; an error says which policy it is, or what is wrong
    /// with it.
    pub(crate) fn evaluate(&self, policy: PolicyRef<'_>, signers: &[Arc<Identity>]) -> Result<(), String> {
        let policy = self.find(policy)?;
        if policy.is_satisfied_by(signers) { Ok(()) } else { Err(policy.to_string()) }
    }

    /// The policy in Fabric's policy language.
    pub(crate) fn describe(&self, policy: PolicyRef<'_>) -> Result<String, String> {
        self.find(policy).map(|policy| policy.to_string())
    }

    fn find(&self, policy: PolicyRef<'_>) -> Compiled {
        let config = &*self.config;
        match policy {
            PolicyRef::Application(bytes) => {
                self.application.get(bytes, || config.application_policy(bytes).map_err(|error| error.to_string()))
            }
            PolicyRef::Signature(bytes) => {
                self.signature.get(bytes, || config.signature_policy(bytes).map_err(|error| error.to_string()))
            }
            PolicyRef::Decoded(policy) => config.compile(policy).map_err(|error| error.to_string()),
            PolicyRef::LifecycleEndorsement => match config.policy(LIFECYCLE_ENDORSEMENT) {
                Some(policy) => Ok(policy),
                None => config.majority_of_members().map_err(|error| error.to_string()),
            },
            PolicyRef::Organization(msp_id) => self.organization(msp_id),
            PolicyRef::AnyMember => config.any_member().map_err(|error| error.to_string()),
        }
    }

    fn organization(&self, msp_id: &str) -> Compiled {
        let organization = self
            .config
            .application_organization(msp_id)
            .ok_or_else(|| format!("no organisation of the channel has MSP {msp_id:?}"))?;
        match self.config.policy(&format!("/Channel/Application/{organization}/Endorsement")) {
            Some(policy) => Ok(policy),
            None => self.config.member_of(msp_id).map_err(|error| error.to_string()),
        }
    }
}

impl Cache {
    fn get(&self, bytes: &[u8], compile: impl FnOnce() -> Compiled) -> Compiled {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).policies.get(bytes) {
            return known.clone();
        }
        let compiled = compile();
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.bytes + bytes.len() <= MAX_CACHED_BYTES {
            cached.bytes += bytes.len();
            cached.policies.insert(bytes.into(), compiled.clone());
        }
        compiled
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The policies of a configuration, by path (`policies.ManagerImpl`).

use std::collections::BTreeMap;
use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::configtx::{ConfigGroup, ConfigPolicy};
use fastledger_wire::policies::{ImplicitMetaPolicy as ImplicitMetaDefinition, SignaturePolicyEnvelope, policy_type};

use super::{ImplicitMetaPolicy, Policy, SignaturePolicy};
use crate::error::{IdentityError, Result};
use crate::msp::MspManager;

/// The policies of one group and of those below it.
#[derive(Debug)]
pub struct PolicyManager {
    /// `Channel`, `Channel/Application`, …
    path: String,
    /// By name, or by path from here.
    policies: BTreeMap<String, Arc<Policy>>,
    managers: BTreeMap<String, PolicyManager>,
}

impl PolicyManager {
    /// Compiles the policies of `group` and below; it recurses as deep as the tree, which the caller has bounded.
    pub(crate) fn new(path: &str, group: &ConfigGroup<'_>, msps: &MspManager) -> Result<Self> {
        let mut manager = Self { path: path.to_owned(), policies: BTreeMap::new(), managers: BTreeMap::new() };
        for (name, sub_group) in &group.groups {
            let sub_manager = Self::new(&format!("{path}/{name}"), sub_group, msps)?;
            manager.managers.insert((*name).to_owned(), sub_manager);
        }
        for (name, policy) in &group.policies {
            let refused = |reason| {
                IdentityError::Config(format!(
                    "initializing policymanager failed: policy {name} at path {path} {reason}"
                ))
            };
            let compiled = manager.compile(policy, msps).map_err(refused)?;
            manager.policies.insert((*name).to_owned(), Arc::new(compiled));
        }
        for (group, sub_manager) in &manager.managers {
            let below = sub_manager.policies.iter();
            manager.policies.extend(below.map(|(name, policy)| (format!("{group}/{name}"), Arc::clone(policy))));
        }
        Ok(manager)
    }

    fn compile(&self, policy: &ConfigPolicy<'_>, msps: &MspManager) -> Result<Policy, String> {
        let policy = policy.policy.as_ref().ok_or("was nil")?;
        match policy.r#type {
            policy_type::SIGNATURE => {
                let refused = |reason: String| format!("did not compile: {reason}");
                let envelope =
                    SignaturePolicyEnvelope::decode(policy.value).map_err(|error| refused(error.to_string()))?;
                let compiled = compile_envelope(&envelope, msps).map_err(|error| match error {
                    IdentityError::Policy(reason) => refused(reason),
                    other => refused(other.to_string()),
                })?;
                Ok(Policy::Signature(compiled))
            }
            policy_type::IMPLICIT_META => {
                let definition = ImplicitMetaDefinition::decode(policy.value)
                    .map_err(|error| format!("did not compile: Error unmarshalling to ImplicitMetaPolicy: {error}"))?;
                let below = self
                    .managers
                    .iter()
                    .map(|(name, manager)| (name.clone(), manager.policy(definition.sub_policy).cloned()));
                Ok(Policy::ImplicitMeta(ImplicitMetaPolicy::new(&definition, below.collect())))
            }
            other => Err(format!("has unknown policy type: {other}")),
        }
    }

    /// The policy of this path: relative to this group, or absolute, starting with `/` and this group's own path.
    #[must_use]
    pub fn policy(&self, path: &str) -> Option<&Arc<Policy>> {
        let relative = match path.strip_prefix('/') {
            // Fabric cuts one more character and does not ask whether it is a slash.
            Some(absolute) => {
                let below = absolute.strip_prefix(&self.path)?;
                let mut characters = below.chars();
                characters.next()?;
                characters.as_str()
            }
            None => path,
        };
        self.policies.get(relative)
    }

    /// The manager of a group below.
    #[must_use]
    pub fn manager(&self, path: &[impl AsRef<str>]) -> Option<&Self> {
        path.iter().try_fold(self, |manager, name| manager.managers.get(name.as_ref()))
    }
}

/// Compiles a signature policy as `cauthdsl.NewPolicyProvider` does: only version 0 is understood.
pub(crate) fn compile_envelope(envelope: &SignaturePolicyEnvelope<'_>, msps: &MspManager) -> Result<SignaturePolicy> {
    if envelope.version != 0 {
        return Err(IdentityError::Policy(format!(
            "This evaluator only understands messages of version 0, but version was {}",
            envelope.version
        )));
    }
    SignaturePolicy::compile(envelope, msps)
}

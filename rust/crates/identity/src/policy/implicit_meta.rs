// SPDX-License-Identifier: Apache-2.0
//! Policies over the policies of the groups below (`policies.ImplicitMetaPolicy`).

use std::fmt;
use std::sync::Arc;

use fastledger_wire::policies::{ImplicitMetaPolicy as Definition, implicit_meta_rule};

use super::Policy;
use crate::identity::Identity;

/// A compiled `common.ImplicitMetaPolicy`.
#[derive(Debug)]
pub struct ImplicitMetaPolicy {
    rule: i32,
    sub_policy: String,
    threshold: usize,
    /// The groups below with their policy of that name; one that is missing counts but never holds.
    sub_policies: Vec<(String, Option<Arc<Policy>>)>,
}

impl ImplicitMetaPolicy {
    /// Compiles a definition over the policies that the groups have under its name.
    #[must_use]
    pub fn new(definition: &Definition<'_>, sub_policies: Vec<(String, Option<Arc<Policy>>)>) -> Self {
        let threshold = match definition.rule {
            _ if sub_policies.is_empty() => 0,
            implicit_meta_rule::ANY => 1,
            implicit_meta_rule::ALL => sub_policies.len(),
            implicit_meta_rule::MAJORITY => sub_policies.len() / 2 + 1,
            _ => 0,
        };
        Self { rule: definition.rule, sub_policy: definition.sub_policy.to_owned(), threshold, sub_policies }
    }

    pub(super) fn is_satisfied_by(&self, identities: &[Arc<Identity>]) -> bool {
        let mut satisfied = self.satisfied(identities);
        if self.threshold == 0 {
            // Fabric counts down from the threshold and wants to end at zero, so with an unknown rule none may hold.
            return satisfied.next().is_none();
        }
        satisfied.nth(self.threshold - 1).is_some()
    }

    fn satisfied<'a>(&'a self, identities: &'a [Arc<Identity>]) -> impl Iterator<Item = &'a str> {
        let holds =
            |policy: &Option<Arc<Policy>>| policy.as_ref().is_some_and(|policy| policy.is_satisfied_by(identities));
        self.sub_policies.iter().filter(move |(_, policy)| holds(policy)).map(|(group, _)| group.as_str())
    }

    pub(super) fn refusal(&self, identities: &[Arc<Identity>]) -> String {
        let (satisfied, threshold, name) = (self.satisfied(identities).count(), self.threshold, &self.sub_policy);
        format!(
            "implicit policy evaluation failed - {satisfied} sub-policies were satisfied, but this policy requires \
             {threshold} of the '{name}' sub-policies to be satisfied"
        )
    }

    pub(super) fn unmet(&self, identities: &[Arc<Identity>]) -> Vec<String> {
        let satisfied: Vec<_> = self.satisfied(identities).collect();
        let unmet = self.sub_policies.iter().filter(|(group, _)| !satisfied.contains(&group.as_str()));
        unmet
            .map(|(group, policy)| match policy {
                Some(policy) => format!("{group}/{} = {policy}", self.sub_policy),
                None => format!("{group}/{} (missing)", self.sub_policy),
            })
            .collect()
    }
}

impl fmt::Display for ImplicitMetaPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            implicit_meta_rule::ANY => "ANY",
            implicit_meta_rule::ALL => "ALL",
            implicit_meta_rule::MAJORITY => "MAJORITY",
            _ => "UNKNOWN RULE",
        };
        write!(formatter, "{rule} {} ({} of {})", self.sub_policy, self.threshold, self.sub_policies.len())
    }
}

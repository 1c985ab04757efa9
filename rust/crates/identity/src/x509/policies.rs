// SPDX-License-Identifier: Apache-2.0
//! Certificate policies of a chain (RFC 5280 6.1 with the policy graph of RFC 9618), as Go processes them.
//!
//! They decide anything only where a CA demands an explicit policy or maps policies, so nearly every chain takes
//! the short way out of [`are_valid`].

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::Certificate;
use super::der::{CONTEXT, Der, OBJECT_IDENTIFIER, SEQUENCE, signed};
use super::{CertificateError, Result};

const ANY_POLICY: &[u8] = &[0x55, 0x1d, 0x20, 0];

type Oid = Vec<u8>;

/// The policy extensions of one certificate.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificatePolicies {
    policies: Vec<Oid>,
    /// Issuer's policy and the subject's that it stands for.
    mappings: Vec<(Oid, Oid)>,
    require_explicit: Option<u64>,
    inhibit_mapping: Option<u64>,
    inhibit_any: Option<u64>,
}

impl CertificatePolicies {
    pub(super) fn read_policies(&mut self, mut der: Der<'_>) -> Result<()> {
        const WHAT: &str = "malformed certificate policies";
        let mut list = der.nested(SEQUENCE, WHAT)?;
        let mut seen = BTreeSet::new();
        while !list.is_empty() {
            let oid = list.nested(SEQUENCE, WHAT)?.oid(WHAT)?;
            if !seen.insert(oid) {
                return Err(CertificateError(WHAT));
            }
            self.policies.push(oid.to_vec());
        }
        Ok(())
    }

    pub(super) fn read_mappings(&mut self, mut der: Der<'_>) -> Result<()> {
        const WHAT: &str = "malformed policy mappings";
        let mut list = der.nested(SEQUENCE, WHAT)?;
        while !list.is_empty() {
            let mut mapping = list.nested(SEQUENCE, WHAT)?;
            let issuer = mapping.contents(OBJECT_IDENTIFIER, WHAT)?;
            let subject = mapping.contents(OBJECT_IDENTIFIER, WHAT)?;
            self.mappings.push((issuer.to_vec(), subject.to_vec()));
        }
        Ok(())
    }

    pub(super) fn read_inhibit_any(&mut self, mut der: Der<'_>) -> Result<()> {
        const WHAT: &str = "malformed inhibitAnyPolicy";
        self.inhibit_any = skipped_certificates(der.integer(WHAT)?, WHAT)?;
        Ok(())
    }

    pub(super) fn read_constraints(&mut self, mut der: Der<'_>) -> Result<()> {
        const WHAT: &str = "malformed policy constraints";
        let mut fields = der.nested(SEQUENCE, WHAT)?;
        for (number, limit) in [(0, &mut self.require_explicit), (1, &mut self.inhibit_mapping)] {
            if fields.next_is(CONTEXT | number) {
                *limit = skipped_certificates(fields.tagged_integer(CONTEXT | number, WHAT)?, WHAT)?;
            }
        }
        Ok(())
    }
}

/// How many more certificates a limit lets pass; a negative one is read and has no effect.
fn skipped_certificates(contents: &[u8], what: &'static str) -> Result<Option<u64>> {
    let limit = signed(contents).ok_or(CertificateError(what))?;
    Ok(u64::try_from(limit).ok())
}

/// Whether a chain, leaf first, satisfies the policies of its CAs; its last certificate is the trust anchor.
pub(super) fn are_valid(chain: &[impl AsRef<Certificate>]) -> bool {
    let certificates: Vec<&Certificate> = chain.iter().map(AsRef::as_ref).collect();
    let Some((_, path)) = certificates.split_last() else { return true };
    let decides = |certificate: &&Certificate| {
        let policies = &certificate.extensions.policies;
        policies.require_explicit.is_some() || !policies.mappings.is_empty()
    };
    !path.iter().any(decides) || Path::new(path.len()).process(path)
}

struct Node {
    policy: Oid,
    expected: Vec<Oid>,
    parents: Vec<usize>,
    is_deleted: bool,
}

/// Nodes by depth; within a depth a policy has one node at most.
struct Graph {
    nodes: Vec<Node>,
    strata: Vec<BTreeMap<Oid, usize>>,
}

impl Graph {
    fn new() -> Self {
        let mut graph = Self { nodes: Vec::new(), strata: vec![BTreeMap::new()] };
        graph.insert(ANY_POLICY.to_vec(), vec![ANY_POLICY.to_vec()], Vec::new());
        graph
    }

    fn leaves(&self) -> &BTreeMap<Oid, usize> {
        &self.strata[self.strata.len() - 1]
    }

    fn parents(&self) -> impl Iterator<Item = usize> + '_ {
        self.strata[self.strata.len() - 2].values().copied()
    }

    fn insert(&mut self, policy: Oid, expected: Vec<Oid>, parents: Vec<usize>) {
        let depth = self.strata.len() - 1;
        self.strata[depth].insert(policy.clone(), self.nodes.len());
        self.nodes.push(Node { policy, expected, parents, is_deleted: false });
    }

    fn delete_leaf(&mut self, policy: &[u8]) {
        let depth = self.strata.len() - 1;
        if let Some(node) = self.strata[depth].remove(policy) {
            self.nodes[node].is_deleted = true;
        }
    }

    /// Adds the stratum of a certificate's policies (RFC 5280 6.1.3 (d)).
    fn add(&mut self, policies: &[Oid], any_policy_counts: bool) {
        self.strata.push(BTreeMap::new());
        for policy in policies.iter().filter(|policy| *policy != ANY_POLICY) {
            let expecting: Vec<_> = self.parents().filter(|node| self.nodes[*node].expected.contains(policy)).collect();
            let any = || self.strata[self.strata.len() - 2].get(ANY_POLICY).map(|node| vec![*node]).unwrap_or_default();
            let parents = if expecting.is_empty() { any() } else { expecting };
            if !parents.is_empty() {
                self.insert(policy.clone(), vec![policy.clone()], parents);
            }
        }
        if any_policy_counts && policies.iter().any(|policy| policy == ANY_POLICY) {
            self.add_missing();
        }
        self.prune();
    }

    /// anyPolicy stands for every policy that a parent expects and no leaf has.
    fn add_missing(&mut self) {
        let mut missing: BTreeMap<Oid, Vec<usize>> = BTreeMap::new();
        for parent in self.parents() {
            for expected in self.nodes[parent].expected.iter().filter(|policy| !self.leaves().contains_key(*policy)) {
                missing.entry(expected.clone()).or_default().push(parent);
            }
        }
        for (policy, parents) in missing {
            self.insert(policy.clone(), vec![policy], parents);
        }
    }

    fn prune(&mut self) {
        for depth in (1..self.strata.len() - 1).rev() {
            let with_children: BTreeSet<usize> = self
                .nodes
                .iter()
                .filter(|node| !node.is_deleted)
                .flat_map(|node| node.parents.iter().copied())
                .collect();
            let (kept, dropped): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut self.strata[depth]).into_iter().partition(|(_, node)| with_children.contains(node));
            self.strata[depth] = kept;
            for node in dropped.into_values() {
                self.nodes[node].is_deleted = true;
            }
        }
    }

    /// Applies mappings, or without leave to map deletes what they would map; false where one names anyPolicy.
    fn map(&mut self, mappings: &[(Oid, Oid)], may_map: bool) -> bool {
        let mut subjects: BTreeMap<Oid, Vec<Oid>> = BTreeMap::new();
        for (issuer, subject) in mappings {
            if !may_map {
                self.delete_leaf(issuer);
            } else if issuer == ANY_POLICY || subject == ANY_POLICY {
                return false;
            } else {
                subjects.entry(issuer.clone()).or_default().push(subject.clone());
            }
        }
        self.prune();
        for (issuer, subjects) in subjects {
            if let Some(leaf) = self.leaves().get(&issuer).copied() {
                self.nodes[leaf].expected = subjects;
            } else if let Some(any) = self.leaves().get(ANY_POLICY).copied() {
                self.insert(issuer, subjects, vec![any]);
            }
        }
        true
    }

    /// Whether any policy is left that the authorities vouch for (RFC 5280 6.1.5 (g)).
    fn has_valid_policy(&self) -> bool {
        let below_any = |node: &usize| match self.nodes[*node].parents[..] {
            [parent] => self.nodes[*node].policy != ANY_POLICY && self.nodes[parent].policy == ANY_POLICY,
            _ => false,
        };
        self.leaves().contains_key(ANY_POLICY) || self.strata.iter().flat_map(BTreeMap::values).any(below_any)
    }
}

/// The counters of RFC 5280 6.1.2: how many more certificates may go without.
struct Path {
    explicit: u64,
    mapping: u64,
    any: u64,
    graph: Option<Graph>,
}

impl Path {
    fn new(length: usize) -> Self {
        let start = length as u64 + 1;
        Self { explicit: start, mapping: start, any: start, graph: Some(Graph::new()) }
    }

    fn process(mut self, path: &[&Certificate]) -> bool {
        let top_down = path.iter().enumerate().rev();
        let accepted = top_down.fold(true, |accepted, (index, certificate)| accepted && self.step(index, certificate));
        self.explicit = self.explicit.saturating_sub(1);
        if path.first().is_some_and(|leaf| leaf.extensions.policies.require_explicit == Some(0)) {
            self.explicit = 0;
        }
        accepted && (self.explicit > 0 || self.graph.is_some_and(|graph| graph.has_valid_policy()))
    }

    fn step(&mut self, index: usize, certificate: &Certificate) -> bool {
        let policies = &certificate.extensions.policies;
        let is_self_issued = certificate.raw_issuer == certificate.raw_subject;
        if policies.policies.is_empty() {
            self.graph = None;
        }
        if let Some(graph) = &mut self.graph {
            graph.add(&policies.policies, self.any > 0 || (index > 0 && is_self_issued));
            if index > 0 && !policies.mappings.is_empty() && !graph.map(&policies.mappings, self.mapping > 0) {
                return false;
            }
        } else if self.explicit == 0 {
            return false;
        }
        if index > 0 {
            self.descend(policies, is_self_issued);
        }
        true
    }

    fn descend(&mut self, policies: &CertificatePolicies, is_self_issued: bool) {
        let limits = [policies.require_explicit, policies.inhibit_mapping, policies.inhibit_any];
        for (counter, limit) in [&mut self.explicit, &mut self.mapping, &mut self.any].into_iter().zip(limits) {
            if !is_self_issued {
                *counter = counter.saturating_sub(1);
            }
            *counter = limit.map_or(*counter, |limit| limit.min(*counter));
        }
    }
}

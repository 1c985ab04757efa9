// SPDX-License-Identifier: Apache-2.0
//! Signature policies: nested `NOutOf` over principals (`cauthdsl.compile`).
//!
//! Evaluation is greedy and in order: a principal takes the first unused signer that satisfies it, every rule of an
//! `NOutOf` is tried even when enough have held, and a rule that fails gives back the signers that it took. Policies
//! nest as deep as a message may, so they are compiled to a flat form and evaluated without recursion.

use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use fastledger_wire::policies::{SignaturePolicy as Rule, SignaturePolicyEnvelope};

use super::principal::Principal;
use crate::error::{IdentityError, Result};
use crate::identity::Identity;
use crate::msp::MspManager;

/// Text of a policy that people are shown; the rest is cut.
const RENDERED_BYTES: usize = 4096;
/// Nesting that people are shown.
const RENDERED_DEPTH: usize = 16;

/// A compiled `SignaturePolicyEnvelope`.
#[derive(Debug)]
pub struct SignaturePolicy {
    /// Those that the rules refer to, in the envelope's order.
    principals: Vec<Principal>,
    /// The root comes first; the rules of an `NOutOf` stand side by side.
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    SignedBy(usize),
    NOutOf { n: i32, rules: Range<usize> },
}

impl SignaturePolicy {
    /// Compiles a policy for the identities of `msps`. The envelope's version is left to the caller.
    pub fn compile(envelope: &SignaturePolicyEnvelope<'_>, msps: &MspManager) -> Result<Self> {
        let root = envelope.rule.as_ref().ok_or_else(|| IdentityError::Policy("Empty policy element".into()))?;
        let mut nodes = flatten(root, envelope.identities.len())?;
        let compile = |index| Principal::compile(&envelope.identities[index], msps);
        let principals = number_anew(&mut nodes).into_iter().map(compile).collect();
        Ok(Self { principals, nodes })
    }

    pub(super) fn is_satisfied_by(&self, identities: &[Arc<Identity>]) -> bool {
        if identities.len() <= 64 {
            self.run(identities, 0u64)
        } else {
            self.run(identities, vec![0u64; identities.len().div_ceil(64)])
        }
    }

    fn run<U: Used>(&self, identities: &[Arc<Identity>], none: U) -> bool {
        let mut open = vec![Gate { rules: 0..1, needed: 1, satisfied: 0, used: none }];
        loop {
            let Some(gate) = open.last_mut() else { return false };
            if let Some(rule) = gate.rules.next() {
                match &self.nodes[rule] {
                    Node::SignedBy(principal) => {
                        let principal = &self.principals[*principal];
                        let taken = identities.iter().enumerate().find(|(index, identity)| {
                            !gate.used.contains(*index) && principal.is_satisfied_by(identity)
                        });
                        if let Some((index, _)) = taken {
                            gate.used.insert(index);
                            gate.satisfied += 1;
                        }
                    }
                    Node::NOutOf { n, rules } => {
                        let used = gate.used.clone();
                        open.push(Gate { rules: rules.clone(), needed: i64::from(*n), satisfied: 0, used });
                    }
                }
                continue;
            }
            let Some(done) = open.pop() else { return false };
            let holds = done.satisfied >= done.needed;
            match open.last_mut() {
                None => return holds,
                Some(parent) if holds => {
                    parent.satisfied += 1;
                    parent.used = done.used;
                }
                Some(_) => {}
            }
        }
    }

    /// The principals in use that none of the identities satisfies.
    pub(super) fn unmet(&self, identities: &[Arc<Identity>]) -> Vec<String> {
        let is_met = |principal: &&Principal| identities.iter().any(|identity| principal.is_satisfied_by(identity));
        self.principals.iter().filter(|principal| !is_met(principal)).map(ToString::to_string).collect()
    }

    fn render(&self, node: usize, depth: usize, out: &mut Excerpt) -> fmt::Result {
        match &self.nodes[node] {
            _ if depth > RENDERED_DEPTH => out.write_char('…'),
            Node::SignedBy(principal) => write!(out, "{}", self.principals[*principal]),
            Node::NOutOf { n, rules } => {
                write!(out, "OutOf({n}")?;
                for rule in rules.clone() {
                    out.write_str(", ")?;
                    self.render(rule, depth + 1, out)?;
                }
                out.write_char(')')
            }
        }
    }
}

/// The first [`RENDERED_BYTES`] of a text; writing more fails, so that nobody goes on making it.
#[derive(Default)]
struct Excerpt(String);

impl Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = RENDERED_BYTES - self.0.len();
        if text.len() <= left {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=left).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

impl Node {
    fn principal(&self) -> Option<usize> {
        match self {
            Self::SignedBy(principal) => Some(*principal),
            Self::NOutOf { .. } => None,
        }
    }
}

impl fmt::Display for SignaturePolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Excerpt::default();
        let whole = self.render(0, 0, &mut text);
        formatter.write_str(&text.0)?;
        if whole.is_err() { formatter.write_char('…') } else { Ok(()) }
    }
}

/// Lays the rules out breadth first, so that the rules of one gate stand side by side.
fn flatten(root: &Rule, principals: usize) -> Result<Vec<Node>> {
    let mut rules = vec![root];
    let mut nodes = Vec::new();
    while let Some(rule) = rules.get(nodes.len()).copied() {
        nodes.push(match rule {
            Rule::Unset => return Err(IdentityError::Policy("Unknown type: <nil>:<nil>".into())),
            Rule::SignedBy(index) => {
                Node::SignedBy(usize::try_from(*index).ok().filter(|i| *i < principals).ok_or_else(|| {
                    IdentityError::Policy(format!(
                        "identity index out of range, requested {index}, but identities length is {principals}"
                    ))
                })?)
            }
            Rule::NOutOf(gate) => {
                let start = rules.len();
                rules.extend(&gate.rules);
                Node::NOutOf { n: gate.n, rules: start..rules.len() }
            }
        });
    }
    Ok(nodes)
}

/// Has the rules refer to the principals by their places in the list that is returned, of those alone: an envelope may
/// name many more.
fn number_anew(nodes: &mut [Node]) -> Vec<usize> {
    let mut referred: Vec<usize> = nodes.iter().filter_map(Node::principal).collect();
    referred.sort_unstable();
    referred.dedup();
    for node in nodes {
        if let Node::SignedBy(principal) = node {
            *principal = referred.partition_point(|other| other < principal);
        }
    }
    referred
}

/// An `NOutOf` under evaluation.
struct Gate<U> {
    rules: Range<usize>,
    needed: i64,
    satisfied: i64,
    used: U,
}

/// Which signers are taken.
trait Used: Clone {
    fn contains(&self, index: usize) -> bool;
    fn insert(&mut self, index: usize);
}

impl Used for u64 {
    fn contains(&self, index: usize) -> bool {
        self >> index & 1 == 1
    }

    fn insert(&mut self, index: usize) {
        *self |= 1 << index;
    }
}

impl Used for Vec<u64> {
    fn contains(&self, index: usize) -> bool {
        self[index / 64].contains(index % 64)
    }

    fn insert(&mut self, index: usize) {
        self[index / 64].insert(index % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msp::MspVersion;
    use fastledger_wire::msp::MspPrincipal;
    use fastledger_wire::policies::NOutOf;

    #[test]
    fn what_no_rule_refers_to_is_not_compiled() {
        let principal = |principal| MspPrincipal { principal_classification: 0, principal };
        let members: Vec<_> = (b'A'..=b'Z').map(|letter| [0x0a, 1, letter]).collect();
        let identities = members.iter().map(|member| principal(member)).collect();
        let rules = [25, 3, 25, 0].map(Rule::SignedBy).to_vec();
        let rule = Rule::NOutOf(NOutOf { n: 4, rules });
        let envelope = SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities };
        let policy = SignaturePolicy::compile(&envelope, &MspManager::from_msps(MspVersion::V1_4_3, []));
        let policy = policy.expect("compiles");
        assert_eq!(policy.principals.len(), 3);
        assert_eq!(policy.to_string(), "OutOf(4, 'Z.member', 'D.member', 'Z.member', 'A.member')");
    }

    #[test]
    fn the_text_of_a_policy_is_short_whatever_is_in_it() {
        // An MSP's name of a megabyte of letters that take two bytes each.
        let name = "é".repeat(500_000);
        let mut member = Vec::new();
        fastledger_wire::encode::bytes_field(&mut member, 1, name.as_bytes());
        let principal = MspPrincipal { principal_classification: 0, principal: &member };
        let rule = Rule::NOutOf(NOutOf { n: 1, rules: vec![Rule::SignedBy(0); 3] });
        let envelope = SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities: vec![principal] };
        let msps = MspManager::from_msps(MspVersion::V1_4_3, []);
        let policy = SignaturePolicy::compile(&envelope, &msps).expect("compiles");
        let text = policy.to_string();
        assert!(text.starts_with("OutOf(1, 'éé") && text.ends_with("é…"), "{} bytes", text.len());
        assert!(text.len() <= RENDERED_BYTES + "…".len());
    }
}

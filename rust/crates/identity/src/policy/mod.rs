// SPDX-License-Identifier: Apache-2.0
//! Policies: who must have signed (Fabric's `common/policies` and `common/cauthdsl`).
//!
//! Evaluation takes identities, not signatures: the caller verifies signatures first, in batches, and passes on those
//! who signed well, each once (see [`Signers`]). Identities that their MSP calls invalid may be among them; nearly
//! every principal asks for validity itself.

mod implicit_meta;
mod principal;
mod signature;
mod signers;
mod tree;

use std::fmt;
use std::sync::Arc;

use crate::identity::Identity;

pub use implicit_meta::ImplicitMetaPolicy;
pub use principal::Principal;
pub use signature::SignaturePolicy;
pub use signers::Signers;
pub use tree::PolicyManager;

pub(crate) use tree::compile_envelope;

/// A compiled policy.
#[derive(Debug)]
pub enum Policy {
    /// So many of these principals.
    Signature(SignaturePolicy),
    /// So many of the policies of this name, one level below.
    ImplicitMeta(ImplicitMetaPolicy),
}

/// Why a policy does not hold, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsatisfied {
    /// The policy's rule, such as `OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer')`.
    pub rule: String,
    /// Who signed well.
    pub signers: Vec<String>,
    /// Principals (of a signature policy) that none of the signers satisfies, or sub-policies that do not hold.
    pub unmet: Vec<String>,
}

/// What evaluating a policy gives.
pub type PolicyResult = Result<(), Box<Unsatisfied>>;

impl Policy {
    /// Whether these identities, each listed once, satisfy the policy.
    #[must_use]
    pub fn is_satisfied_by(&self, identities: &[Arc<Identity>]) -> bool {
        match self {
            Self::Signature(policy) => policy.is_satisfied_by(identities),
            Self::ImplicitMeta(policy) => policy.is_satisfied_by(identities),
        }
    }

    /// [`Self::is_satisfied_by`], with the reason where they do not.
    pub fn evaluate(&self, identities: &[Arc<Identity>]) -> PolicyResult {
        if self.is_satisfied_by(identities) {
            return Ok(());
        }
        let unmet = match self {
            Self::Signature(policy) => policy.unmet(identities),
            Self::ImplicitMeta(policy) => policy.unmet(identities),
        };
        let signers = identities.iter().map(ToString::to_string).collect();
        Err(Box::new(Unsatisfied { rule: self.to_string(), signers, unmet }))
    }
}

impl Policy {
    /// What Fabric says where these identities do not satisfy the policy.
    #[must_use]
    pub fn refusal(&self, identities: &[Arc<Identity>]) -> String {
        match self {
            Self::Signature(_) => "signature set did not satisfy policy".to_owned(),
            Self::ImplicitMeta(policy) => policy.refusal(identities),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(policy) => policy.fmt(formatter),
            Self::ImplicitMeta(policy) => policy.fmt(formatter),
        }
    }
}

impl fmt::Display for Unsatisfied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &[String]| if list.is_empty() { "nobody".to_owned() } else { list.join(", ") };
        write!(formatter, "{} is not satisfied by {}", self.rule, list(&self.signers))?;
        if self.unmet.is_empty() {
            return formatter.write_str("; each signature counts once");
        }
        write!(formatter, "; unmet: {}", self.unmet.join(", "))
    }
}

impl std::error::Error for Unsatisfied {}

// SPDX-License-Identifier: Apache-2.0
//! Why a transaction is what it is: a code for the ledger, a reason for people.

use std::sync::Arc;

use fastledger_mvcc::StateKey;
use fastledger_wire::{TxValidationCode, hash};
use serde::Serialize;

/// An invalid transaction's code and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What goes into the block's transactions filter.
    pub code: TxValidationCode,
    /// What a person is told.
    pub reason: Arc<Reason>,
}

/// The fact that decided a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A rule about the transaction's form or identities was broken.
    Rule {
        /// Which rule and by what.
        text: String,
    },
    /// An endorsement policy was not satisfied.
    Policy {
        /// Chaincode whose write it guards.
        namespace: String,
        /// Which policy it was: of the chaincode, of a collection, or of a key.
        guards: String,
        /// The policy in Fabric's policy language.
        policy: String,
        /// Every endorsement of the transaction and what came of it.
        endorsements: Vec<EndorsementOutcome>,
    },
    /// A key was not at the version that the transaction read.
    Read {
        /// The key that was read.
        key: KeyName,
        /// The version that the simulation saw, absent when the key did not exist.
        expected: Option<String>,
        /// The committed version, absent when the key does not exist.
        found: Option<String>,
        /// The earlier transaction of the same block that wrote the key.
        written_in_block_by: Option<u32>,
    },
    /// A range of keys was not what the transaction's query saw.
    Phantom {
        /// Chaincode whose keys were queried.
        namespace: String,
        /// First key of the range.
        start_key: String,
        /// End of the range, exclusive.
        end_key: String,
        /// What differs first.
        difference: String,
    },
}

/// A key in a form that JSON can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyName {
    /// Chaincode name.
    pub namespace: String,
    /// Collection name, empty for public state.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub collection: String,
    /// The key, or in a collection the hexadecimal SHA-256 of it.
    pub key: String,
}

impl From<StateKey<'_>> for KeyName {
    fn from(key: StateKey<'_>) -> Self {
        Self {
            namespace: key.namespace.to_owned(),
            collection: key.collection.to_owned(),
            key: match std::str::from_utf8(key.key) {
                Ok(text) if key.collection.is_empty() => text.to_owned(),
                _ => hash::hex(key.key),
            },
        }
    }
}

/// What became of one endorsement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndorsementOutcome {
    /// The endorser's MSP, as it claims.
    pub msp_id: String,
    /// The certificate's subject common name, empty when it cannot be read.
    pub subject: String,
    /// `valid`, or why the endorsement does not count.
    pub outcome: String,
}

impl Invalid {
    /// A broken rule.
    pub fn rule(code: TxValidationCode, text: impl Into<String>) -> Self {
        Self { code, reason: Arc::new(Reason::Rule { text: text.into() }) }
    }
}

/// One transaction's explanation as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation<'a> {
    /// Index of the transaction in its block.
    pub tx: u32,
    /// Fabric's name of the code.
    pub code: &'static str,
    /// The fact that decided it.
    pub reason: &'a Reason,
}

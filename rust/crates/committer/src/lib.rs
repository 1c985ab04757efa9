// SPDX-License-Identifier: Apache-2.0
//! Validates blocks as a Hyperledger Fabric peer does and commits them.
//!
//! The way of a block, and of each transaction in it:
//!
//! | module | Fabric's counterpart | what happens |
//! |---|---|---|
//! | `incoming` | `gossip/state` | the block's outer message is read |
//! | `transaction`, `well_formed` | `core/common/validation` | entries are taken apart |
//! | `checked` | `msp`, `bccsp` | identities are looked up, signatures verified |
//! | `block` | `internal/peer/gossip/mcs.go` | hash chain and orderers' signatures |
//! | `judge`, `era`, `invocation`, `endorsement`, `lscc` | `core/committer/txvalidator` | duplicates, definitions, policies |
//! | `fastledger_mvcc` | `core/ledger/kvledger/txmgmt` | reads against versions |
//! | `committer`, `flusher` | `core/ledger/kvledger` | block file, state, history, indexes |
//!
//! [`PeerLedger`] is the face of it all, [`Excerpt`] that of blocks whose beginning is missing. "This transaction is
//! invalid" is a code in a [`CommitResult`]; "this block may not be taken" and "this machine failed" are
//! [`CommitError`]s.

#![forbid(unsafe_code)]

mod answers;
mod block;
mod checked;
mod collections;
mod committer;
mod counts;
mod current_config;
mod definitions;
mod durable;
mod endorsement;
mod era;
mod error;
mod excerpt;
mod explain;
mod flusher;
mod gate;
mod genesis;
mod incoming;
mod invocation;
mod judge;
mod key_policies;
mod lscc;
mod outcome;
mod peer_ledger;
mod pipeline;
mod policies;
mod private;
mod rules;
mod size;
mod stored_config;
mod system_chaincodes;
mod threads;
mod timings;
mod transaction;
mod verdict;
mod well_formed;

pub use answers::{definition, endorsement_policy};
pub use counts::describe_metrics;
pub use definitions::{Definition, LegacyDefinition, LifecycleDefinition, Unusable};
pub use error::{CommitError, Refusal};
pub use excerpt::{Examined, Excerpt};
pub use incoming::MAX_BLOCK_BYTES;
pub use outcome::CommitResult;
pub use peer_ledger::{Options, PeerLedger};
pub use private::{CollectionEffects, HashedWrite, PrivateEffects};
pub use timings::{Spent, Stage, Timings};
pub use verdict::{EndorsementOutcome, KeyName, Reason};

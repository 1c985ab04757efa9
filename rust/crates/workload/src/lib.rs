// SPDX-License-Identifier: Apache-2.0
//! Makes whole Fabric channels out of nothing, and says beforehand what a peer will make of them.
//!
//! A [`Spec`] says what the channel is to be like; a [`Workload`] is the channel, as a stream of blocks with the
//! `TxValidationCode` of every transaction. Everything is real: certificates, MSPs, policies, the approval and commit of
//! the chaincode's definition, endorsements, signatures, hashes. Everything follows from the specification, so the same
//! specification gives the same bytes on every machine and with any number of threads.
//!
//! ```
//! use fastledger_workload::{Spec, Workload};
//!
//! let spec = Spec { transactions: 20, block_transactions: 10, keys: 50, ..Spec::default() };
//! let measured = Workload::new(&spec)?.filter(|block| block.is_measured);
//! assert_eq!(measured.map(|block| block.predicted.len()).sum::<usize>(), 20);
//! # Ok::<(), fastledger_workload::WorkloadError>(())
//! ```
//!
//! | module | what it makes |
//! |---|---|
//! | `spec` | the specification and what it may say |
//! | `signer`, `certificates`, `identities` | keys, signatures, certificates, everybody on the channel |
//! | `policies`, `genesis`, `lifecycle` | policies, the configuration block, the chaincode's definition |
//! | `keys`, `draws`, `planner` | what each transaction does |
//! | `state_model`, `endorsement` | what becomes of it |
//! | `chaincode`, `rwset`, `transaction` | its wire form |
//! | `blocks`, `workload` | blocks, chained and signed |
//! | `files` | channels on disk |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod blocks;
mod certificates;
mod chaincode;
mod draws;
mod endorsement;
mod error;
pub mod files;
mod genesis;
mod identities;
mod keys;
mod lifecycle;
mod message;
mod planner;
mod policies;
mod rwset;
mod signer;
mod spec;
mod state_model;
mod transaction;
mod workload;

pub use blocks::GeneratedBlock;
pub use error::{Result, WorkloadError};
pub use identities::Identity;
pub use spec::{EndorsementPolicy, KeyDistribution, Spec};
pub use workload::Workload;

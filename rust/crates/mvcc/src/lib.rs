// SPDX-License-Identifier: Apache-2.0
//! Decides which transactions of a block read what is still true, and what the valid ones change.
//!
//! [`sequential`] is the judge: short, in block order, obviously right. [`parallel`] is the product and agrees with
//! it on every input. Both follow Fabric's `core/ledger/kvledger/txmgmt/validation`.
//!
//! # Where Fabric would stop
//!
//! Some read-write sets make a real peer crash or refuse to go on. Nothing a transaction says may stop a channel, so
//! here they make the transaction invalid, with the code of the check that Fabric was in:
//!
//! | in Fabric | here |
//! |---|---|
//! | a raw range result without a version (nil dereference) | differs from every result: `PHANTOM_READ_CONFLICT` |
//! | a merkle summary of degree 0 or 1 (error) | cannot match: `PHANTOM_READ_CONFLICT` |
//! | a range that outgrows its merkle summary's level (index out of range) | differs: `PHANTOM_READ_CONFLICT` |
//! | a merkle summary over a key that is not UTF-8 (error) | cannot match: `PHANTOM_READ_CONFLICT` |
//! | metadata written to a key that the block deleted before (panic) | its value is gone: `MVCC_READ_CONFLICT` |
//! | kinds of write that add up to none at all, such as 32 deletes (panic) | `INVALID_WRITESET` |
//!
//! The last two are judged after the reads, where Fabric applies the writes; a read conflict comes first.

#![forbid(unsafe_code)]

mod changes;
mod checks;
pub mod commit_hash;
mod conflict;
pub mod merkle;
pub mod parallel;
mod phantom;
pub mod sequential;
pub mod state;
mod summaries;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod voids;
mod writes;

pub use commit_hash::{commit_hash, update_bytes};
pub use conflict::{Conflict, Difference};
pub use state::{StateKey, StateReader, Update, UpdateBatch, VersionedValue};

use fastledger_wire::rwset::TxRwSet;

/// A transaction that every check before MVCC let pass.
#[derive(Debug, Clone, Copy)]
pub struct Transaction<'a> {
    /// What the simulation read and wrote.
    pub rwset: &'a TxRwSet<'a>,
    /// Position in the block; with the block's number it is the version of what the transaction writes.
    pub index: u32,
}

/// The verdict over one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated<'a> {
    /// The invalid transactions by their index, in block order; all others are valid.
    pub conflicts: Vec<(u32, Conflict<'a>)>,
    /// What the valid transactions change.
    pub batch: UpdateBatch<'a>,
}

/// Why a block could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum MvccError<E: std::error::Error + 'static> {
    /// The committed state could not be read.
    #[error("cannot read the committed state: {0}")]
    State(#[from] E),
}

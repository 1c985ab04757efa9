// SPDX-License-Identifier: Apache-2.0
//! What comes out of the pipeline for each block that went in.

use fastledger_wire::{Hash, TxValidationCode};

use crate::error::CommitError;
use crate::private::PrivateEffects;
use crate::timings::Timings;

/// What became of one block.
#[derive(Debug, Clone)]
pub struct CommitResult {
    /// The block's number.
    pub number: u64,
    /// Hash of its header.
    pub header_hash: Hash,
    /// Hash of its data.
    pub data_hash: Hash,
    /// The commit hash, none for block 0 and in ledgers that were begun before 1.4.1.
    pub commit_hash: Option<Hash>,
    /// What an auditor should know of the block beside its verdicts: channels that it creates, rules of an older release
    /// by which it was judged.
    pub notes: Vec<String>,
    /// One code for each transaction.
    pub codes: Vec<TxValidationCode>,
    /// What the transactions do to private data.
    pub private_effects: Vec<PrivateEffects>,
    /// The transactions filter that the block came with; empty for none.
    pub stored_codes: Vec<u8>,
    /// The commit hash that the block came with; empty for none.
    pub stored_commit_hash: Vec<u8>,
    /// Where the time went.
    pub timings: Timings,
}

/// A result, or why there is none.
pub(crate) type Outcome = Result<CommitResult, CommitError>;

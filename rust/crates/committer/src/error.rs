// SPDX-License-Identifier: Apache-2.0
//! What stops a channel: a block that may not be taken, or a machine that does not work.

use fastledger_defect::Defect;
use fastledger_ledger::LedgerError;
use fastledger_wire::DecodeError;
use fastledger_wire::hash::hex;
use thiserror::Error;

/// Why a block is refused whole; nothing of it is written.
#[derive(Debug, Error)]
pub enum Refusal {
    /// More than a message may have.
    #[error("it has {bytes} bytes, more than the {most} that a message may have")]
    TooLarge {
        /// See [`crate::MAX_BLOCK_BYTES`].
        most: usize,
        /// Its size.
        bytes: usize,
    },
    /// The bytes are not a `common.Block`.
    #[error("it is not a block: {0}")]
    Undecodable(#[source] DecodeError),
    /// A part is missing.
    #[error("it has no {0}")]
    Incomplete(&'static str),
    /// Not the next block of this ledger.
    #[error("the ledger expects block {expected}{}", beginning(*expected))]
    Number {
        /// Height of the ledger.
        expected: u64,
    },
    /// The chain is broken.
    #[error("its previous hash is {}, but the block before it hashes to {}", hex(found), hex(expected))]
    PreviousHash {
        /// From the block's header.
        found: Vec<u8>,
        /// Header hash of the last block.
        expected: Vec<u8>,
    },
    /// Header and data do not belong together.
    #[error("its header says data hash {}, but its data hashes to {}", hex(found), hex(expected))]
    DataHash {
        /// From the block's header.
        found: Vec<u8>,
        /// Computed.
        expected: Vec<u8>,
    },
    /// An entry is not exactly one envelope.
    #[error("entry {index} is not a well-formed envelope: {text}")]
    Malformed {
        /// Index of the entry.
        index: usize,
        /// What is wrong with it.
        text: String,
    },
    /// It belongs elsewhere.
    #[error("it belongs to channel {found:?}, this is {expected:?}")]
    Channel {
        /// From its first entry.
        found: String,
        /// The ledger's.
        expected: String,
    },
    /// The orderers' signatures do not satisfy the channel's policy.
    #[error("its orderer signatures are not sufficient: {0}")]
    Signatures(String),
    /// A channel's creation that the system channel's rules reject.
    #[error("transaction {index} creates a channel against the rules: {text}")]
    Creation {
        /// Index of the transaction.
        index: usize,
        /// Why.
        text: String,
    },
    /// A configuration that the channel's rules reject.
    #[error("transaction {index} is a configuration that cannot be applied: {text}")]
    Config {
        /// Index of the transaction.
        index: usize,
        /// Why.
        text: String,
    },
}

/// What to do where the blocks before are nowhere.
fn beginning(expected: u64) -> &'static str {
    match expected {
        0 => "; where a channel's blocks begin later, its ledger began with a snapshot: restore that first",
        _ => "",
    }
}

/// Why a block was not committed.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The block may not be taken.
    #[error("block {number} is refused: {refusal}")]
    Refused {
        /// The number that it claims, or that was expected where it has none.
        number: u64,
        /// Why.
        #[source]
        refusal: Box<Refusal>,
    },
    /// Storage failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A block of the ledger's own files is judged otherwise than when it was committed.
    #[error("block {number} of the ledger's block files is not judged as it was: {what}")]
    Replay {
        /// The block.
        number: u64,
        /// What differs.
        what: String,
    },
    /// A block of the ledger's own files cannot be read.
    #[error("block {number} of the ledger's block files cannot be decoded: {reason}")]
    Undecodable {
        /// The block.
        number: u64,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// A block was written, but not brought to stable storage.
    #[error("the block may not survive a power cut: {0}")]
    NotDurable(String),
    /// The configuration in the derived stores cannot be read.
    #[error("the stored channel configuration is damaged ({0}); rebuild the ledger")]
    StoredConfig(String),
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Threads(String),
    /// The block was submitted behind one that was refused.
    #[error("the block was submitted behind one that was refused; submit it again")]
    Void,
    /// There is nothing to take a snapshot of.
    #[error("the ledger is empty")]
    Empty,
    /// An outcome was asked for, but no block is in flight.
    #[error("no block is in flight")]
    NothingSubmitted,
    /// An earlier block stopped the pipeline.
    #[error("the pipeline has stopped; open the ledger again")]
    Stopped,
    /// A thread panicked: a defect of this program.
    #[error("block {number} cannot be judged: {defect}")]
    Defect {
        /// The block being processed.
        number: u64,
        /// The panic.
        #[source]
        defect: Defect,
    },
}

// SPDX-License-Identifier: Apache-2.0
//! Why a member does not do what it is told.

use fastledger_wire::DecodeError;
use thiserror::Error;

use crate::message::MessageKind;

/// Settings that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("raft: {0}")]
pub struct ConfigInvalid(pub(crate) &'static str);

/// Why a message or a proposal was not taken. But for [`LostEntries`](Self::LostEntries) nothing has changed by it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepError {
    /// Bytes that are not a `raftpb.Message`.
    #[error("not an encoded raftpb.Message: {0}")]
    Undecodable(#[from] DecodeError),
    /// A message that a member only sends itself came from another.
    #[error("member {from} sent {kind}, which no member may send to another")]
    Local {
        /// What it is.
        kind: MessageKind,
        /// Who sent it.
        from: u64,
    },
    /// It is for another member, which happens when an id was given up and the sender does not know.
    #[error("a message for member {to} reached member {id}")]
    Misdirected {
        /// Whom it names.
        to: u64,
        /// Who this is.
        id: u64,
    },
    /// An answer of somebody who is no member.
    #[error("{kind} from {from}, which is no member")]
    Stranger {
        /// What it is.
        kind: MessageKind,
        /// Who sent it.
        from: u64,
    },
    /// A message that breaks the rules every sender keeps.
    #[error("{kind} from member {from} {reason}")]
    Malformed {
        /// What it is.
        kind: MessageKind,
        /// Who sent it.
        from: u64,
        /// Which rule.
        reason: &'static str,
    },
    /// A proposal that is not taken; it may be made again, to the leader.
    #[error("the proposal is dropped: {0}")]
    Dropped(&'static str),
    /// The leader relies on entries that this member has not: its log was lost, or is of another cluster.
    ///
    /// It must stop, and never vote again under this id: what it had acknowledged may have been committed by that.
    #[error(
        "member {from} relies on entry {relied} of this member, whose log ends at {last} and is committed to {committed}: \
         the log was lost or replaced; remove this member and add it again under a new id"
    )]
    LostEntries {
        /// The leader.
        from: u64,
        /// The entry.
        relied: u64,
        /// The last entry of this log.
        last: u64,
        /// Up to where this log is committed.
        committed: u64,
    },
}

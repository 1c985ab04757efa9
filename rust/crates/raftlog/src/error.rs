// SPDX-License-Identifier: Apache-2.0
//! How a log can break.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the log cannot do what it was asked to do. What was durable before still is.
#[derive(Debug, Error)]
pub enum LogError {
    /// The operating system refused; the same may be tried again.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process, or another handle of this one, has it open.
    #[error("the Raft log {} is already open; stop the other orderer that uses it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file does not hold what was written to it.
    ///
    /// A member must not go on without what it promised.
    #[error(
        "the Raft log {} is damaged at offset {offset}: {reason}; remove this member from the channel, delete its log, and \
         add it again under a new id",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The log is of another member.
    #[error("the Raft log {} is of member {found}, not of {wanted}", path.display())]
    OtherMember {
        /// The file.
        path: PathBuf,
        /// Whose log it is.
        found: u64,
        /// Whose log it should be.
        wanted: u64,
    },
    /// More at once than a frame can hold.
    #[error("{bytes} bytes are more than the {limit} that the Raft log writes at once")]
    TooLarge {
        /// So much.
        bytes: usize,
        /// The most.
        limit: usize,
    },
}

/// The crate's results.
pub(crate) type Result<T> = std::result::Result<T, LogError>;

// SPDX-License-Identifier: Apache-2.0
//! How a ledger can break.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the ledger cannot do what it was asked to do.
///
/// None of these says anything about a transaction; after any of them what is on disk is what it was before.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process, or another handle of this one, has the ledger open.
    #[error("ledger {} is already open; close it there or choose another folder", path.display())]
    InUse {
        /// The ledger's folder.
        path: PathBuf,
    },
    /// A block file does not hold what it must hold.
    #[error("block file {} is damaged at offset {offset}: {reason}", path.display())]
    DamagedBlockFile {
        /// The file.
        path: PathBuf,
        /// Offset of the damaged record's length prefix, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A block that does not continue the chain.
    #[error("block {number} cannot be appended: {reason}")]
    NotNext {
        /// The block's number.
        number: u64,
        /// What does not fit.
        reason: String,
    },
    /// Bytes that are not a block record.
    #[error("not a block record: {reason}")]
    NotARecord {
        /// Why not.
        reason: String,
    },
    /// An earlier write failed in a way that could not be undone in place.
    #[error("the ledger accepts no more blocks since writing failed ({reason}); close it and open it again")]
    WriterFailed {
        /// The first failure.
        reason: String,
    },
    /// LMDB failed.
    #[error("cannot {action} derived data in {}: {source}", path.display())]
    Derived {
        /// What was tried.
        action: &'static str,
        /// The LMDB folder.
        path: PathBuf,
        /// Why it failed.
        source: heed::Error,
    },
    /// A value in LMDB is not what was written there.
    #[error("derived data in {} is damaged: {what}; delete that folder to rebuild it from the blocks", path.display())]
    DamagedDerived {
        /// The LMDB folder.
        path: PathBuf,
        /// Which value.
        what: String,
    },
    /// LMDB's map had to grow but views kept it from growing.
    #[error("derived data in {} must grow beyond {bytes} bytes, but {views} readers hold it; close views and retry", path.display())]
    GrowthBlocked {
        /// The LMDB folder.
        path: PathBuf,
        /// Size of the map.
        bytes: usize,
        /// Read transactions open.
        views: usize,
    },
    /// A block that the ledger does not have.
    #[error("there is no block {number}: the ledger holds blocks {first} to {end} (exclusive)")]
    NoSuchBlock {
        /// The number asked for.
        number: u64,
        /// The first block in the block files.
        first: u64,
        /// The height.
        end: u64,
    },
    /// A key, value or list beyond its limit.
    #[error("{what} of {size} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A snapshot that is not one of Fabric's, or damaged, or cannot be written there.
    #[error("snapshot {}: {reason}", path.display())]
    Snapshot {
        /// The snapshot's folder or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting outside of its range.
    #[error("option {name} is {value}, but must be {allowed}")]
    Option {
        /// The field of [`Options`](crate::Options).
        name: &'static str,
        /// Its value.
        value: u64,
        /// The allowed range.
        allowed: &'static str,
    },
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Adds what was tried, and where, to an operating system's error.
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| LedgerError::Io { action, path: path.to_path_buf(), source })
    }
}

// SPDX-License-Identifier: Apache-2.0
//! How many blocks are known to be on stable storage.
//!
//! The file `synced` stands beside the block files and has no content: its length is the number of blocks, counted from
//! block 0, that were on stable storage when it was set. It is set when a sync has returned, so it is never ahead of the
//! disk. It needs no sync of its own: a length is metadata, and file systems with a journal write that in order, so the
//! next sync of a block file takes it along. After a power loss it is behind by one group of blocks at most; on a file
//! system that promises less it may be behind by more. See `docs/adr`.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, LedgerError, Result};

/// Its name.
pub(crate) const NAME: &str = "synced";

/// The mark, open for setting it.
#[derive(Debug)]
pub(crate) struct SyncedMark {
    file: File,
    path: PathBuf,
}

impl SyncedMark {
    /// Opens the mark in a folder of block files, or makes it; its name is durable after the folder's next sync.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).context("open", &path)?;
        Ok(Self { file, path })
    }

    /// Notes that so many blocks are on stable storage.
    pub(crate) fn set(&self, height: u64) -> Result<()> {
        self.file.set_len(height).context("set the length of", &self.path)
    }

    pub(crate) fn try_clone(&self) -> Result<Self> {
        let file = self.file.try_clone().context("open", &self.path)?;
        Ok(Self { file, path: self.path.clone() })
    }
}

/// The number of blocks that are known to have been on stable storage, if that is known.
pub(crate) fn height(dir: &Path) -> Result<Option<u64>> {
    let path = dir.join(NAME);
    match fs::metadata(&path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { action: "read", path, source }),
    }
}

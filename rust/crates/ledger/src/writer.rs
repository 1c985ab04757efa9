// SPDX-License-Identifier: Apache-2.0
//! Appends records to the block files.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fastledger_wire::encode;

use crate::blockfile::{self, Location};
use crate::error::{IoContext, LedgerError, Result};
use crate::synced::SyncedMark;

/// When an appended block is on stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When appending returns.
    EachAppend,
    /// When [`Ledger::sync`](crate::Ledger::sync) or the next flush of derived data returns; until then a block that was
    /// appended is not committed.
    EachFlush,
}

/// A place behind which nothing stands yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    number: u32,
    size: u64,
    height: u64,
}

/// The end of the last block file.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    dir: PathBuf,
    file: File,
    path: PathBuf,
    number: u32,
    size: u64,
    /// The number of blocks, those appended included.
    height: u64,
    synced: SyncedMark,
    file_bytes: u64,
    durability: Durability,
    unsynced: bool,
    failure: Option<String>,
}

impl BlockWriter {
    /// Opens the last block file, makes the first one if there is none, and cuts the last one to its size in `end`.
    ///
    /// What is there, `height` blocks, is brought to stable storage: a process that was killed may have left that undone.
    pub(crate) fn open(
        dir: &Path,
        end: Option<(u32, u64)>,
        height: u64,
        file_bytes: u64,
        durability: Durability,
    ) -> Result<Self> {
        let (number, size) = end.unwrap_or((0, 0));
        let path = blockfile::path(dir, number);
        let synced = SyncedMark::open(dir)?;
        let file = if end.is_some() {
            OpenOptions::new().write(true).open(&path).context("open for writing", &path)?
        } else {
            create(dir, &path)?
        };
        let writer = Self {
            dir: dir.to_path_buf(),
            file,
            path,
            number,
            size,
            height,
            synced,
            file_bytes,
            durability,
            unsynced: false,
            failure: None,
        };
        if writer.file.metadata().context("read", &writer.path)?.len() != size {
            writer.cut_back()?;
        }
        writer.file.sync_data().context("sync", &writer.path)?;
        writer.synced.set(height)?;
        sync_dir(dir)?;
        Ok(writer)
    }

    /// Appends one record, behind its length. On an error the file is again what it was.
    ///
    /// A record that does not fit into the file goes into a new one, as `blockfileMgr.addBlock` has it.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<Location> {
        if let Some(reason) = &self.failure {
            return Err(LedgerError::WriterFailed { reason: reason.clone() });
        }
        let mut prefix = Vec::with_capacity(10);
        encode::varint(&mut prefix, record.len() as u64);
        let added = (prefix.len() + record.len()) as u64;
        if self.size + added > self.file_bytes {
            self.next_file()?;
        }
        let location = Location { file: self.number, offset: self.size, length: record.len() as u64 };
        self.height += 1;
        if let Err(error) = self.write(&prefix, record) {
            self.height -= 1;
            self.undo(&error);
            return Err(error);
        }
        self.size += added;
        Ok(location)
    }

    /// Where the next record goes.
    pub(crate) fn end(&self) -> End {
        End { number: self.number, size: self.size, height: self.height }
    }

    /// Takes back all records behind an earlier end, of which nobody was told. Files that were begun since go.
    pub(crate) fn rewind(&mut self, end: End) -> Result<()> {
        if let Some(reason) = &self.failure {
            return Err(LedgerError::WriterFailed { reason: reason.clone() });
        }
        for later in (end.number + 1..=self.number).rev() {
            let path = blockfile::path(&self.dir, later);
            fs::remove_file(&path).context("remove", &path)?;
        }
        let path = blockfile::path(&self.dir, end.number);
        self.file = OpenOptions::new().write(true).open(&path).context("open for writing", &path)?;
        (self.path, self.number, self.size, self.height) = (path, end.number, end.size, end.height);
        self.cut_back()?;
        self.unsynced = false;
        // Files that were full were synced, and marked.
        self.synced.set(end.height)?;
        sync_dir(&self.dir)
    }

    /// Brings to stable storage what was appended.
    pub(crate) fn sync(&mut self) -> Result<()> {
        match self.begin_sync()? {
            Some(sync) => sync.run().inspect_err(|error| self.fail(error)),
            None => Ok(()),
        }
    }

    /// What has to be synced, if anything, for a caller who lets others append meanwhile; a failure must come back
    /// through [`Self::fail`].
    pub(crate) fn begin_sync(&mut self) -> Result<Option<PendingSync>> {
        if let Some(reason) = &self.failure {
            return Err(LedgerError::WriterFailed { reason: reason.clone() });
        }
        if !self.unsynced {
            return Ok(None);
        }
        let file = self.file.try_clone().context("sync", &self.path)?;
        let synced = self.synced.try_clone()?;
        self.unsynced = false;
        Ok(Some(PendingSync { file, path: self.path.clone(), height: self.height, synced }))
    }

    /// Takes no more blocks: what the kernel failed to write once it may forget, and only reading it back tells what is
    /// there.
    pub(crate) fn fail(&mut self, error: &LedgerError) {
        self.failure = Some(error.to_string());
    }

    fn write(&mut self, prefix: &[u8], record: &[u8]) -> Result<()> {
        self.file.write_all_at(prefix, self.size).context("append to", &self.path)?;
        self.file.write_all_at(record, self.size + prefix.len() as u64).context("append to", &self.path)?;
        self.unsynced = true;
        if self.durability == Durability::EachAppend { self.sync() } else { Ok(()) }
    }

    fn undo(&mut self, cause: &LedgerError) {
        if let Err(error) = self.cut_back() {
            self.failure = Some(format!("{cause}; then {error}"));
        }
    }

    fn cut_back(&self) -> Result<()> {
        self.file.set_len(self.size).context("cut back", &self.path)?;
        self.file.sync_all().context("sync", &self.path)
    }

    /// Everything before the last file is on stable storage; also what another thread is still syncing.
    fn next_file(&mut self) -> Result<()> {
        self.unsynced = true;
        self.sync()?;
        let path = blockfile::path(&self.dir, self.number + 1);
        self.file = create(&self.dir, &path)?;
        self.path = path;
        self.number += 1;
        self.size = 0;
        Ok(())
    }
}

/// Appended bytes on their way to stable storage.
#[derive(Debug)]
pub(crate) struct PendingSync {
    file: File,
    path: PathBuf,
    /// The number of blocks that will be there.
    height: u64,
    synced: SyncedMark,
}

impl PendingSync {
    /// Waits until they are there.
    pub(crate) fn run(&self) -> Result<()> {
        self.file.sync_data().context("sync", &self.path)?;
        self.synced.set(self.height)
    }
}

/// Makes a block file and its name durable.
fn create(dir: &Path, path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).context("create", path)?;
    sync_dir(dir)?;
    Ok(file)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|folder| folder.sync_all()).context("sync", dir)
}

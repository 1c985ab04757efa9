// SPDX-License-Identifier: Apache-2.0
//! Checksums of an orderer's blocks: what the hashes in a block do not cover is its metadata.
//!
//! The file `sums` stands beside the block files and holds four bytes for each block, by number: the checksum of its
//! record, zero where none is known. It is written when a block is durable and not synced on its own: what a crash may
//! have kept from it is made again when the store is opened, out of the blocks. Who brings block files from elsewhere
//! leaves it behind.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::store::{SEAL_BYTES, seal};

/// Its name.
pub(crate) const NAME: &str = "sums";

/// The file, open.
#[derive(Debug)]
pub(crate) struct Sums {
    file: File,
    path: PathBuf,
}

impl Sums {
    /// Opens the file in a folder of block files, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).context("open", &path)?;
        Ok(Self { file, path })
    }

    /// Forgets what is known of blocks from `first` on.
    pub(crate) fn cut(&self, first: u64) -> Result<()> {
        let length = self.file.metadata().context("read", &self.path)?.len();
        self.file.set_len(length.min(first * SEAL_BYTES as u64)).context("cut back", &self.path)
    }

    /// Notes the checksums of blocks from `first` on.
    ///
    /// On an error they are not known, and such a block is held against its hashes alone.
    pub(crate) fn note<'r>(&self, first: u64, records: impl Iterator<Item = &'r [u8]>) -> Result<()> {
        let sums: Vec<u8> = records.flat_map(of).collect();
        let written = self.file.write_all_at(&sums, first * SEAL_BYTES as u64).context("write", &self.path);
        // Half a checksum would be a wrong one.
        written.or_else(|error| self.cut(first).and(Err(error)))
    }

    /// Whether anything is known of a block.
    pub(crate) fn is_noted(&self, number: u64) -> bool {
        self.noted(number).is_some()
    }

    /// Whether a record is what was noted, if anything was.
    pub(crate) fn hold(&self, number: u64, record: &[u8]) -> bool {
        self.noted(number).is_none_or(|noted| noted == of(record))
    }

    fn noted(&self, number: u64) -> Option<[u8; SEAL_BYTES]> {
        let mut noted = [0; SEAL_BYTES];
        self.file.read_exact_at(&mut noted, number * SEAL_BYTES as u64).ok()?;
        (noted != [0; SEAL_BYTES]).then_some(noted)
    }
}

/// The checksum of a record, which is never zero.
fn of(record: &[u8]) -> [u8; SEAL_BYTES] {
    match seal(&[], record) {
        [0, 0, 0, 0] => [1, 0, 0, 0],
        sum => sum,
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Reads block files front to back, without any index (`blkstorage.blockStream`).

use std::path::{Path, PathBuf};

use crate::blockfile::{self, BlockFile, Frame, Location};
use crate::error::Result;
use crate::record::{self, ChainTip};

/// A block as it stands in a block file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Its number.
    pub number: u64,
    /// Where it stands.
    pub location: Location,
    /// Its record; see [`fastledger_wire::block::decode_record`].
    pub record: Vec<u8>,
}

/// How much a [`BlockStream`] verifies of what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// That records frame up and begin with a header; for readers which verify hashes themselves.
    Framing,
    /// Also the sequence of numbers, the chain of header hashes, and every data hash.
    Hashes,
}

/// The blocks of a folder of block files, in order.
///
/// Ends after the first error. What is appended behind the files' ends as they were at the start is not read.
#[derive(Debug)]
pub struct BlockStream {
    dir: PathBuf,
    files: u32,
    file: Option<BlockFile>,
    offset: u64,
    checks: Checks,
    tip: Option<ChainTip>,
    /// How many blocks may still be read.
    left: u64,
}

impl BlockStream {
    /// Opens a folder of block files, such as a peer's `chains/<channel>`.
    ///
    /// With [`Checks::Hashes`] the first block must be block 0.
    pub fn open(dir: &Path, checks: Checks) -> Result<Self> {
        let files = blockfile::count(dir)?;
        Self::starting(dir, files, (0, 0), None, checks, u64::MAX)
    }

    /// Starts at a record's `(file, offset)`, which follows the block `tip`, and reads `left` blocks.
    pub(crate) fn starting(
        dir: &Path,
        files: u32,
        (file, offset): (u32, u64),
        tip: Option<ChainTip>,
        checks: Checks,
        left: u64,
    ) -> Result<Self> {
        let file = if file < files { Some(BlockFile::open(dir, file)?) } else { None };
        Ok(Self { dir: dir.to_path_buf(), files, file, offset, checks, tip, left })
    }

    fn read(&mut self) -> Result<Option<StoredBlock>> {
        while self.left > 0 {
            let Some(file) = &self.file else { return Ok(None) };
            match file.frame(self.offset)? {
                Frame::Record(location, head) => {
                    let header = record::header(&head).map_err(|e| file.damage(self.offset, e.to_string()))?;
                    let block = StoredBlock { number: header.number, location, record: file.record(&location)? };
                    if self.checks == Checks::Hashes {
                        let damage = |reason| file.damage(location.offset, reason);
                        self.tip = Some(record::follow(self.tip.as_ref(), &header).map_err(damage)?);
                        record::check(&block.record).map_err(damage)?;
                    }
                    self.offset = location.end();
                    self.left -= 1;
                    return Ok(Some(block));
                }
                Frame::End => self.next_file()?,
                Frame::Broken(reason) => return Err(file.damage(self.offset, reason)),
            }
        }
        Ok(None)
    }

    fn next_file(&mut self) -> Result<()> {
        let next = self.file.as_ref().map_or(self.files, |file| file.number + 1);
        self.file = if next < self.files { Some(BlockFile::open(&self.dir, next)?) } else { None };
        self.offset = 0;
        Ok(())
    }
}

impl Iterator for BlockStream {
    type Item = Result<StoredBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.file = None;
        }
        item
    }
}

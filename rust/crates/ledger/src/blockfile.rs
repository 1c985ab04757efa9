// SPDX-License-Identifier: Apache-2.0
//! Block files as Fabric names and frames them: `blockfile_NNNNNN`, each a run of records with a varint length before
//! each (`blkstorage/blockfile_mgr.go`, `block_stream.go`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fastledger_wire::encode::varint_len;
use fastledger_wire::protobuf::Reader;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use crate::error::{IoContext, LedgerError, Result};
use crate::record::{HEAD_BYTES, MIN_RECORD_BYTES};

const PREFIX: &str = "blockfile_";

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Number of the block file.
    pub file: u32,
    /// Offset of the record's length prefix, in bytes.
    pub offset: u64,
    /// Length of the record without its prefix, in bytes.
    pub length: u64,
}

impl Location {
    /// Offset of the record itself.
    #[must_use]
    pub fn record_offset(&self) -> u64 {
        self.offset + varint_len(self.length) as u64
    }

    /// Offset of the byte after the record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.record_offset() + self.length
    }
}

/// Path of a block file.
#[must_use]
pub fn path(dir: &Path, file: u32) -> PathBuf {
    dir.join(format!("{PREFIX}{file:06}"))
}

/// Tells the operating system that a full file need not stay in memory. Blocks are many times what is derived from them,
/// and hardly one is read again: where memory is short, it is the state's.
#[cfg(target_os = "linux")]
pub(crate) fn leave_cache(dir: &Path, file: u32) {
    use rustix::fs::{Advice, fadvise};
    // Nothing depends on it.
    let _refused = File::open(path(dir, file)).map(|file| fadvise(&file, 0, None, Advice::DontNeed));
}

/// See above; elsewhere memory is left to the operating system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn leave_cache(_: &Path, _: u32) {}

/// How many block files there are; they are numbered from 0 and none may be missing.
pub(crate) fn count(dir: &Path) -> Result<u32> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).context("list", dir)? {
        let name = entry.context("list", dir)?.file_name();
        let Some(suffix) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if let Ok(number) = suffix.parse::<u32>() {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    for (expected, number) in (0..).zip(&numbers) {
        if *number != expected {
            let source = io::Error::new(io::ErrorKind::NotFound, "it is missing, but later block files are there");
            return Err(LedgerError::Io { action: "read", path: path(dir, expected), source });
        }
    }
    u32::try_from(numbers.len()).map_err(|_| LedgerError::TooLarge {
        what: "number of block files",
        size: numbers.len(),
        limit: u32::MAX as usize,
    })
}

/// One block file, open for reading.
#[derive(Debug)]
pub(crate) struct BlockFile {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    file: File,
}

/// What stands at an offset of a block file.
pub(crate) enum Frame {
    /// A record, with the first bytes of it.
    Record(Location, Vec<u8>),
    /// The end of the file.
    End,
    /// No length prefix, or one that leads out of the file.
    Broken(&'static str),
}

impl BlockFile {
    pub(crate) fn open(dir: &Path, number: u32) -> Result<Self> {
        let path = path(dir, number);
        let file = File::open(&path).context("open", &path)?;
        let size = file.metadata().context("read", &path)?.len();
        Ok(Self { number, path, size, file })
    }

    /// Reads exactly `buffer` at `offset`.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, offset).context("read", &self.path)
    }

    /// Reads the record at `location`, which must lie within the file.
    pub(crate) fn record(&self, location: &Location) -> Result<Vec<u8>> {
        if location.end() > self.size {
            return Err(self.damage(location.offset, "the file ends within the record"));
        }
        let length = usize::try_from(location.length).map_err(|_| self.damage(location.offset, "record too long"))?;
        let mut record = Vec::with_capacity(length);
        while record.len() < length {
            let offset = location.record_offset() + record.len() as u64;
            match pread(&self.file, spare_capacity(&mut record), offset) {
                Ok(0) => return Err(self.damage(location.offset, "the file ends within the record")),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error)).context("read", &self.path),
            }
        }
        record.truncate(length);
        Ok(record)
    }

    /// Reads the length prefix at `offset` and what of the header fits into [`HEAD_BYTES`].
    pub(crate) fn frame(&self, offset: u64) -> Result<Frame> {
        let left = self.size.saturating_sub(offset);
        if left == 0 {
            return Ok(Frame::End);
        }
        let mut head = [0; HEAD_BYTES];
        #[expect(clippy::cast_possible_truncation, reason = "at most HEAD_BYTES")]
        let head = &mut head[..left.min(HEAD_BYTES as u64) as usize];
        self.read_at(head, offset)?;
        let mut reader = Reader::new(head);
        let Ok(length) = reader.varint() else { return Ok(Frame::Broken("no length stands there")) };
        // A longer form of the same number would give another file than the one that Fabric writes.
        if length < MIN_RECORD_BYTES || head.len() - reader.rest().len() != varint_len(length) {
            return Ok(Frame::Broken("the length that stands there is none of a block"));
        }
        if length > reader_left(left, reader.rest().len(), head.len()) {
            return Ok(Frame::Broken("the record is longer than the rest of the file"));
        }
        Ok(Frame::Record(Location { file: self.number, offset, length }, reader.rest().to_vec()))
    }

    pub(crate) fn damage(&self, offset: u64, reason: impl Into<String>) -> LedgerError {
        LedgerError::DamagedBlockFile { path: self.path.clone(), offset, reason: reason.into() }
    }
}

/// Bytes after the length prefix: what is left of the file less what the prefix took of the head.
fn reader_left(left: u64, unread: usize, head: usize) -> u64 {
    left - (head - unread) as u64
}

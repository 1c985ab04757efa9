// SPDX-License-Identifier: Apache-2.0
//! Finds where the chain in the block files ends, and tells a torn append from damage.
//!
//! An append that a crash cut short leaves the start of a record at the very end of the last file: it is cut off.
//! Anything else that does not read as the next block was once whole and acknowledged: it is damage, and cutting it
//! off would lose blocks. The two look alike only where a length leads out of the file; there the rest of the file is
//! searched for the block that would follow. When the broken record's header still names the right predecessor, that
//! block must name its hash, so that no transaction can carry bytes which pass for one.

use std::path::{Path, PathBuf};

use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Hash, encode};

use crate::blockfile::{self, BlockFile, Frame, Location};
use crate::error::{LedgerError, Result};
use crate::record::{self, ChainTip, HEAD_BYTES, MIN_RECORD_BYTES};

/// A block that the block files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    pub(crate) location: Location,
    pub(crate) header_hash: Hash,
}

/// The start of a record that a crash left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The block file.
    pub path: PathBuf,
    /// Where the torn record begins; the file ends there from now on.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// What follows a known block in the block files.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Every block found, in order.
    pub(crate) blocks: Vec<BlockEntry>,
    /// The last block, found or known before.
    pub(crate) tip: Option<ChainTip>,
    /// What must be cut off, and in which file.
    pub(crate) torn: Option<(u32, TornTail)>,
    /// The block before `tip`.
    before: Option<ChainTip>,
}

/// How a file's chain of records stops.
enum Stop {
    /// With the file.
    End,
    /// At a record that fills the rest of the file but is not the next block.
    Wrong(u64, String),
    /// Where no record frames up.
    Broken(u64, String),
}

/// Follows the chain of headers from `(file, offset)` to its end; of the last block the data hash is checked too.
///
/// Data hashes of the others are not: whoever reads those blocks checks them.
pub(crate) fn scan(dir: &Path, start: (u32, u64), tip: Option<ChainTip>) -> Result<Tail> {
    let files = blockfile::count(dir)?;
    let mut tail = Tail { blocks: Vec::new(), tip, torn: None, before: None };
    let (first, mut offset) = start;
    for number in first..files {
        let file = BlockFile::open(dir, number)?;
        let stop = tail.scan_file(&file, offset)?;
        if let Stop::Wrong(offset, reason) | Stop::Broken(offset, reason) = &stop
            && later_bytes(dir, number + 1, files)?
        {
            return Err(tail.blame(&file, *offset, reason));
        }
        match stop {
            Stop::End => offset = 0,
            Stop::Wrong(offset, _) => return tail.cut(&file, offset),
            Stop::Broken(offset, reason) => {
                if continues(&file, offset, tail.tip.as_ref())? {
                    return Err(tail.blame(&file, offset, &reason));
                }
                return tail.cut(&file, offset);
            }
        }
    }
    tail.check_last(dir, files)
}

impl Tail {
    /// Takes up the blocks of one file from `offset` on.
    fn scan_file(&mut self, file: &BlockFile, mut offset: u64) -> Result<Stop> {
        loop {
            let (location, head) = match file.frame(offset)? {
                Frame::End => return Ok(Stop::End),
                Frame::Broken(reason) => return Ok(Stop::Broken(offset, reason.to_owned())),
                Frame::Record(location, head) => (location, head),
            };
            let next = record::header(&head)
                .map_err(|error| error.to_string())
                .and_then(|header| record::follow(self.tip.as_ref(), &header));
            match next {
                Ok(tip) => {
                    self.blocks.push(BlockEntry { location, header_hash: tip.header_hash });
                    self.before = self.tip.replace(tip);
                    offset = location.end();
                }
                // A torn append never has anything behind it.
                Err(reason) if location.end() < file.size => return Err(self.blame(file, offset, &reason)),
                Err(reason) => return Ok(Stop::Wrong(offset, reason)),
            }
        }
    }

    /// The damage that keeps the chain from going on at `offset`: there, or in the record before, if its length is wrong.
    fn blame(&self, file: &BlockFile, offset: u64, reason: &str) -> LedgerError {
        self.check_before(file).err().unwrap_or_else(|| file.damage(offset, reason))
    }

    /// Checks the last block found, which ends where `file` goes wrong.
    fn check_before(&self, file: &BlockFile) -> Result<()> {
        let Some(last) = self.blocks.last() else { return Ok(()) };
        let holder = BlockFile::open(file.path.parent().unwrap_or(&file.path), last.location.file)?;
        let record = holder.record(&last.location)?;
        record::check(&record).map_err(|reason| holder.damage(last.location.offset, reason))
    }

    fn cut(mut self, file: &BlockFile, offset: u64) -> Result<Self> {
        self.check_before(file)?;
        let torn = TornTail { path: file.path.clone(), offset, bytes: file.size - offset };
        self.torn = Some((file.number, torn));
        Ok(self)
    }

    /// A power loss can leave the last record with its length but without its data.
    fn check_last(mut self, dir: &Path, files: u32) -> Result<Self> {
        let Some(last) = self.blocks.last().copied() else { return Ok(self) };
        let file = BlockFile::open(dir, last.location.file)?;
        let Err(reason) = record::check(&file.record(&last.location)?) else { return Ok(self) };
        if later_bytes(dir, file.number + 1, files)? {
            return Err(file.damage(last.location.offset, reason));
        }
        self.blocks.pop();
        self.tip = self.before;
        self.cut(&file, last.location.offset)
    }
}

/// Whether any file from `number` on holds anything; an empty one is left by a crash right after it was made.
fn later_bytes(dir: &Path, number: u32, files: u32) -> Result<bool> {
    for later in number..files {
        if BlockFile::open(dir, later)?.size > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the block after the broken record at `offset` stands anywhere behind it.
fn continues(file: &BlockFile, offset: u64, tip: Option<&ChainTip>) -> Result<bool> {
    let length = usize::try_from(file.size - offset).map_err(|_| file.damage(offset, "file too long to search"))?;
    let mut rest = vec![0; length];
    file.read_at(&mut rest, offset)?;
    let mut reader = Reader::new(&rest[..length.min(HEAD_BYTES)]);
    let broken = reader.varint().ok().and_then(|_| record::header(reader.rest()).ok());
    let broken = broken.and_then(|header| record::follow(tip, &header).ok());
    let number = tip.map_or(0, |tip| tip.number + 1) + 1;
    let mut mark = Vec::new();
    encode::varint(&mut mark, number);
    mark.push(32);
    let found = rest.windows(mark.len()).enumerate().any(|(start, window)| {
        window == mark && is_block_at(&rest, start, broken.map(|broken| broken.header_hash).as_ref())
    });
    Ok(found)
}

/// Whether a whole record begins at `start`, its length right before it.
fn is_block_at(rest: &[u8], start: usize, previous: Option<&Hash>) -> bool {
    let Ok(header) = record::header(&rest[start..]) else { return false };
    if previous.is_some_and(|previous| header.previous_hash != previous) {
        return false;
    }
    (1..=10.min(start)).any(|width| {
        let mut reader = Reader::new(&rest[start - width..]);
        let length = reader.varint().ok().filter(|length| *length >= MIN_RECORD_BYTES);
        let starts_here = reader.rest().len() == rest.len() - start;
        let record = length.filter(|_| starts_here).and_then(|length| reader.take(length).ok());
        record.is_some_and(|record| record::check(record).is_ok())
    })
}

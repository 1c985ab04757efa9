// SPDX-License-Identifier: Apache-2.0
//! Finds where the chain in the block files ends, and tells a torn append from damage.
//!
//! An append that a crash cut short leaves the start of a record at the very end of the last file: it is cut off.
//! Blocks that are not known to be synced (see [`crate::synced`]) may have lost any of their pages to a power loss, with
//! whole blocks behind them: what follows the last good block is cut off, too. Nobody was told that they are stored.
//!
//! Anything else that does not read as the next block was once whole and acknowledged: it is damage, and cutting it
//! off would lose blocks. Damage and a torn append look alike only where a length leads out of the file; there the rest
//! of the file is searched for the block that would follow. When the broken record's header still names the right
//! predecessor, that block must name its hash, so that no transaction can carry bytes which pass for one.

use std::path::{Path, PathBuf};

use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Hash, encode};

use crate::blockfile::{self, BlockFile, Frame, Location};
use crate::error::{LedgerError, Result};
use crate::record::{self, ChainTip, HEAD_BYTES, MIN_RECORD_BYTES};
use crate::store::SEAL_BYTES;
use crate::synced;

/// A block that the block files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    pub(crate) location: Location,
    pub(crate) header_hash: Hash,
    /// Checksum of the record, once it has been looked at.
    pub(crate) seal: Option<[u8; SEAL_BYTES]>,
}

/// What a crash left behind: the start of a record, or blocks that were not synced and of which the first is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The block file.
    pub path: PathBuf,
    /// Where it begins; the file ends there from now on.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// Who keeps block files, and so what may be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// Has its blocks from orderers, and gets one that it has lost again.
    Peer,
    /// Made its blocks: when one is gone that was given to a peer, another one would get its number.
    Orderer {
        /// Whether it has kept these very files before, so that there must be a mark of what was synced.
        known: bool,
    },
}

/// Blocks that an orderer's mark can be behind after a power loss, with room to spare: one group that is written at
/// once has at most 32. A mark that is further behind is not the one that stood there.
const MAX_BEHIND: u64 = 64;

/// What says so.
const MARK: &str = "by the length of the file synced beside it";

/// What an orderer can do about blocks that are gone.
const HELP: &str = "an orderer cannot do without it, as it would give its number to another block: copy the channel's \
    block files from another orderer, or from a backup, into this folder, and remove the file sums";

/// What a peer can do about blocks that are gone.
const HELP_PEER: &str = "copy the channel's block files from another peer, or from a backup, into this folder; or delete \
    the channel's folder, and join it again";

/// What follows a known block in the block files.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Every block found, in order.
    pub(crate) blocks: Vec<BlockEntry>,
    /// The last block, found or known before.
    pub(crate) tip: Option<ChainTip>,
    /// What must be cut off, and in which file.
    pub(crate) torn: Option<(u32, TornTail)>,
    /// The block before the first one found.
    start: Option<ChainTip>,
    /// The number of blocks that are known to be on stable storage, if that is known.
    synced: Option<u64>,
    keeper: Keeper,
}

/// How a file's chain of records stops.
enum Stop {
    /// With the file.
    End,
    /// At a record that fills the rest of the file but is not the next block.
    Wrong(u64, String),
    /// At one that is not the next block and has something behind it.
    WrongWithin(u64, String),
    /// Where no record frames up.
    Broken(u64, String),
}

/// Follows the chain of headers from `(file, offset)` to its end. The data hash of the last block is checked too, and
/// that of every block that is not known to be synced.
///
/// Data hashes of the others are not: whoever reads those blocks checks them.
pub(crate) fn scan(dir: &Path, keeper: Keeper, start: (u32, u64), tip: Option<ChainTip>) -> Result<Tail> {
    let files = blockfile::count(dir)?;
    let mut tail = Tail { blocks: Vec::new(), tip, torn: None, start: tip, synced: synced::height(dir)?, keeper };
    let (first, mut offset) = start;
    for number in first..files {
        let file = BlockFile::open(dir, number)?;
        let stop = tail.scan_file(&file, offset)?;
        let is_last = !later_bytes(dir, number + 1, files)?;
        if is_last && let Some(offset) = tail.drop_unsynced(&file, &stop)? {
            return tail.cut(&file, offset);
        }
        match stop {
            Stop::End => offset = 0,
            Stop::Wrong(offset, _) if is_last => return tail.cut_torn(&file, offset),
            Stop::Broken(offset, _) if is_last && !continues(&file, offset, tail.tip.as_ref())? => {
                return tail.cut_torn(&file, offset);
            }
            Stop::Wrong(offset, reason) | Stop::WrongWithin(offset, reason) | Stop::Broken(offset, reason) => {
                return Err(tail.blame(&file, offset, &reason));
            }
        }
    }
    tail.check_last(dir, files)?.check_end(dir, files)
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
                    self.blocks.push(BlockEntry { location, header_hash: tip.header_hash, seal: None });
                    self.tip = Some(tip);
                    offset = location.end();
                }
                Err(reason) if location.end() < file.size => return Ok(Stop::WrongWithin(offset, reason)),
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

    /// Drops the blocks from the first bad one on that is not known to be synced, and says where it stands in `file`,
    /// the last one that holds anything.
    fn drop_unsynced(&mut self, file: &BlockFile, stop: &Stop) -> Result<Option<u64>> {
        let Some(synced) = self.synced else { return Ok(None) };
        let height = height(self.tip);
        let unsynced = usize::try_from(height.saturating_sub(synced)).unwrap_or(usize::MAX);
        for index in self.blocks.len().saturating_sub(unsynced)..self.blocks.len() {
            let location = self.blocks[index].location;
            if location.file == file.number && record::check(&file.record(&location)?).is_err() {
                self.truncate(index);
                return Ok(Some(location.offset));
            }
        }
        Ok(match stop {
            Stop::Wrong(offset, _) | Stop::WrongWithin(offset, _) | Stop::Broken(offset, _) if height >= synced => {
                Some(*offset)
            }
            _ => None,
        })
    }

    /// Keeps the first `count` of the blocks found.
    fn truncate(&mut self, count: usize) {
        self.blocks.truncate(count);
        let first = height(self.start);
        let hash_before = |index: usize| match index.checked_sub(1) {
            Some(before) => Some(self.blocks[before].header_hash),
            None => self.start.map(|start| start.header_hash),
        };
        self.tip = match count.checked_sub(1) {
            None => self.start,
            Some(last) => Some(ChainTip {
                number: first + last as u64,
                header_hash: self.blocks[last].header_hash,
                previous_hash: hash_before(last),
            }),
        };
    }

    /// Notes what is to be cut off, unless nobody could bring it back.
    fn cut(mut self, file: &BlockFile, offset: u64) -> Result<Self> {
        self.may_lack().map_err(|reason| file.damage(offset, reason))?;
        let torn = TornTail { path: file.path.clone(), offset, bytes: file.size - offset };
        self.torn = Some((file.number, torn));
        Ok(self)
    }

    /// Whether the chain may end where it ends and what follows in the file may go.
    fn may_lack(&self) -> std::result::Result<(), String> {
        let height = height(self.tip);
        match (self.keeper, self.synced) {
            (Keeper::Orderer { .. }, Some(synced)) if synced > height => {
                Err(format!("block {height} does not stand there, and {synced} blocks were stored {MARK}; {HELP}"))
            }
            (Keeper::Orderer { .. }, Some(synced)) if synced + MAX_BEHIND < height => Err(format!(
                "block {height} does not stand there, and the file {} beside it does not tell whether it was stored: \
                it says {synced} blocks; {HELP}",
                synced::NAME
            )),
            (Keeper::Orderer { known: true }, None) => Err(format!(
                "block {height} does not stand there, and the file {} that tells whether it was stored is gone; {HELP}",
                synced::NAME
            )),
            (Keeper::Peer, Some(synced)) if synced > height + 1 => {
                Err(format!("block {height} does not stand there, and {synced} blocks were stored"))
            }
            _ => Ok(()),
        }
    }

    /// An orderer's files may not just end before the blocks that were stored do, either; nor a peer's have none left,
    /// as one that is asked for nothing has not joined.
    fn check_end(self, dir: &Path, files: u32) -> Result<Self> {
        let (height, synced) = (height(self.tip), self.synced.unwrap_or_default());
        if synced <= height || self.keeper == Keeper::Peer && height > 0 {
            return Ok(self);
        }
        let help = if self.keeper == Keeper::Peer { HELP_PEER } else { HELP };
        let reason = format!("block {height} does not stand there, and {synced} blocks were stored {MARK}; {help}");
        let (path, offset) = match files.checked_sub(1) {
            Some(last) => BlockFile::open(dir, last).map(|last| (last.path, last.size))?,
            None => (blockfile::path(dir, 0), 0),
        };
        Err(LedgerError::DamagedBlockFile { path, offset, reason })
    }

    /// A torn append goes, if nothing else is wrong: the block before it is whole, and no other is missing.
    fn cut_torn(self, file: &BlockFile, offset: u64) -> Result<Self> {
        self.check_before(file)?;
        self.cut(file, offset)
    }

    /// A power loss can leave the last record with its length but without its data.
    fn check_last(mut self, dir: &Path, files: u32) -> Result<Self> {
        let Some(last) = self.blocks.last().copied() else { return Ok(self) };
        let file = BlockFile::open(dir, last.location.file)?;
        let Err(reason) = record::check(&file.record(&last.location)?) else { return Ok(self) };
        if later_bytes(dir, file.number + 1, files)? {
            return Err(file.damage(last.location.offset, reason));
        }
        self.truncate(self.blocks.len() - 1);
        self.cut_torn(&file, last.location.offset)
    }
}

fn height(tip: Option<ChainTip>) -> u64 {
    tip.map_or(0, |tip| tip.number + 1)
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

// SPDX-License-Identifier: Apache-2.0
//! Block files without anything derived from them: what an orderer keeps (`common/ledger/blockledger/fileledger`).
//!
//! Opening follows the chain of headers from the first block, so there is no index that could disagree with the
//! files; what stays in memory is 24 bytes for each block. A torn append is cut off, damage is an error, by the same
//! rules as in a ledger.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use crate::blockfile::{self, BlockFile, Location};
use crate::error::{IoContext, LedgerError, Result};
use crate::held::Held;
use crate::lock::LedgerLock;
use crate::record::{self, ChainTip};
use crate::recovery::{cut, last_file};
use crate::sums::{self, Sums};
use crate::tail::{self, Keeper, TornTail};
use crate::writer::{BlockWriter, Durability, sync_dir};

/// Blocks whose checksums are made again when a store is opened, as far as they are not known: more than one group has.
const NOTED_AGAIN: u64 = 64;

/// One channel's blocks, in Fabric's block files.
#[derive(Debug)]
pub struct BlockStore {
    dir: PathBuf,
    chain: RwLock<Chain>,
    writer: Mutex<BlockWriter>,
    sums: Sums,
    held: Held,
    _lock: LedgerLock,
}

/// The blocks that are on stable storage.
#[derive(Debug)]
struct Chain {
    locations: Vec<Location>,
    tip: Option<ChainTip>,
}

impl BlockStore {
    /// Opens the folder of a channel's block files, or makes it, and says what of a torn append was cut off.
    ///
    /// A block file does not grow beyond `file_bytes`, unless by a single block; Fabric's limit is 64 MiB. `known` says
    /// that this orderer has kept the channel before: then a block that was stored is missed even where nothing in the
    /// folder tells of it.
    pub fn open(dir: &Path, file_bytes: u64, known: bool) -> Result<(Self, Option<TornTail>)> {
        fs::create_dir_all(dir).context("create folder", dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
        let lock = LedgerLock::take(dir)?;
        let tail = tail::scan(dir, Keeper::Orderer { known }, (0, 0), None)?;
        cut(&tail)?;
        let height = tail.blocks.len() as u64;
        let writer = BlockWriter::open(dir, last_file(dir)?, height, file_bytes, Durability::EachFlush)?;
        let chain = Chain { locations: tail.blocks.iter().map(|entry| entry.location).collect(), tip: tail.tip };
        let sums = Sums::open(dir)?;
        let store = Self {
            dir: dir.to_path_buf(),
            chain: RwLock::new(chain),
            writer: Mutex::new(writer),
            sums,
            held: Held::default(),
            _lock: lock,
        };
        store.note_again(height)?;
        Ok((store, tail.torn.map(|(_, torn)| torn)))
    }

    /// Notes the checksums of the last blocks, which a crash may have kept from being noted.
    fn note_again(&self, height: u64) -> Result<()> {
        self.sums.cut(height)?;
        for number in height.saturating_sub(NOTED_AGAIN)..height {
            let record = self.read(number)?;
            let record = if record::check(&record).is_ok() { record } else { continue };
            if !self.sums.is_noted(number) {
                self.sums.note(number, [record.as_slice()].into_iter())?;
            }
        }
        Ok(())
    }

    /// Number of the next block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).locations.len() as u64
    }

    /// The last block.
    #[must_use]
    pub fn tip(&self) -> Option<ChainTip> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).tip
    }

    /// Appends the records of the next blocks. When it returns they are on stable storage, by one sync for all, and
    /// only then can they be read.
    ///
    /// A record that does not continue the chain is refused with all of its group, and nothing is written. When one
    /// cannot be written, as on a full disk, the files are again what they were, and the group may be tried again. When
    /// syncing fails the store takes no more blocks until it is opened again.
    pub fn append(&self, records: &[Vec<u8>]) -> Result<()> {
        let mut writer = self.writer();
        let tip = self.follow(records)?;
        let mut locations = Vec::with_capacity(records.len());
        let end = writer.end();
        for record in records {
            match writer.append(record) {
                Ok(location) => locations.push(location),
                Err(error) => {
                    if let Err(worse) = writer.rewind(end) {
                        writer.fail(&worse);
                    }
                    return Err(error);
                }
            }
        }
        writer.sync()?;
        // The blocks are stored, whatever becomes of this.
        drop(self.sums.note(self.height(), records.iter().map(Vec::as_slice)));
        let mut chain = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        chain.locations.append(&mut locations);
        chain.tip = tip;
        Ok(())
    }

    /// A block's record, which must have the data hash that its header states; see [`fastledger_wire::block::decode_record`].
    pub fn record(&self, number: u64) -> Result<Vec<u8>> {
        let location = self.location(number)?;
        let record = self.read(number)?;
        let damage = |reason| self.damage(&location, reason);
        let is_sealed = self.sums.hold(number, &record);
        self.held.check(number, &record, is_sealed && self.sums.is_noted(number)).map_err(damage)?;
        let found = record::header(&record).map_err(|error| damage(error.to_string()))?.number;
        if found != number {
            return Err(damage(format!("block {found} stands where block {number} was stored")));
        }
        if !is_sealed {
            return Err(damage(format!(
                "the metadata of block {number} is not what was stored, by the file {} beside it; remove that if the block \
                files come from elsewhere",
                sums::NAME
            )));
        }
        Ok(record)
    }

    fn location(&self, number: u64) -> Result<Location> {
        let chain = self.chain.read().unwrap_or_else(PoisonError::into_inner);
        let location = usize::try_from(number).ok().and_then(|number| chain.locations.get(number)).copied();
        location.ok_or(LedgerError::NoSuchBlock { number, first: 0, end: chain.locations.len() as u64 })
    }

    /// Reads a record, whatever it is by now.
    fn read(&self, number: u64) -> Result<Vec<u8>> {
        let location = self.location(number)?;
        BlockFile::open(&self.dir, location.file)?.record(&location)
    }

    fn damage(&self, location: &Location, reason: String) -> LedgerError {
        let path = blockfile::path(&self.dir, location.file);
        LedgerError::DamagedBlockFile { path, offset: location.offset, reason }
    }

    /// The tip that the records lead to, each of which must follow the one before it.
    fn follow(&self, records: &[Vec<u8>]) -> Result<Option<ChainTip>> {
        let mut tip = self.tip();
        for record in records {
            let (header, _) = record::decode(record).map_err(|reason| LedgerError::NotARecord { reason })?;
            let next = record::follow(tip.as_ref(), &header)
                .map_err(|reason| LedgerError::NotNext { number: header.number, reason })?;
            tip = Some(next);
        }
        Ok(tip)
    }

    fn writer(&self) -> MutexGuard<'_, BlockWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

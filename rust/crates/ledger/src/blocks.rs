// SPDX-License-Identifier: Apache-2.0
//! Reading blocks and transactions back.

use std::path::PathBuf;

use fastledger_wire::{Hash, Height, hash};

use crate::blockfile::{self, BlockFile, Location};
use crate::error::{LedgerError, Result};
use crate::ledger::{Chain, Ledger};
use crate::record::{self, ChainTip};
use crate::recovery;
use crate::store;
use crate::stream::{BlockStream, Checks, StoredBlock};
use crate::tail::BlockEntry;
use crate::values::TxLocation;

impl Ledger {
    /// The blocks from `from` to the height as it is now, read from the block files and checked against their hashes.
    pub fn blocks(&self, from: u64) -> Result<BlockStream> {
        let chains = self.chains();
        let (height, tip) = {
            let chain = self.chain();
            if from < chain.first() || from > chain.height() {
                return Err(no_such_block(&chain, from));
            }
            (chain.height(), chain.tip)
        };
        let files = blockfile::count(&chains)?;
        if from == height {
            return BlockStream::starting(&chains, files, (files, 0), tip, Checks::Hashes, 0);
        }
        let location = self.entry(from)?.location;
        let start = (location.file, location.offset);
        BlockStream::starting(&chains, files, start, self.tip_before(from)?, Checks::Hashes, height - from)
    }

    /// A block by its number.
    pub fn block(&self, number: u64) -> Result<StoredBlock> {
        self.read_block(number, &self.entry(number)?)
    }

    /// A block by the hash of its header.
    pub fn block_by_hash(&self, header_hash: &Hash) -> Result<Option<StoredBlock>> {
        let unindexed = {
            let chain = self.chain();
            let position = chain.unindexed.iter().rposition(|entry| entry.header_hash == *header_hash);
            position.map(|position| chain.first_unindexed() + position as u64)
        };
        let number = match unindexed {
            Some(number) => Some(number),
            None => self.view_with(1)?.block_with_hash(header_hash)?,
        };
        number.map(|number| self.block(number)).transpose()
    }

    /// The block that holds the first transaction of this id; `None` if there is none, or only before the snapshot.
    pub fn block_by_tx_id(&self, tx_id: &str) -> Result<Option<StoredBlock>> {
        match self.view()?.tx_location(tx_id)? {
            Some(TxLocation::Block { height, .. }) => self.block(height.block).map(Some),
            Some(TxLocation::Snapshot) | None => Ok(None),
        }
    }

    /// A transaction's envelope.
    pub fn transaction(&self, height: Height) -> Result<Vec<u8>> {
        let stored = self.block(height.block)?;
        let (_, data) = record::decode(&stored.record).map_err(|reason| self.damage(&stored.location, reason))?;
        let envelope = usize::try_from(height.tx).ok().and_then(|tx| data.get(tx)).ok_or_else(|| {
            let reason = format!("block {} has no transaction {}", height.block, height.tx);
            self.damage(&stored.location, reason)
        })?;
        Ok(envelope.to_vec())
    }

    /// The folder of the block files.
    #[must_use]
    pub fn chains(&self) -> PathBuf {
        self.dir.join(recovery::CHAINS)
    }

    /// Where a block stands.
    pub(crate) fn entry(&self, number: u64) -> Result<BlockEntry> {
        {
            let chain = self.chain();
            if number < chain.first() || number >= chain.height() {
                return Err(no_such_block(&chain, number));
            }
            let unindexed = number.checked_sub(chain.first_unindexed()).and_then(|index| usize::try_from(index).ok());
            if let Some(entry) = unindexed.and_then(|index| chain.unindexed.get(index)) {
                return Ok(*entry);
            }
        }
        let txn = self.lmdb.read()?;
        let found = self.lmdb.stores.blocks.get(&txn, &number.to_be_bytes()).map_err(|e| self.lmdb.read_error(e))?;
        found
            .and_then(BlockEntry::decode)
            .ok_or_else(|| self.lmdb.damaged(format!("the index entry of block {number}")))
    }

    /// The block before `number`, as far as a chain that goes on from it needs it.
    fn tip_before(&self, number: u64) -> Result<Option<ChainTip>> {
        let Some(before) = number.checked_sub(1) else { return Ok(None) };
        let origin = self.chain().origin;
        if origin.is_some_and(|origin| origin.number == before) {
            return Ok(origin);
        }
        let header_hash = self.entry(before)?.header_hash;
        Ok(Some(ChainTip { number: before, header_hash, previous_hash: None }))
    }

    /// Reads a block, which must be what was stored: header, data and metadata.
    pub(crate) fn read_block(&self, number: u64, entry: &BlockEntry) -> Result<StoredBlock> {
        let file = BlockFile::open(&self.chains(), entry.location.file)?;
        let record = file.record(&entry.location)?;
        let header_hash = record::header(&record).map(|header| hash::header_hash(&header));
        if header_hash != Ok(entry.header_hash) {
            return Err(self.damage(&entry.location, format!("block {number} does not stand there any more")));
        }
        let is_sealed = entry.seal.is_some_and(|seal| seal == store::seal(&[], &record));
        self.held.check(number, &record, is_sealed).map_err(|reason| self.damage(&entry.location, reason))?;
        if entry.seal.is_some() && !is_sealed {
            return Err(self.damage(&entry.location, format!("the metadata of block {number} is not what was stored")));
        }
        Ok(StoredBlock { number, location: entry.location, record })
    }

    pub(crate) fn damage(&self, location: &Location, reason: String) -> LedgerError {
        let path = blockfile::path(&self.chains(), location.file);
        LedgerError::DamagedBlockFile { path, offset: location.offset, reason }
    }
}

fn no_such_block(chain: &Chain, number: u64) -> LedgerError {
    LedgerError::NoSuchBlock { number, first: chain.first(), end: chain.height() }
}

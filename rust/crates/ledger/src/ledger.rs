// SPDX-License-Identifier: Apache-2.0
//! The ledger: one writer of blocks, any number of readers.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use fastledger_wire::Hash;
use rustc_hash::FxHashSet;

use crate::blockfile::{self, Location};
use crate::commit::CommittedBlock;
use crate::error::{LedgerError, Result};
use crate::flush::{self, Merge};
use crate::held::Held;
use crate::layer::Layer;
use crate::layers::Layers;
use crate::lmdb::Lmdb;
use crate::lock::LedgerLock;
use crate::recent::Recent;
use crate::record::{self, ChainTip};
use crate::recovery::{self, CHAINS, Recovery};
use crate::staged::StagedBlock;
use crate::store;
use crate::tail::BlockEntry;
use crate::values::Savepoint;
use crate::view::View;
use crate::writer::{BlockWriter, Durability};

/// Blocks that may be staged; staging one more flushes the others first.
const MAX_STAGED_BLOCKS: usize = 64;

/// Memory that staged blocks may take, in bytes, before staging one more flushes them.
const MAX_STAGED_BYTES: usize = 64 << 20;

/// Namespaces that say which chaincodes there are: of the lifecycle of 2.x, and of that of 1.x.
const DEFINING_NAMESPACES: [&str; 2] = ["_lifecycle", "lscc"];

/// How a ledger is kept. Peers of one channel may differ in all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Size beyond which a block file does not grow, in bytes; Fabric's is 64 MiB.
    pub block_file_bytes: u64,
    /// When appended blocks are on stable storage.
    pub durability: Durability,
    /// Address space of the derived data to begin with, in bytes; it is doubled when full. It takes neither memory nor
    /// disk, and is halved where the operating system grants less.
    pub map_bytes: usize,
    /// Memory for changes that wait in layers over the stores for being merged into them, in bytes. What is over it
    /// is merged with every flush; more memory means fewer page writes per change, and a journal that takes longer to
    /// read when the ledger is opened (about a quarter of a second for the default).
    pub layer_bytes: usize,
    /// Threads that read from one view without waiting for each other.
    pub lanes: usize,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            block_file_bytes: 64 << 20,
            durability: Durability::EachAppend,
            map_bytes: 64 << 30,
            layer_bytes: 128 << 20,
            lanes: threads.clamp(2, 8),
        }
    }
}

impl Options {
    fn validate(&self) -> Result<()> {
        let refuse = |name, value: usize, allowed| Err(LedgerError::Option { name, value: value as u64, allowed });
        if self.lanes == 0 || self.lanes > 64 {
            return refuse("lanes", self.lanes, "1 to 64");
        }
        if self.layer_bytes > 1 << 31 {
            return refuse("layer_bytes", self.layer_bytes, "at most 2 GiB");
        }
        if self.map_bytes < 1 << 20 || self.map_bytes > 1 << 44 || !self.map_bytes.is_multiple_of(1 << 16) {
            return refuse("map_bytes", self.map_bytes, "a multiple of 64 KiB from 1 MiB to 16 TiB");
        }
        Ok(())
    }
}

/// A block that [`Ledger::append`] has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Number and hashes of the block.
    pub tip: ChainTip,
    /// Where it stands.
    pub location: Location,
}

/// What the block files hold.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The last block before the files' first one, in a ledger that began from a snapshot.
    pub(crate) origin: Option<ChainTip>,
    /// The last block there is.
    pub(crate) tip: Option<ChainTip>,
    /// The blocks that are not in the index yet, oldest first; the last of them is `tip`.
    pub(crate) unindexed: VecDeque<BlockEntry>,
}

impl Chain {
    pub(crate) fn height(&self) -> u64 {
        self.tip.map_or(0, |tip| tip.number + 1)
    }

    /// The first block that the files hold or will hold.
    pub(crate) fn first(&self) -> u64 {
        self.origin.map_or(0, |origin| origin.number + 1)
    }

    pub(crate) fn first_unindexed(&self) -> u64 {
        self.height() - self.unindexed.len() as u64
    }

    /// Drops what the index holds now, up to a block.
    fn indexed(&mut self, last: u64) {
        let indexed = (last + 1).saturating_sub(self.first_unindexed());
        let indexed = usize::try_from(indexed).unwrap_or(usize::MAX).min(self.unindexed.len());
        self.unindexed.drain(..indexed);
    }
}

/// What the views see.
#[derive(Debug)]
pub(crate) struct Derived {
    /// What LMDB holds.
    pub(crate) flushed: Option<Savepoint>,
    /// What LMDB holds in its journal only.
    pub(crate) journaled: Layers,
    /// What LMDB does not hold yet, oldest first.
    pub(crate) staged: Vec<Arc<StagedBlock>>,
    /// Which layer to look into.
    pub(crate) recent: Arc<Recent>,
    /// Namespaces that have ever had key metadata.
    pub(crate) metadata_namespaces: Arc<FxHashSet<String>>,
    /// Height since which no block has changed definitions of chaincodes, nor approvals; the one at which the ledger was
    /// opened, if none has since then.
    pub(crate) definitions: u64,
}

impl Derived {
    pub(crate) fn savepoint(&self) -> Option<Savepoint> {
        self.staged.last().map_or(self.flushed, |block| Some(block.savepoint))
    }

    /// Everything over LMDB's stores, oldest first.
    pub(crate) fn layers(&self) -> Vec<Arc<Layer>> {
        self.journaled.iter().chain(self.staged.iter().map(|block| &block.layer)).cloned().collect()
    }
}

/// One channel's ledger.
///
/// All methods may be called from any thread. Blocks are appended, staged and flushed in order; callers that
/// do so concurrently keep that order themselves. See the [crate] for what happens when.
pub struct Ledger {
    pub(crate) dir: PathBuf,
    options: Options,
    pub(crate) lmdb: Arc<Lmdb>,
    pub(crate) held: Held,
    writer: Mutex<BlockWriter>,
    /// Held while syncing, so that who finds nothing to sync knows that no other sync is under way.
    syncing: Mutex<()>,
    chain: RwLock<Chain>,
    derived: RwLock<Derived>,
    recent: Arc<Recent>,
    staging: Mutex<()>,
    /// Held while flushing; the layer that is on its way into the stores.
    flushing: Mutex<Option<Merge>>,
    _lock: LedgerLock,
}

impl Ledger {
    /// Opens the ledger in `dir`, or begins one there.
    ///
    /// Cuts off a block that a crash left half written, and says which blocks the caller has to replay: read them with
    /// [`Ledger::blocks`], validate them again, [`Ledger::stage`] the outcome. Until then views show the state of an
    /// earlier block.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery)> {
        options.validate()?;
        let opened = recovery::open(dir, &options)?;
        let (end, height) = (opened.end, opened.chain.height());
        let writer = BlockWriter::open(&opened.chains, end, height, options.block_file_bytes, options.durability)?;
        let ledger = Self {
            dir: dir.to_path_buf(),
            options,
            lmdb: Arc::new(opened.lmdb),
            held: Held::default(),
            writer: Mutex::new(writer),
            syncing: Mutex::new(()),
            chain: RwLock::new(opened.chain),
            recent: Arc::clone(&opened.derived.recent),
            derived: RwLock::new(opened.derived),
            staging: Mutex::new(()),
            flushing: Mutex::new(None),
            _lock: opened.lock,
        };
        Ok((ledger, opened.recovery))
    }

    /// Deletes what is derived from the blocks of the ledger in `dir`, which must not be open; the next
    /// [`Ledger::open`] asks for all blocks to be replayed.
    pub fn drop_derived(dir: &Path) -> Result<()> {
        recovery::drop_derived(dir)
    }

    /// The number of blocks, those before a snapshot included.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.chain().height()
    }

    /// The last block in the block files, or the last one before the snapshot; none in an empty ledger.
    #[must_use]
    pub fn tip(&self) -> Option<ChainTip> {
        self.chain().tip
    }

    /// The number of blocks whose effects new views show.
    #[must_use]
    pub fn committed_height(&self) -> u64 {
        self.derived().savepoint().map_or(0, |savepoint| savepoint.tip.number + 1)
    }

    /// The commit hash after the last block whose effects new views show.
    #[must_use]
    pub fn last_commit_hash(&self) -> Option<Hash> {
        self.derived().savepoint()?.commit_hash
    }

    /// The last block whose effects are flushed.
    #[must_use]
    pub fn savepoint(&self) -> Option<Savepoint> {
        self.derived().flushed
    }

    /// A view of the state after the last staged block.
    pub fn view(&self) -> Result<View> {
        self.view_with(self.options.lanes)
    }

    /// The height of a view that is taken now.
    #[must_use]
    pub fn view_height(&self) -> u64 {
        self.derived().savepoint().map_or(0, |savepoint| savepoint.tip.number + 1)
    }

    /// A view with so many lanes.
    pub(crate) fn view_with(&self, lanes: usize) -> Result<View> {
        loop {
            {
                // While this is held nothing more is staged, so no flush can bring LMDB beyond the view's height.
                let derived = self.derived();
                if let Some(pass) = self.lmdb.try_enter() {
                    return View::new(&self.lmdb, &pass, lanes, &derived);
                }
            }
            self.lmdb.wait();
        }
    }

    /// Appends the next block, given as its record ([`fastledger_wire::block::encode_record`]).
    ///
    /// It must follow the chain; that its data hash is right the caller has made sure of.
    ///
    /// With [`Durability::EachAppend`] it is on stable storage when this returns. On an error the block file is what it
    /// was before.
    pub fn append(&self, record: &[u8]) -> Result<Appended> {
        let (header, _) = record::decode(record).map_err(|reason| LedgerError::NotARecord { reason })?;
        let mut writer = lock(&self.writer);
        let tip = record::follow(self.chain().tip.as_ref(), &header)
            .map_err(|reason| LedgerError::NotNext { number: header.number, reason })?;
        let location = writer.append(record)?;
        let mut chain = self.chain_mut();
        chain.tip = Some(tip);
        let seal = Some(store::seal(&[], record));
        chain.unindexed.push_back(BlockEntry { location, header_hash: tip.header_hash, seal });
        Ok(Appended { tip, location })
    }

    /// Brings to stable storage every block that was appended; others may append meanwhile.
    pub fn sync(&self) -> Result<()> {
        let _one_at_a_time = lock(&self.syncing);
        let pending = lock(&self.writer).begin_sync()?;
        match pending {
            Some(pending) => pending.run().inspect_err(|error| lock(&self.writer).fail(error)),
            None => Ok(()),
        }
    }

    /// Makes the effects of the next block visible to views that are created from now on.
    pub fn stage(&self, block: &CommittedBlock<'_>) -> Result<()> {
        let _one_at_a_time = lock(&self.staging);
        self.check_next(block)?;
        if self.must_flush() {
            self.flush()?;
        }
        let staged = StagedBlock::new(block, &self.view_with(1)?)?;
        self.recent.learn(&staged.layer);
        let mut derived = self.derived_mut();
        let namespaces = &staged.metadata_namespaces;
        if !namespaces.iter().all(|namespace| derived.metadata_namespaces.contains(namespace)) {
            Arc::make_mut(&mut derived.metadata_namespaces).extend(namespaces.iter().cloned());
        }
        if block.updates.updates.iter().any(|update| DEFINING_NAMESPACES.contains(&update.key.namespace)) {
            derived.definitions = staged.tip().number + 1;
        }
        derived.staged.push(Arc::new(staged));
        Ok(())
    }

    /// Writes everything that is staged to LMDB, in one transaction.
    ///
    /// On an error everything stays staged, and flushing may be tried again.
    pub fn flush(&self) -> Result<()> {
        let mut merge = lock(&self.flushing);
        if merge.is_none() {
            *merge = self.begin_merge()?;
        }
        let (blocks, namespaces) = {
            let derived = self.derived();
            (derived.staged.clone(), Arc::clone(&derived.metadata_namespaces))
        };
        let Some(last) = blocks.last() else { return Ok(()) };
        self.sync()?;
        let indexed = self.with_entries(&blocks)?;
        flush::write(&self.lmdb, &indexed, &namespaces, merge.as_mut())?;
        self.chain_mut().indexed(last.tip().number);
        for (_, entry) in &indexed {
            if let Some(full) = entry.location.file.checked_sub(1).filter(|_| entry.location.offset == 0) {
                blockfile::leave_cache(&self.dir.join(CHAINS), full);
            }
        }
        let merged;
        {
            let mut derived = self.derived_mut();
            derived.flushed = Some(last.savepoint);
            derived.staged.drain(..blocks.len());
            for block in &blocks {
                derived.journaled.push(Arc::clone(&block.layer));
            }
            merged = merge.take_if(|merge| merge.is_done());
            if merged.is_some() {
                derived.journaled.drop_oldest();
            }
        }
        if let Some(merged) = merged {
            self.recent.forget(merged.layer());
        }
        self.bring_layers_together(usize::from(merge.is_some()))
    }

    /// Blocks with their entries of the index. One that was found when the ledger was opened is read once more, for
    /// the checksum.
    fn with_entries(&self, blocks: &[Arc<StagedBlock>]) -> Result<Vec<(Arc<StagedBlock>, BlockEntry)>> {
        let mut found = Vec::with_capacity(blocks.len());
        for block in blocks {
            let number = block.tip().number;
            let mut entry = self.entry(number)?;
            if entry.seal.is_none() {
                entry.seal = Some(store::seal(&[], &self.read_block(number, &entry)?.record));
            }
            found.push((Arc::clone(block), entry));
        }
        Ok(found)
    }

    /// Once layers take more memory than allowed, the older half of them is merged into the stores.
    fn begin_merge(&self) -> Result<Option<Merge>> {
        let Some(half) = self.derived().journaled.oldest_half(self.options.layer_bytes / 2) else { return Ok(None) };
        let Some(merged) = half.merged()? else { return Ok(None) };
        let mut derived = self.derived_mut();
        derived.journaled.replace(&half, merged);
        Ok(derived.journaled.oldest().cloned().map(Merge::new))
    }

    /// Keeps layers few; not those that are being merged into the stores, which are the oldest `but`.
    fn bring_layers_together(&self, but: usize) -> Result<()> {
        loop {
            let Some(ripe) = self.derived().journaled.ripe(but) else { return Ok(()) };
            let Some(merged) = ripe.merged()? else { return Ok(()) };
            self.derived_mut().journaled.replace(&ripe, merged);
        }
    }

    /// Stages and flushes consecutive blocks.
    pub fn commit(&self, blocks: &[CommittedBlock<'_>]) -> Result<()> {
        for block in blocks {
            self.stage(block)?;
        }
        self.flush()
    }

    fn check_next(&self, block: &CommittedBlock<'_>) -> Result<()> {
        let number = block.tip.number;
        let refuse = |reason: String| Err(LedgerError::NotNext { number, reason });
        let before = self.derived().savepoint().map(|savepoint| savepoint.tip);
        if number != before.map_or(0, |tip| tip.number + 1) {
            return refuse(format!("block {} must be staged first", before.map_or(0, |tip| tip.number + 1)));
        }
        if block.tip.previous_hash != before.map(|tip| tip.header_hash) {
            return refuse("it does not follow the block staged before it".into());
        }
        let chain = self.chain();
        let entry = number.checked_sub(chain.first_unindexed()).and_then(|index| usize::try_from(index).ok());
        let entry = entry.and_then(|index| chain.unindexed.get(index));
        match entry {
            Some(entry) if entry.location == block.location && entry.header_hash == block.tip.header_hash => Ok(()),
            Some(_) => refuse("it is not the block that was appended under this number".into()),
            None => refuse("it has not been appended".into()),
        }
    }

    fn must_flush(&self) -> bool {
        let derived = self.derived();
        derived.staged.len() >= MAX_STAGED_BLOCKS
            || derived.staged.iter().map(|block| block.memory()).sum::<usize>() >= MAX_STAGED_BYTES
    }

    pub(crate) fn chain(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn chain_mut(&self) -> RwLockWriteGuard<'_, Chain> {
        self.chain.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn derived(&self) -> RwLockReadGuard<'_, Derived> {
        self.derived.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn derived_mut(&self) -> RwLockWriteGuard<'_, Derived> {
        self.derived.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

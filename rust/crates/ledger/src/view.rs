// SPDX-License-Identifier: Apache-2.0
//! A view of the ledger as of the end of one block: LMDB as of some commit, and over it the blocks staged since.
//!
//! LMDB allows one thread at a time into a transaction. A view therefore holds several, its lanes, and each thread
//! prefers one of its own. Lanes may be as of different commits: what those differ in is staged, and so is looked up
//! before LMDB is.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use fastledger_mvcc::state::{StateKey, StateReader, UpdateBatch, VersionedValue};
use fastledger_wire::{Hash, Height};
use rustc_hash::FxHashSet;

use crate::error::{LedgerError, Result};
use crate::gate::Pass;
use crate::keys::{self, TxIdKey};
use crate::lmdb::{Lmdb, ReadTxn, Store, Stores};
use crate::scan::Scan;
use crate::staged::{self, Changes, StagedBlock};
use crate::stored;
use crate::values::{Savepoint, StateValue, TxLocation};

/// Rows that a range reads before it lets others into its lane.
const RANGE_CHUNK_ROWS: usize = 256;

/// A consistent, immutable view of everything that is derived from the blocks up to one.
///
/// It may be shared between threads, and commits go on beside it. LMDB keeps what an open view sees, so a view that
/// is kept for long makes the derived data grow; nor can the map grow while any view is open.
pub struct View {
    lmdb: Arc<Lmdb>,
    lanes: Box<[Mutex<ReadTxn>]>,
    /// Oldest first.
    staged: Vec<Arc<StagedBlock>>,
    savepoint: Option<Savepoint>,
    metadata_namespaces: Arc<FxHashSet<String>>,
}

impl View {
    pub(crate) fn new(
        lmdb: Arc<Lmdb>,
        pass: &Pass,
        lanes: usize,
        staged: Vec<Arc<StagedBlock>>,
        savepoint: Option<Savepoint>,
        metadata_namespaces: Arc<FxHashSet<String>>,
    ) -> Result<Self> {
        let lanes = (0..lanes).map(|_| lmdb.read_with(pass.clone()).map(Mutex::new)).collect::<Result<_>>()?;
        Ok(Self { lmdb, lanes, staged, savepoint, metadata_namespaces })
    }

    /// The number of blocks whose effects the view shows.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.savepoint.map_or(0, |savepoint| savepoint.tip.number + 1)
    }

    /// The commit hash after the view's last block, if there is any.
    #[must_use]
    pub fn commit_hash(&self) -> Option<Hash> {
        self.savepoint?.commit_hash
    }

    /// The values of several keys, in their order.
    pub fn get_multiple(&self, keys: &[StateKey<'_>]) -> Result<Vec<Option<VersionedValue<'static>>>> {
        keys.iter().map(|key| StateReader::get(self, *key)).collect()
    }

    /// Visits the keys and values of a namespace, or of a collection's hashes if `collection` is not empty, from
    /// `start` (inclusive) to `end` (exclusive; empty: to the end) in byte order, until `visit` breaks.
    pub fn range_values(
        &self,
        (namespace, collection): (&str, &str),
        start: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], VersionedValue<'static>) -> ControlFlow<()>,
    ) -> Result<()> {
        let (from, to) = bounds(namespace, collection, start, end);
        self.visit_states(&from, Some(&to), &mut |key, value| {
            let Some((_, key)) = keys::split_state(key) else { return ControlFlow::Continue(()) };
            visit(key, value.to_owned())
        })
    }

    /// Visits all state in the order of Fabric's snapshots: by namespace as stored, then key.
    pub fn all_states(
        &self,
        visit: &mut dyn FnMut(StateKey<'_>, VersionedValue<'static>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.all_states_from(StateKey { namespace: "", collection: "", key: &[] }, visit)
    }

    /// [`Self::all_states`] from `first` (inclusive) on.
    pub fn all_states_from(
        &self,
        first: StateKey<'_>,
        visit: &mut dyn FnMut(StateKey<'_>, VersionedValue<'static>) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut damaged = None;
        let (from, _) = bounds(first.namespace, first.collection, first.key, &[]);
        self.visit_states(&from, None, &mut |whole, value| {
            let split = keys::split_state(whole);
            let named = split.and_then(|(namespace, key)| Some((std::str::from_utf8(namespace).ok()?, key)));
            let Some((namespace, key)) = named else {
                damaged = Some(self.lmdb.damaged("a state key"));
                return ControlFlow::Break(());
            };
            let (namespace, collection) = keys::split_namespace(namespace);
            visit(StateKey { namespace, collection, key }, value.to_owned())
        })?;
        damaged.map_or(Ok(()), Err)
    }

    /// Whether any block up to the view's holds a transaction of this id, valid or not.
    pub fn tx_id_exists(&self, tx_id: &str) -> Result<bool> {
        Ok(self.tx_location(tx_id)?.is_some())
    }

    /// Where a transaction id was seen first.
    pub fn tx_location(&self, tx_id: &str) -> Result<Option<TxLocation>> {
        let stored = match keys::tx_id(tx_id) {
            TxIdKey::Digest(digest) => {
                self.oldest(|block| &block.tx_ids, |stores| stores.tx_ids, &digest, |bytes| bytes.to_vec())?
            }
            TxIdKey::Text(key, _) => self.oldest(
                |block| &block.other_tx_ids,
                |stores| stores.other_tx_ids,
                &key,
                |bytes| stored::split(&key, bytes).map_or(Vec::new(), |(_, value)| value.to_vec()),
            )?,
        };
        let Some(stored) = stored else { return Ok(None) };
        TxLocation::decode(&stored).map(Some).ok_or_else(|| self.lmdb.damaged("a transaction id"))
    }

    /// The heights of the valid transactions that wrote a public key, newest first.
    ///
    /// What they wrote is in the blocks: [`Ledger::history`](crate::Ledger::history) reads it.
    pub fn history(&self, namespace: &str, key: &str) -> Result<Vec<Height>> {
        let mut state_key = Vec::new();
        keys::state(&mut state_key, StateKey { namespace, collection: "", key: key.as_bytes() });
        let mut prefix = Vec::new();
        keys::history_prefix(&mut prefix, &state_key);
        let mut heights = Vec::new();
        let mut add = |key: &[u8]| match keys::split_height(&key[prefix.len()..]) {
            Some(height) => {
                heights.push(height);
                Ok(())
            }
            None => Err(self.lmdb.damaged("a history key")),
        };
        {
            let lane = self.lane();
            for pair in self.lmdb.stores.history.prefix_iter(&lane, &prefix).map_err(|e| self.lmdb.read_error(e))? {
                add(pair.map_err(|e| self.lmdb.read_error(e))?.0)?;
            }
        }
        for block in &self.staged {
            for (key, _) in block.history.from(&prefix).take_while(|(key, _)| key.starts_with(&prefix)) {
                add(key)?;
            }
        }
        heights.sort_unstable();
        // A lane may be as of a commit that has some of the staged blocks already.
        heights.dedup();
        heights.reverse();
        Ok(heights)
    }

    /// The collection configuration of a chaincode as of the end of block `block` - 1, and the block that set it
    /// (`MostRecentCollectionConfigBelow`).
    pub fn collection_config_below(&self, block: u64, chaincode: &str) -> Result<Option<(u64, Vec<u8>)>> {
        let Some(newest) = block.checked_sub(1) else { return Ok(None) };
        let from = keys::collections(chaincode, newest);
        let name = &from[..from.len() - 8];
        let mut found: Option<(u64, Vec<u8>)> = None;
        let mut consider = |whole: &[u8], package: &[u8]| {
            if let Some((_, block)) = keys::split_collections(whole)
                && found.as_ref().is_none_or(|(other, _)| *other < block)
            {
                found = Some((block, package.to_vec()));
            }
        };
        {
            let lane = self.lane();
            let mut scan = Scan::new(&self.lmdb, &lane, self.lmdb.stores.config_history, &from)?;
            if let Some(row) = scan.next()?
                && row.key.starts_with(name)
            {
                consider(row.key, row.value);
            }
        }
        for (stored, value) in self.staged.iter().flat_map(|block| block.config_history.from(&[])) {
            let pair = value.and_then(|value| stored::split(stored, value));
            let (whole, package) = pair.ok_or_else(|| self.lmdb.damaged("a collection configuration"))?;
            if whole.starts_with(name) && whole.len() == from.len() && whole >= from.as_slice() {
                consider(whole, package);
            }
        }
        Ok(found)
    }

    /// The channel configuration in force after the view's last block, and the block that set it.
    pub fn channel_config(&self) -> Result<Option<(u64, Vec<u8>)>> {
        for block in self.staged.iter().rev() {
            if let Some(config) = &block.channel_config {
                return Ok(Some((block.tip().number, config.clone())));
            }
        }
        let lane = self.lane();
        let last = self.lmdb.stores.channel_config.last(&lane).map_err(|e| self.lmdb.read_error(e))?;
        last.map(|(key, config)| Ok((self.number(key)?, config.to_vec()))).transpose()
    }

    /// What [`CommittedBlock::explanations`](crate::CommittedBlock::explanations) held for a block.
    pub fn explanations(&self, block: u64) -> Result<Option<Vec<u8>>> {
        if let Some(staged) = self.staged.iter().find(|staged| staged.tip().number == block) {
            return Ok(Some(staged.explanations.clone()).filter(|bytes| !bytes.is_empty()));
        }
        let found =
            self.lmdb.stores.explanations.get(&self.lane(), &block.to_be_bytes()).map(|f| f.map(<[u8]>::to_vec));
        found.map_err(|e| self.lmdb.read_error(e))
    }

    fn number(&self, key: &[u8]) -> Result<u64> {
        key.try_into().map(u64::from_be_bytes).map_err(|_| self.lmdb.damaged("a block number"))
    }

    /// Reads a stored state key's value.
    fn state<T>(&self, key: &[u8], read: impl Fn(StateValue<'_>) -> T) -> Result<Option<T>> {
        let decode = |bytes: &[u8]| {
            let value = stored::split(key, bytes).and_then(|(_, value)| StateValue::decode(value));
            value.map(&read).ok_or_else(|| self.lmdb.damaged("a state"))
        };
        let hash = staged::hash(key);
        for block in self.staged.iter().rev() {
            if let Some(change) = block.state.get(key, hash) {
                return change.map(decode).transpose();
            }
        }
        let lane = self.lane();
        let found = self.lmdb.stores.state.get(&lane, key).map_err(|e| self.lmdb.read_error(e))?;
        found.map(decode).transpose()
    }

    /// Reads what the oldest block says of a key: LMDB goes before staged blocks.
    fn oldest<T>(
        &self,
        changes: impl Fn(&StagedBlock) -> &Changes,
        store: impl Fn(&Stores) -> Store,
        key: &[u8],
        read: impl Fn(&[u8]) -> T,
    ) -> Result<Option<T>> {
        {
            let lane = self.lane();
            let found = store(&self.lmdb.stores).get(&lane, key).map_err(|e| self.lmdb.read_error(e))?;
            if let Some(found) = found {
                return Ok(Some(read(found)));
            }
        }
        let hash = staged::hash(key);
        Ok(self.staged.iter().find_map(|block| changes(block).get(key, hash).flatten()).map(read))
    }

    /// Visits whole state keys from `from` to `to` in order.
    fn visit_states(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], StateValue<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let overlay = Overlay::new(&self.staged, from, to).ok_or_else(|| self.lmdb.damaged("a staged state"))?;
        let mut puts = overlay.puts.into_iter().peekable();
        let mut next = Some(from.to_vec());
        while let Some(start) = next {
            let (rows, resume) = self.chunk(&start, to, &overlay.changed)?;
            next = resume;
            for (key, value) in rows {
                while let Some((put, value)) = puts.next_if(|(put, _)| *put < key.as_slice()) {
                    if self.visit_one(put, value, visit)?.is_break() {
                        return Ok(());
                    }
                }
                if self.visit_one(&key, &value, visit)?.is_break() {
                    return Ok(());
                }
            }
        }
        for (put, value) in puts {
            if self.visit_one(put, value, visit)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn visit_one(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&[u8], StateValue<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let value = StateValue::decode(value).ok_or_else(|| self.lmdb.damaged("a state"))?;
        Ok(visit(key, value))
    }

    /// Some rows of LMDB that no staged block changes, and where to go on.
    #[expect(clippy::type_complexity, reason = "rows, and the key to resume at")]
    fn chunk(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        changed: &FxHashSet<&[u8]>,
    ) -> Result<(Vec<(Vec<u8>, Vec<u8>)>, Option<Vec<u8>>)> {
        let lane = self.lane();
        let mut scan = Scan::new(&self.lmdb, &lane, self.lmdb.stores.state, from)?;
        let mut rows = Vec::new();
        while let Some(row) = scan.next()? {
            if to.is_some_and(|to| row.key >= to) {
                return Ok((rows, None));
            }
            if rows.len() == RANGE_CHUNK_ROWS {
                return Ok((rows, Some(row.key.to_vec())));
            }
            if !changed.contains(row.stored) {
                rows.push((row.key.to_vec(), row.value.to_vec()));
            }
        }
        Ok((rows, None))
    }

    /// Adds to a block's changes the deletion of the hashed keys that expire with it, and clears their schedule.
    ///
    /// A key goes only if its version is still that of the scheduled block, and if the block itself does not write it
    /// (`PurgeMgr.prepareWorkingsetFor`, `AddExpiredEntriesToUpdateBatch`).
    pub(crate) fn expire(
        &self,
        block: u64,
        updates: &UpdateBatch<'_>,
        state: &mut Changes,
        expiry: &mut Changes,
    ) -> Result<()> {
        for scheduled in self.expiring_with(block)? {
            let (committing, key) = keys::split_expiry(&scheduled).ok_or_else(|| self.lmdb.damaged("an expiry"))?;
            let version = self.state(key, |value| value.version)?;
            if version.is_some_and(|version| version.block == committing) && !writes(updates, key) {
                state.delete(|out| out.extend_from_slice(key));
            }
            expiry.delete(|out| out.extend_from_slice(&scheduled));
        }
        Ok(())
    }

    fn expiring_with(&self, block: u64) -> Result<Vec<Vec<u8>>> {
        let mut prefix = Vec::new();
        keys::expiry_prefix(&mut prefix, block);
        let mut found = Vec::new();
        {
            let lane = self.lane();
            for pair in self.lmdb.stores.expiry.prefix_iter(&lane, &prefix).map_err(|e| self.lmdb.read_error(e))? {
                found.push(pair.map_err(|e| self.lmdb.read_error(e))?.0.to_vec());
            }
        }
        for staged in &self.staged {
            let from = staged.expiry.from(&prefix).take_while(|(key, _)| key.starts_with(&prefix));
            found.extend(from.filter(|(_, value)| value.is_some()).map(|(key, _)| key.to_vec()));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A lane that is free, the thread's own if possible.
    fn lane(&self) -> MutexGuard<'_, ReadTxn> {
        let own = OWN_LANE.get() % self.lanes.len();
        let lanes = self.lanes[own..].iter().chain(&self.lanes[..own]);
        for lane in lanes {
            match lane.try_lock() {
                Ok(lane) => return lane,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.lanes[own].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

static LANES_TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN_LANE: Cell<usize> = Cell::new(LANES_TAKEN.fetch_add(1, Ordering::Relaxed));
}

/// Whether a batch writes a stored key.
fn writes(updates: &UpdateBatch<'_>, key: &[u8]) -> bool {
    let mut stored = Vec::new();
    updates.updates.iter().filter(|update| !update.key.collection.is_empty()).any(|update| {
        stored.clear();
        keys::state(&mut stored, update.key);
        stored == key
    })
}

/// The first whole key of a range of a namespace, and the first behind it.
fn bounds(namespace: &str, collection: &str, start: &[u8], end: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let hashed = if collection.is_empty() { [""; 2] } else { ["$$h", collection] };
    let space = [namespace, hashed[0], hashed[1]].concat();
    let from = [space.as_bytes(), &[0], start].concat();
    let to = if end.is_empty() { [space.as_bytes(), &[1]].concat() } else { [space.as_bytes(), &[0], end].concat() };
    (from, to)
}

/// What staged blocks do to a range of states.
struct Overlay<'a> {
    /// Stored keys of all changes.
    changed: FxHashSet<&'a [u8]>,
    /// Whole keys and values of what is there afterwards, in order.
    puts: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Overlay<'a> {
    fn new(staged: &'a [Arc<StagedBlock>], from: &[u8], to: Option<&[u8]>) -> Option<Self> {
        let mut overlay = Self { changed: FxHashSet::default(), puts: Vec::new() };
        let last = to.map(stored::lower_bound);
        for block in staged.iter().rev() {
            for (key, value) in block.state.from(stored::lower_bound(from)) {
                if last.is_some_and(|last| &key[..key.len().min(last.len())] > last) {
                    break;
                }
                if !overlay.changed.insert(key) {
                    continue;
                }
                if let Some(value) = value {
                    let (whole, value) = stored::split(key, value)?;
                    if whole >= from && to.is_none_or(|to| whole < to) {
                        overlay.puts.push((whole, value));
                    }
                }
            }
        }
        overlay.puts.sort_unstable_by(|a, b| a.0.cmp(b.0));
        Some(overlay)
    }
}

impl StateReader for View {
    type Error = LedgerError;

    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>> {
        with_stored(key, |stored| self.state(stored, |value| value.version))
    }

    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>> {
        with_stored(key, |stored| self.state(stored, |value| value.to_owned()))
    }

    fn metadata(&self, key: StateKey<'_>) -> Result<Cow<'static, [u8]>> {
        if !self.metadata_namespaces.contains(key.namespace) {
            return Ok(Cow::Borrowed(&[]));
        }
        let found = with_stored(key, |stored| self.state(stored, |value| value.metadata.to_vec()))?;
        Ok(found.map_or(Cow::Borrowed(&[]), Cow::Owned))
    }

    fn range(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<()> {
        let (from, to) = bounds(namespace, "", start.as_bytes(), end.as_bytes());
        self.visit_states(&from, Some(&to), &mut |whole, value| {
            let Some((_, key)) = keys::split_state(whole) else { return ControlFlow::Continue(()) };
            visit(key, value.version)
        })
    }
}

thread_local! {
    /// Keys are built in a buffer that stays, as building one is most of what a lookup in memory costs.
    static KEY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn with_stored<T>(key: StateKey<'_>, work: impl FnOnce(&[u8]) -> T) -> T {
    KEY.with(|cell| {
        let mut buffer = cell.take();
        buffer.clear();
        keys::state(&mut buffer, key);
        let done = work(&buffer);
        cell.set(buffer);
        done
    })
}

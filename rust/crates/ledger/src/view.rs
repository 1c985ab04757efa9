// SPDX-License-Identifier: Apache-2.0
//! A view of the ledger as of the end of one block: LMDB as of some commit, and over it the layers of later blocks.
//!
//! LMDB allows one thread at a time into a transaction. A view therefore holds several, its lanes, and each thread
//! prefers one of its own. Lanes may be as of different commits: what those differ in is in the layers, which are
//! looked up before LMDB is.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use fastledger_mvcc::state::{StateKey, StateReader, VersionedValue};
use fastledger_wire::{Hash, Height};
use rustc_hash::FxHashSet;

use crate::changes::{Change, Keep};
use crate::deleted_runs::DeletedRuns;
use crate::error::{LedgerError, Result};
use crate::gate::Pass;
use crate::keys::{self, TxIdKey};
use crate::layer::{Kind, Layer};
use crate::ledger::Derived;
use crate::lmdb::{Lmdb, ReadTxn};
use crate::long_keys::LongKeys;
use crate::merged::Merged;
use crate::recent::{Place, Recent, hash};
use crate::staged::StagedBlock;
use crate::stored;
use crate::values::{Savepoint, StateValue, TxLocation};

/// Rows that were read together.
struct Chunk<T> {
    /// Their keys, one behind the other.
    keys: Vec<u8>,
    /// Where each key ends, and what was read.
    rows: Vec<(usize, T)>,
    /// The key to go on from.
    next: Option<Vec<u8>>,
}

/// Rows that a range reads first: most end early.
const FIRST_CHUNK_ROWS: usize = 4;

/// Each further chunk of rows is so many times longer.
const CHUNK_GROWTH: usize = 4;

/// Rows that a range reads at most before it lets others into its lane.
const MAX_CHUNK_ROWS: usize = 256;

/// A consistent, immutable view of everything that is derived from the blocks up to one.
///
/// It may be shared between threads, and commits go on beside it. LMDB keeps what an open view sees, so a view that
/// is kept for long makes the derived data grow; nor can the map grow while any view is open.
pub struct View {
    pub(crate) lmdb: Arc<Lmdb>,
    lanes: Box<[Mutex<ReadTxn>]>,
    /// What is not in LMDB's stores, oldest first.
    pub(crate) layers: Vec<Arc<Layer>>,
    recent: Arc<Recent>,
    /// What is not in LMDB at all, oldest first.
    staged: Vec<Arc<StagedBlock>>,
    pub(crate) savepoint: Option<Savepoint>,
    metadata_namespaces: Arc<FxHashSet<String>>,
    definitions: u64,
    pub(crate) long_keys: LongKeys,
    deleted: DeletedRuns,
}

impl View {
    /// The caller keeps `derived` from changing meanwhile: what is flushed later must not reach LMDB before the lanes
    /// are open.
    pub(crate) fn new(lmdb: &Arc<Lmdb>, pass: &Pass, lanes: usize, derived: &Derived) -> Result<Self> {
        Ok(Self {
            lanes: (0..lanes).map(|_| lmdb.read_with(pass.clone()).map(Mutex::new)).collect::<Result<_>>()?,
            lmdb: Arc::clone(lmdb),
            layers: derived.layers(),
            recent: Arc::clone(&derived.recent),
            staged: derived.staged.clone(),
            savepoint: derived.savepoint(),
            metadata_namespaces: Arc::clone(&derived.metadata_namespaces),
            definitions: derived.definitions,
            long_keys: LongKeys::default(),
            deleted: DeletedRuns::default(),
        })
    }

    /// The number of blocks whose effects the view shows.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.savepoint.map_or(0, |savepoint| savepoint.tip.number + 1)
    }

    /// A height at which chaincodes were defined as they are now, by public and private state: views of one channel with
    /// the same number here show the same definitions.
    #[must_use]
    pub fn definitions_height(&self) -> u64 {
        self.definitions
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
        self.visit_states(&from, Some(&to), owned, &mut |key, value| {
            let Some((_, key)) = keys::split_state(key) else { return ControlFlow::Continue(()) };
            visit(key, value)
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
        self.visit_states(&from, None, owned, &mut |whole, value| {
            let split = keys::split_state(whole);
            let named = split.and_then(|(namespace, key)| Some((std::str::from_utf8(namespace).ok()?, key)));
            let Some((namespace, key)) = named else {
                damaged = Some(self.lmdb.damaged("a state key"));
                return ControlFlow::Break(());
            };
            let (namespace, collection) = keys::split_namespace(namespace);
            visit(StateKey { namespace, collection, key }, value)
        })?;
        damaged.map_or(Ok(()), Err)
    }

    /// Whether any block up to the view's holds a transaction of this id, valid or not.
    pub fn tx_id_exists(&self, tx_id: &str) -> Result<bool> {
        Ok(self.tx_location(tx_id)?.is_some())
    }

    /// Where a transaction id was seen first.
    pub fn tx_location(&self, tx_id: &str) -> Result<Option<TxLocation>> {
        let (kind, mut key) = match keys::tx_id(tx_id) {
            TxIdKey::Digest(digest) => (Kind::TxIds, digest.to_vec()),
            TxIdKey::Text(key) => (Kind::OtherTxIds, key),
        };
        stored::shorten(&mut key, 0);
        let decode = |stored: &[u8]| {
            let location = stored::split(&key, stored).and_then(|(_, value)| TxLocation::decode(value));
            location.ok_or_else(|| self.lmdb.damaged("a transaction id"))
        };
        // The first one counts: LMDB's stores are older than any layer.
        {
            let lane = self.lane();
            let found = kind.store(&self.lmdb.stores).get(&lane, &key).map_err(|e| self.lmdb.read_error(e))?;
            if let Some(found) = found {
                return decode(found).map(Some);
            }
        }
        self.change(kind, &key).map(|change| decode(change.value)).transpose()
    }

    /// The heights of the valid transactions that wrote a public key, newest first.
    ///
    /// What they wrote is in the blocks: [`Ledger::history`](crate::Ledger::history) reads it.
    pub fn history(&self, namespace: &str, key: &str) -> Result<Vec<Height>> {
        let mut prefix = Vec::new();
        keys::history_prefix(&mut prefix, namespace, key.as_bytes());
        let mut heights = Vec::new();
        for key in self.keys_with_prefix(Kind::History, &prefix)? {
            let height = keys::split_height(&key[prefix.len()..]);
            heights.push(height.ok_or_else(|| self.lmdb.damaged("a history key"))?);
        }
        heights.reverse();
        Ok(heights)
    }

    /// The collection configuration of a chaincode as of the end of block `block` - 1, and the block that set it
    /// (`MostRecentCollectionConfigBelow`).
    pub fn collection_config_below(&self, block: u64, chaincode: &str) -> Result<Option<(u64, Vec<u8>)>> {
        let Some(newest) = block.checked_sub(1) else { return Ok(None) };
        let from = keys::collections(chaincode, newest);
        let lane = self.lane();
        let mut rows = Merged::new(&self.lmdb, &lane, &self.layers, &self.long_keys, Kind::ConfigHistory, &from)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let found = keys::split_collections(row.key).filter(|(name, _)| *name == chaincode);
        Ok(found.map(|(_, block)| (block, row.value.to_vec())))
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

    /// The number of the block whose header has a hash.
    pub(crate) fn block_with_hash(&self, header_hash: &Hash) -> Result<Option<u64>> {
        let hash = hash(header_hash);
        if let Some(change) = self.layers.iter().find_map(|layer| layer[Kind::BlockHashes].get(header_hash, hash)) {
            return self.number(change.value).map(Some);
        }
        let lane = self.lane();
        let found = self.lmdb.stores.block_hashes.get(&lane, header_hash).map_err(|e| self.lmdb.read_error(e))?;
        found.map(|number| self.number(number)).transpose()
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
        if let Some(change) = self.change(Kind::State, key) {
            return if change.deleted { Ok(None) } else { decode(change.value).map(Some) };
        }
        let lane = self.lane();
        let found = self.lmdb.stores.state.get(&lane, key).map_err(|e| self.lmdb.read_error(e))?;
        found.map(decode).transpose()
    }

    /// What the layers say of a stored key.
    fn change<'v>(&'v self, kind: Kind, key: &[u8]) -> Option<Change<'v>> {
        let first = self.layers.first()?.first;
        let hash = hash(key);
        let get = |layer: &'v Arc<Layer>| layer[kind].get(key, hash);
        match self.recent.place(kind, hash, first, self.height()) {
            Place::Nowhere => return None,
            Place::Block(block) => {
                let layer = self.layers.partition_point(|layer| layer.last < block);
                if let Some(change) = self.layers.get(layer).and_then(get) {
                    return Some(change);
                }
            }
            Place::Anywhere => {}
        }
        match kind.keep() {
            Keep::First => self.layers.iter().find_map(get),
            Keep::Last => self.layers.iter().rev().find_map(get),
        }
    }

    /// The version of a whole state key.
    pub(crate) fn whole_version(&self, key: &[u8]) -> Result<Option<Height>> {
        let mut stored = key.to_vec();
        stored::shorten(&mut stored, 0);
        self.state(&stored, |value| value.version)
    }

    /// The schedule of what expires with a block.
    pub(crate) fn expiring_with(&self, block: u64) -> Result<Vec<Vec<u8>>> {
        let mut prefix = Vec::new();
        keys::expiry_prefix(&mut prefix, block);
        self.keys_with_prefix(Kind::Expiry, &prefix)
    }

    fn keys_with_prefix(&self, kind: Kind, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lane = self.lane();
        let mut rows = Merged::new(&self.lmdb, &lane, &self.layers, &self.long_keys, kind, prefix)?;
        let mut found = Vec::new();
        while let Some(row) = rows.step()?.filter(|row| row.key.starts_with(prefix)) {
            if !row.deleted {
                found.push(row.key.to_vec());
            }
        }
        Ok(found)
    }

    /// Visits whole state keys from `from` to `to` in order, with what `read` takes of their values.
    ///
    /// Rows are gathered in chunks, so that `visit` may use the view.
    fn visit_states<T>(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        read: impl Fn(StateValue<'_>) -> T,
        visit: &mut dyn FnMut(&[u8], T) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut next = Some(from.to_vec());
        let mut most = FIRST_CHUNK_ROWS;
        while let Some(start) = next {
            let chunk = self.chunk(&start, to, most, &read)?;
            most = (most * CHUNK_GROWTH).min(MAX_CHUNK_ROWS);
            let mut begin = 0;
            for (end, value) in chunk.rows {
                if visit(&chunk.keys[begin..end], value).is_break() {
                    return Ok(());
                }
                begin = end;
            }
            next = chunk.next;
        }
        Ok(())
    }

    /// At most so many rows, and where to go on.
    fn chunk<T>(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        most: usize,
        read: impl Fn(StateValue<'_>) -> T,
    ) -> Result<Chunk<T>> {
        let mut chunk = Chunk { keys: Vec::new(), rows: Vec::new(), next: None };
        let Some((from, void)) = self.deleted.ahead(from) else { return Ok(chunk) };
        let lane = self.lane();
        let mut merged = Merged::new(&self.lmdb, &lane, &self.layers, &self.long_keys, Kind::State, &from)?;
        let mut run = self.deleted.run(&from);
        let end = loop {
            let Some(row) = merged.step()? else { break None };
            if to.is_some_and(|to| row.key >= to) {
                break Some(row.key);
            }
            if void.as_deref().is_some_and(|void| void <= row.key) {
                chunk.next = void;
                break chunk.next.as_deref();
            }
            if row.deleted {
                run.lengthen();
                continue;
            }
            run.end(Some(row.key));
            if chunk.rows.len() == most {
                chunk.next = Some(row.key.to_vec());
                return Ok(chunk);
            }
            let value = StateValue::decode(row.value).ok_or_else(|| self.lmdb.damaged("a state"))?;
            chunk.keys.extend_from_slice(row.key);
            chunk.rows.push((chunk.keys.len(), read(value)));
        };
        run.end(end);
        Ok(chunk)
    }

    /// A lane that is free, the thread's own if possible.
    pub(crate) fn lane(&self) -> MutexGuard<'_, ReadTxn> {
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

/// The first whole key of a range of a namespace, and the first behind it.
fn bounds(namespace: &str, collection: &str, start: &[u8], end: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let hashed = if collection.is_empty() { [""; 2] } else { ["$$h", collection] };
    let space = [namespace, hashed[0], hashed[1]].concat();
    let from = [space.as_bytes(), &[0], start].concat();
    let to = if end.is_empty() { [space.as_bytes(), &[1]].concat() } else { [space.as_bytes(), &[0], end].concat() };
    (from, to)
}

impl StateReader for View {
    type Error = LedgerError;

    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>> {
        with_stored(key, |stored| self.state(stored, |value| value.version))
    }

    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>> {
        with_stored(key, |stored| self.state(stored, owned))
    }

    fn metadata(&self, key: StateKey<'_>) -> Result<Cow<'static, [u8]>> {
        if !self.metadata_namespaces.contains(key.namespace) {
            return Ok(Cow::Borrowed(&[]));
        }
        let found = with_stored(key, |stored| self.state(stored, |value| value.metadata.to_vec()))?;
        Ok(found.map_or(Cow::Borrowed(&[]), Cow::Owned))
    }

    fn metadata_up_to(&self, most: usize, key: StateKey<'_>) -> Result<Option<Cow<'static, [u8]>>> {
        if !self.metadata_namespaces.contains(key.namespace) {
            return Ok(Some(Cow::Borrowed(&[])));
        }
        let short = |value: StateValue<'_>| (value.metadata.len() <= most).then(|| Cow::Owned(value.metadata.to_vec()));
        let found = with_stored(key, |stored| self.state(stored, short))?;
        Ok(found.unwrap_or(Some(Cow::Borrowed(&[]))))
    }

    fn range(
        &self,
        namespace: &str,
        start: &[u8],
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<()> {
        let (from, to) = bounds(namespace, "", start, end.as_bytes());
        self.visit_states(&from, Some(&to), |value| value.version, &mut |whole, version| {
            let Some((_, key)) = keys::split_state(whole) else { return ControlFlow::Continue(()) };
            visit(key, version)
        })
    }
}

fn owned(value: StateValue<'_>) -> VersionedValue<'static> {
    value.to_owned()
}

thread_local! {
    /// Keys are built in a buffer that stays, as building one is most of what a lookup in memory costs.
    static KEY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn with_stored<T>(key: StateKey<'_>, work: impl FnOnce(&[u8]) -> T) -> T {
    KEY.with(|cell| {
        let mut buffer = cell.take();
        buffer.clear();
        keys::stored_state(&mut buffer, key);
        let done = work(&buffer);
        cell.set(buffer);
        done
    })
}

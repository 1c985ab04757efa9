// SPDX-License-Identifier: Apache-2.0
//! Begins a ledger from a snapshot: keeps its files, and builds from them what they hold of the derived data.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use fastledger_mvcc::state::StateKey;
use fastledger_wire::Message;
use fastledger_wire::peer::{CollectionConfig, CollectionConfigPackage};
use rustc_hash::FxHashSet;

use super::file::Reader;
use super::metadata::{ADDITIONAL, SIGNABLE, SignableMetadata, SnapshotMetadata};
use super::{CONFIG_HISTORY, FilePair, PRIVATE_STATE_HASHES, PUBLIC_STATE, SnapshotRecord, TX_IDS};
use crate::changes::Changes;
use crate::commit::{Expiry, expiring_block, put_collections, put_expiry, put_state, put_tx_id};
use crate::error::{IoContext, LedgerError, Result};
use crate::flush::{ORIGIN, apply, put_namespaces, put_savepoint};
use crate::keys;
use crate::layer::{Kind, Layer};
use crate::ledger::{Ledger, Options};
use crate::lmdb::Lmdb;
use crate::lock::LedgerLock;
use crate::recovery::{CHAINS, DERIVED};
use crate::values::{StateValue, TxLocation};
use crate::writer::sync_dir;

/// The ledger's folder for the snapshot that it began from.
pub(crate) const FOLDER: &str = "snapshot";

const PARTIAL_FOLDER: &str = "snapshot.partial";

/// Bytes of changes that one write transaction takes.
const BATCH_BYTES: usize = 8 << 20;

impl Ledger {
    /// Begins a ledger in the new or empty folder `dir` from a snapshot (`CreateFromSnapshot`).
    ///
    /// All hashes that the snapshot states are checked, and its files are copied: they are the ledger's truth for
    /// what was before its first block. Whether the snapshot itself is to be trusted the caller must know.
    pub fn import_snapshot(snapshot: &Path, dir: &Path, options: Options) -> Result<(Self, SnapshotMetadata)> {
        let metadata = take_in(snapshot, dir)?;
        match Self::open(dir, options) {
            Ok((ledger, _)) => Ok((ledger, metadata)),
            Err(error) => {
                // Whatever is there was made by this call; what cannot be removed keeps the next one from beginning.
                for folder in [FOLDER, DERIVED, CHAINS] {
                    drop(fs::remove_dir_all(dir.join(folder)));
                }
                Err(error)
            }
        }
    }
}

impl Ledger {
    /// The channel that the snapshot names from which this ledger began; none if it began with block 0.
    pub fn snapshot_channel(&self) -> Result<Option<String>> {
        let folder = self.dir.join(FOLDER);
        if !folder.exists() {
            return Ok(None);
        }
        SignableMetadata::read(&folder).map(|metadata| Some(metadata.channel_name))
    }
}

/// Checks a snapshot and copies it into a ledger's folder.
fn take_in(snapshot: &Path, dir: &Path) -> Result<SnapshotMetadata> {
    let metadata = SnapshotMetadata::verify(snapshot)?;
    fs::create_dir_all(dir).context("create folder", dir)?;
    let _lock = LedgerLock::take(dir)?;
    for entry in fs::read_dir(dir).context("list", dir)? {
        let name = entry.context("list", dir)?.file_name();
        if name != "LOCK" && name != PARTIAL_FOLDER {
            let reason = format!("a ledger can begin from it only in an empty folder, but {} is not", dir.display());
            return Err(LedgerError::Snapshot { path: snapshot.to_path_buf(), reason });
        }
    }
    let partial = dir.join(PARTIAL_FOLDER);
    if partial.exists() {
        fs::remove_dir_all(&partial).context("remove", &partial)?;
    }
    fs::create_dir(&partial).context("create folder", &partial)?;
    let files = metadata.signable.snapshot_files_raw_hashes.keys().map(String::as_str);
    for name in files.chain([SIGNABLE, ADDITIONAL]) {
        copy(&snapshot.join(name), &partial.join(name))?;
    }
    sync_dir(&partial)?;
    let folder = dir.join(FOLDER);
    fs::rename(&partial, &folder).context("rename to", &folder)?;
    sync_dir(dir)?;
    Ok(metadata)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).context("copy", from)?;
    File::open(to).and_then(|file| file.sync_all()).context("sync", to)
}

/// Fills empty derived data from the snapshot in a ledger's `folder`; the savepoint is written last.
pub(crate) fn load(folder: &Path, lmdb: &Lmdb) -> Result<()> {
    let metadata = SnapshotMetadata::verify(folder)?;
    let savepoint = metadata.savepoint(folder)?;
    let mut load = Load { folder, lmdb, batch: Batch::default(), namespaces: FxHashSet::default() };
    let blocks_to_live = load.config_history()?;
    load.states(PUBLIC_STATE, &blocks_to_live)?;
    load.states(PRIVATE_STATE_HASHES, &blocks_to_live)?;
    load.tx_ids()?;
    load.write_batch()?;
    lmdb.write(|txn, stores| {
        put_namespaces(txn, stores, &load.namespaces)?;
        let mut origin = Vec::new();
        savepoint.encode(&mut origin);
        stores.meta.put(txn, ORIGIN, &origin)?;
        put_savepoint(txn, stores, &savepoint)
    })
}

#[derive(Default)]
struct Batch {
    state: Changes,
    expiry: Changes,
    config_history: Changes,
    tx_ids: Changes,
    other_tx_ids: Changes,
    bytes: usize,
}

struct Load<'l> {
    folder: &'l Path,
    lmdb: &'l Lmdb,
    batch: Batch,
    namespaces: FxHashSet<String>,
}

/// The blockToLive of every collection, by chaincode and name, as of its latest configuration.
type BlocksToLive = BTreeMap<(String, String), u64>;

impl Load<'_> {
    fn config_history(&mut self) -> Result<BlocksToLive> {
        let mut blocks_to_live = BlocksToLive::new();
        let Some(mut data) = Reader::open(self.folder, CONFIG_HISTORY.data)? else { return Ok(blocks_to_live) };
        let (mut key, mut package) = (Vec::new(), Vec::new());
        let mut last = String::new();
        for _ in 0..Reader::require(self.folder, CONFIG_HISTORY.metadata)?.varint()? {
            data.bytes(&mut key)?;
            data.bytes(&mut package)?;
            let (chaincode, _) = keys::split_collections(&key).ok_or_else(|| data.wrong("a key is malformed"))?;
            // The latest configuration of a chaincode comes first.
            if chaincode != last {
                chaincode.clone_into(&mut last);
                add_blocks_to_live(&mut blocks_to_live, chaincode, &package)
                    .map_err(|error| data.wrong(format!("the collections of {chaincode}: {error}")))?;
            }
            put_collections(&mut self.batch.config_history, &key, &package);
            self.added(key.len() + package.len())?;
        }
        data.finish()?;
        Ok(blocks_to_live)
    }

    fn states(&mut self, pair: FilePair, blocks_to_live: &BlocksToLive) -> Result<()> {
        let Some(mut data) = Reader::open(self.folder, pair.data)? else { return Ok(()) };
        let mut metadata = Reader::require(self.folder, pair.metadata)?;
        let mut record = Vec::new();
        for _ in 0..metadata.varint()? {
            let stored_namespace = metadata.text()?;
            let (namespace, collection) = keys::split_namespace(&stored_namespace);
            if collection.is_empty() != (pair.data == PUBLIC_STATE.data) {
                return Err(metadata.wrong(format!("namespace {stored_namespace:?} does not belong into it")));
            }
            let name = (namespace.to_owned(), collection.to_owned());
            let lives = blocks_to_live.get(&name).copied().unwrap_or(0);
            for _ in 0..metadata.varint()? {
                data.bytes(&mut record)?;
                let state = SnapshotRecord::decode(&record).map_err(|error| data.wrong(error.to_string()))?;
                let key = StateKey { namespace, collection, key: state.key };
                self.state(key, &state, lives).ok_or_else(|| data.wrong("a version is malformed"))?;
                self.added(record.len())?;
            }
        }
        metadata.finish()?;
        data.finish()
    }

    /// Adds a state, and its expiry (`PurgeMgrBuilder.ConsumeSnapshotData`); `None` if its version is malformed.
    fn state(&mut self, key: StateKey<'_>, state: &SnapshotRecord<'_>, block_to_live: u64) -> Option<()> {
        let version = keys::split_height(state.version)?;
        if !state.metadata.is_empty() && !self.namespaces.contains(key.namespace) {
            self.namespaces.insert(key.namespace.to_owned());
        }
        put_state(&mut self.batch.state, key, StateValue { version, metadata: state.metadata, value: state.value });
        if !key.collection.is_empty()
            && let Some(expiring_block) = expiring_block(version.block, block_to_live)
        {
            put_expiry(&mut self.batch.expiry, version.block, &Expiry { key, expiring_block });
        }
        Some(())
    }

    fn tx_ids(&mut self) -> Result<()> {
        let Some(mut data) = Reader::open(self.folder, TX_IDS.data)? else { return Ok(()) };
        for _ in 0..Reader::require(self.folder, TX_IDS.metadata)?.varint()? {
            let tx_id = data.text()?;
            put_tx_id(&mut self.batch.tx_ids, &mut self.batch.other_tx_ids, &tx_id, TxLocation::Snapshot);
            self.added(tx_id.len())?;
        }
        data.finish()
    }

    fn added(&mut self, bytes: usize) -> Result<()> {
        // What an entry costs beside its bytes.
        self.batch.bytes += bytes + 64;
        if self.batch.bytes >= BATCH_BYTES { self.write_batch() } else { Ok(()) }
    }

    fn write_batch(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let stores = [
            batch.state,
            Changes::default(),
            batch.tx_ids,
            batch.other_tx_ids,
            batch.config_history,
            batch.expiry,
            Changes::default(),
        ];
        let layer = Layer::new(0, stores)?;
        self.lmdb.write(|txn, stores| {
            Kind::ALL.into_iter().try_for_each(|kind| apply(txn, kind.store(stores), kind.keep(), layer[kind].all()))
        })
    }
}

fn add_blocks_to_live(
    all: &mut BlocksToLive,
    chaincode: &str,
    package: &[u8],
) -> std::result::Result<(), fastledger_wire::DecodeError> {
    for config in CollectionConfigPackage::decode(package)?.config {
        if let CollectionConfig::Static(collection) = config {
            all.insert((chaincode.to_owned(), collection.name.to_owned()), collection.block_to_live);
        }
    }
    Ok(())
}

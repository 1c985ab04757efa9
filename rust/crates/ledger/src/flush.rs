// SPDX-License-Identifier: Apache-2.0
//! Writes staged blocks to LMDB, and what has gathered there to its stores.
//!
//! A page of a store that is changed at random costs far more to write than the few bytes that change in it. So a
//! flush writes each block's changes as one value into the journal, which is all that makes them durable, and keeps
//! them in memory as a layer over the stores. Layers are brought together, sixteen at a time, so that few have to be
//! looked into. When they take more memory than allowed, the oldest is merged into the stores: in key order, a slice
//! with each flush, so that no flush takes long and changes of neighbouring keys share a page. A layer is looked up
//! before the stores until all of it is there; then it and its part of the journal are dropped. After a crash the
//! journal is read back, and a merge that was under way begins again, which changes nothing that it did.

use std::sync::Arc;

use fastledger_wire::encode;
use heed::RwTxn;
use rustc_hash::FxHashSet;

use crate::changes::{Change, Keep};
use crate::error::Result;
use crate::layer::{Kind, Layer};
use crate::lmdb::{Lmdb, Stores};
use crate::staged::StagedBlock;
use crate::store::{Store, sealed};
use crate::tail::BlockEntry;
use crate::values::Savepoint;

/// Key of the savepoint in the meta store.
pub(crate) const SAVEPOINT: &[u8] = b"savepoint";

/// Key of the savepoint that a snapshot brought, in a ledger that began from one.
pub(crate) const ORIGIN: &[u8] = b"origin";

/// Key of the list of namespaces with key metadata (`metadataHint`).
pub(crate) const METADATA_NAMESPACES: &[u8] = b"metadata_namespaces";

/// Changes that a flush merges at least while a layer is being merged.
const MIN_SLICE: usize = 256;

/// Changes that one transaction merges at most. In a large store each of them changes a page of its own, which LMDB
/// keeps in memory until the transaction is committed: 64 MiB.
const MAX_SLICE: usize = 1 << 14;

/// Key of the offset at which a block file's last indexed block ends.
pub(crate) fn file_end(file: u32) -> Vec<u8> {
    [b"file_end".as_slice(), &file.to_be_bytes()].concat()
}

/// A layer that is on its way into the stores.
#[derive(Debug)]
pub(crate) struct Merge {
    layer: Arc<Layer>,
    /// The next change: index into [`Kind::ALL`], position in that store's changes.
    at: (usize, usize),
}

impl Merge {
    pub(crate) fn new(layer: Arc<Layer>) -> Self {
        Self { layer, at: (0, 0) }
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Whether everything is in the stores.
    pub(crate) fn is_done(&self) -> bool {
        self.at.0 == Kind::ALL.len()
    }

    /// Merges so many changes more.
    fn advance(&mut self, lmdb: &Lmdb, budget: usize) -> Result<()> {
        let mut at = self.at;
        lmdb.write(|txn, stores| {
            at = self.write_slice(txn, stores, budget)?;
            Ok(())
        })?;
        self.at = at;
        Ok(())
    }

    /// Puts the next changes into the stores, and returns where to go on.
    fn write_slice(&self, txn: &mut RwTxn<'_>, stores: &Stores, mut budget: usize) -> heed::Result<(usize, usize)> {
        let (mut index, mut position) = self.at;
        while let Some(kind) = Kind::ALL.get(index).copied() {
            let changes = &self.layer[kind];
            let end = changes.len().min(position + budget);
            apply(txn, kind.store(stores), kind.keep(), changes.slice(position..end))?;
            budget -= end - position;
            if end < changes.len() {
                return Ok((index, end));
            }
            (index, position) = (index + 1, 0);
        }
        for block in self.layer.first..=self.layer.last {
            stores.journal.delete(txn, &block.to_be_bytes())?;
        }
        Ok((index, position))
    }
}

/// Writes consecutive blocks, and a slice of the merge that is under way: in one transaction, or what of the slice is
/// too much for one before, so that after an error the blocks may be written again.
pub(crate) fn write(
    lmdb: &Lmdb,
    blocks: &[(Arc<StagedBlock>, BlockEntry)],
    namespaces: &FxHashSet<String>,
    mut merge: Option<&mut Merge>,
) -> Result<()> {
    let seal = |(block, _): &(Arc<StagedBlock>, BlockEntry)| sealed(&key_of(block), block.layer.encode());
    let journal: Vec<_> = blocks.iter().map(seal).collect();
    // Twice what comes in goes out, so that a merge ends before the next one must begin.
    let mut budget = MIN_SLICE + 2 * blocks.iter().map(|(block, _)| block.layer.changes()).sum::<usize>();
    while budget > MAX_SLICE
        && let Some(merge) = merge.as_mut().filter(|merge| !merge.is_done())
    {
        merge.advance(lmdb, MAX_SLICE)?;
        budget -= MAX_SLICE;
    }
    let merge = merge.filter(|merge| !merge.is_done());
    let mut merged_to = None;
    lmdb.write(|txn, stores| {
        for ((block, entry), changes) in blocks.iter().zip(&journal) {
            put_block(txn, stores, block, entry, changes)?;
        }
        if blocks.iter().any(|(block, _)| !block.metadata_namespaces.is_empty()) {
            put_namespaces(txn, stores, namespaces)?;
        }
        if let Some((last, _)) = blocks.last() {
            put_savepoint(txn, stores, &last.savepoint)?;
        }
        merged_to = merge.as_ref().map(|merge| merge.write_slice(txn, stores, budget.min(MAX_SLICE))).transpose()?;
        Ok(())
    })?;
    if let (Some(merge), Some(at)) = (merge, merged_to) {
        merge.at = at;
    }
    Ok(())
}

/// Puts and deletes, in key order; with [`Keep::First`] only what is not there yet.
pub(crate) fn apply<'a>(
    txn: &mut RwTxn<'_>,
    store: Store,
    keep: Keep,
    changes: impl Iterator<Item = Change<'a>>,
) -> heed::Result<()> {
    for Change { key, value, deleted } in changes {
        if deleted {
            store.delete(txn, key)?;
        } else if keep == Keep::First {
            store.put_new(txn, key, value)?;
        } else {
            store.put(txn, key, value)?;
        }
    }
    Ok(())
}

/// A block's key where keys are the blocks' numbers.
fn key_of(block: &StagedBlock) -> [u8; 8] {
    block.tip().number.to_be_bytes()
}

/// Writes a block, of which the changes are sealed.
fn put_block(
    txn: &mut RwTxn<'_>,
    stores: &Stores,
    block: &StagedBlock,
    entry: &BlockEntry,
    changes: &[u8],
) -> heed::Result<()> {
    let number = key_of(block);
    stores.journal.append(txn, &number, changes)?;
    let mut encoded = Vec::new();
    entry.encode(&mut encoded);
    stores.blocks.append(txn, &number, &sealed(&number, encoded))?;
    stores.meta.put(txn, &file_end(entry.location.file), &entry.location.end().to_be_bytes())?;
    if !block.explanations.is_empty() {
        stores.explanations.append(txn, &number, &sealed(&number, block.explanations.clone()))?;
    }
    Ok(())
}

/// Writes the namespaces with key metadata, in order.
pub(crate) fn put_namespaces(txn: &mut RwTxn<'_>, stores: &Stores, namespaces: &FxHashSet<String>) -> heed::Result<()> {
    let mut sorted: Vec<_> = namespaces.iter().collect();
    sorted.sort_unstable();
    let mut list = Vec::new();
    for namespace in sorted {
        encode::length_prefixed(&mut list, namespace.as_bytes());
    }
    stores.meta.put(txn, METADATA_NAMESPACES, &list)
}

/// Writes the savepoint.
pub(crate) fn put_savepoint(txn: &mut RwTxn<'_>, stores: &Stores, savepoint: &Savepoint) -> heed::Result<()> {
    let mut encoded = Vec::new();
    savepoint.encode(&mut encoded);
    stores.meta.put(txn, SAVEPOINT, &encoded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::borrow::Cow;

    use fastledger_mvcc::state::{StateKey, Update, UpdateBatch};
    use fastledger_wire::Height;
    use fastledger_wire::block::encode_record;
    use fastledger_wire::common::BlockHeader;
    use fastledger_wire::hash::data_hash;

    use super::*;
    use crate::commit::CommittedBlock;
    use crate::error::LedgerError;
    use crate::ledger::{Ledger, Options};
    use crate::synced;
    use crate::writer::Durability;

    /// Appends and stages a block that puts so many keys with values of so many bytes.
    fn stage(ledger: &Ledger, keys: usize, value_bytes: usize) {
        let block = ledger.height();
        let previous = ledger.tip().map_or(Vec::new(), |tip| tip.header_hash.to_vec());
        let data_hash = data_hash(&[b"entry"]);
        let header = BlockHeader { number: block, previous_hash: &previous, data_hash: &data_hash };
        let appended = ledger.append(&encode_record(&header, &[b"entry"], &[b"", b"", b"\0"])).unwrap();
        let names: Vec<String> = (0..keys).map(|key| format!("{block:04}{key:08}")).collect();
        let value = vec![7; value_bytes];
        let updates = names.iter().map(|name| Update {
            key: StateKey { namespace: "cc", collection: "", key: name.as_bytes() },
            version: Height { block, tx: 0 },
            state: Some((Cow::Borrowed(value.as_slice()), Cow::default())),
        });
        let updates = &UpdateBatch { updates: updates.collect() };
        let committed = CommittedBlock {
            tip: appended.tip,
            location: appended.location,
            updates,
            tx_ids: Vec::new(),
            history: Vec::new(),
            commit_hash: None,
            collection_configs: Vec::new(),
            expiries: Vec::new(),
            explanations: Cow::default(),
        };
        ledger.stage(&committed).unwrap();
    }

    #[test]
    fn a_large_merge_takes_several_transactions() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(dir.path(), Options { layer_bytes: 0, ..Options::default() }).unwrap();
        let keys = MAX_SLICE * 5 / 2;
        stage(&ledger, keys, 1);
        ledger.flush().unwrap();
        let before = ledger.lmdb.commits();
        stage(&ledger, keys, 1);
        ledger.flush().unwrap();
        // Three for the first block's keys, and one for the second block.
        assert_eq!(ledger.lmdb.commits() - before, 4);
        assert_eq!(ledger.lmdb.stores.state.len(&ledger.lmdb.read().unwrap()).unwrap(), keys as u64);
        stage(&ledger, 1, 1);
        ledger.flush().unwrap();
        assert_eq!(ledger.lmdb.commits() - before, 5, "a small one goes with its blocks");
    }

    #[test]
    fn blocks_are_on_the_disk_before_a_savepoint_tells_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { durability: Durability::EachFlush, map_bytes: 1 << 20, ..Options::default() };
        let (ledger, _) = Ledger::open(dir.path(), options).unwrap();
        let on_disk = || synced::height(&dir.path().join(crate::recovery::CHAINS)).unwrap().unwrap();
        // The map cannot grow while it is open, so that a flush ends between the two.
        let view = ledger.view().unwrap();
        let error = loop {
            stage(&ledger, 10, 5_000);
            assert_eq!(on_disk() + 1, ledger.height(), "nothing is synced before it must be");
            match ledger.flush() {
                Ok(()) => assert_eq!(on_disk(), ledger.height()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, LedgerError::GrowthBlocked { .. }), "{error}");
        let height = ledger.height();
        assert_eq!(on_disk(), height);
        drop((view, ledger));
        let (ledger, recovery) = Ledger::open(dir.path(), options).unwrap();
        assert_eq!((ledger.height(), recovery.replay), (height, height - 1..height));
    }
}

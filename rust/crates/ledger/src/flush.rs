// SPDX-License-Identifier: Apache-2.0
//! Writes staged blocks to LMDB: one transaction, every store in key order, the savepoint with it.

use std::sync::Arc;

use fastledger_wire::encode;
use heed::{PutFlags, RwTxn};
use rustc_hash::FxHashSet;

use crate::error::Result;
use crate::lmdb::{Lmdb, Store, Stores};
use crate::staged::{Change, Changes, Keep, StagedBlock, merged};
use crate::tail::BlockEntry;
use crate::values::Savepoint;

/// Key of the savepoint in the meta store.
pub(crate) const SAVEPOINT: &[u8] = b"savepoint";

/// Key of the savepoint that a snapshot brought, in a ledger that began from one.
pub(crate) const ORIGIN: &[u8] = b"origin";

/// Key of the list of namespaces with key metadata (`metadataHint`).
pub(crate) const METADATA_NAMESPACES: &[u8] = b"metadata_namespaces";

/// Key of the offset at which a block file's last indexed block ends.
pub(crate) fn file_end(file: u32) -> Vec<u8> {
    [b"file_end".as_slice(), &file.to_be_bytes()].concat()
}

/// Writes the changes of consecutive blocks.
pub(crate) fn write(lmdb: &Lmdb, blocks: &[Arc<StagedBlock>], namespaces: &FxHashSet<String>) -> Result<()> {
    let changes = |of: fn(&StagedBlock) -> &Changes, keep| merged(blocks.iter().map(|block| of(block)), keep);
    let state = changes(|block| &block.state, Keep::Last);
    let history = changes(|block| &block.history, Keep::Last);
    let tx_ids = changes(|block| &block.tx_ids, Keep::First);
    let other_tx_ids = changes(|block| &block.other_tx_ids, Keep::First);
    let config_history = changes(|block| &block.config_history, Keep::Last);
    let expiry = changes(|block| &block.expiry, Keep::Last);
    lmdb.write(|txn, stores| {
        apply(txn, stores.state, &state)?;
        apply(txn, stores.history, &history)?;
        apply_new(txn, stores.tx_ids, &tx_ids)?;
        apply_new(txn, stores.other_tx_ids, &other_tx_ids)?;
        apply(txn, stores.config_history, &config_history)?;
        apply(txn, stores.expiry, &expiry)?;
        for block in blocks {
            put_block(txn, stores, block)?;
        }
        if blocks.iter().any(|block| !block.metadata_namespaces.is_empty()) {
            put_namespaces(txn, stores, namespaces)?;
        }
        blocks.last().map_or(Ok(()), |last| put_savepoint(txn, stores, &last.savepoint))
    })
}

/// Puts and deletes, in key order.
pub(crate) fn apply(txn: &mut RwTxn<'_>, store: Store, changes: &[Change<'_>]) -> heed::Result<()> {
    for (key, value) in changes {
        match value {
            Some(value) => store.put(txn, key, value)?,
            None => drop(store.delete(txn, key)?),
        }
    }
    Ok(())
}

/// Puts what is not there yet, in key order.
pub(crate) fn apply_new(txn: &mut RwTxn<'_>, store: Store, changes: &[Change<'_>]) -> heed::Result<()> {
    for (key, value) in changes {
        if let Some(value) = value {
            store.get_or_put_with_flags(txn, PutFlags::empty(), key, value)?;
        }
    }
    Ok(())
}

fn put_block(txn: &mut RwTxn<'_>, stores: &Stores, block: &StagedBlock) -> heed::Result<()> {
    let tip = block.tip();
    let number = tip.number.to_be_bytes();
    if let Some(location) = block.savepoint.location {
        let mut entry = Vec::new();
        BlockEntry { location, header_hash: tip.header_hash }.encode(&mut entry);
        stores.blocks.put_with_flags(txn, PutFlags::APPEND, &number, &entry)?;
        stores.block_hashes.put(txn, &tip.header_hash, &number)?;
        stores.meta.put(txn, &file_end(location.file), &location.end().to_be_bytes())?;
    }
    if !block.explanations.is_empty() {
        stores.explanations.put_with_flags(txn, PutFlags::APPEND, &number, &block.explanations)?;
    }
    if let Some(config) = &block.channel_config {
        stores.channel_config.put_with_flags(txn, PutFlags::APPEND, &number, config)?;
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

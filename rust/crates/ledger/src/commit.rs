// SPDX-License-Identifier: Apache-2.0
//! From a validated block to the changes of the derived stores.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use fastledger_mvcc::state::{StateKey, UpdateBatch};
use fastledger_wire::{Hash, Height};

use crate::blockfile::Location;
use crate::changes::Changes;
use crate::error::Result;
use crate::keys::{self, TxIdKey};
use crate::layer::Layer;
use crate::record::ChainTip;
use crate::staged::StagedBlock;
use crate::values::{Savepoint, StateValue, TxLocation};
use crate::view::View;

/// What validation made of a block, for the ledger to keep.
#[derive(Debug, Clone)]
pub struct CommittedBlock<'a> {
    /// The block and its predecessor; as [`Ledger::append`](crate::Ledger::append) gave it.
    pub tip: ChainTip,
    /// Where the block stands; as [`Ledger::append`](crate::Ledger::append) or a [`BlockStream`](crate::BlockStream) gave it.
    pub location: Location,
    /// What the valid transactions change.
    pub updates: &'a UpdateBatch<'a>,
    /// Index, id and validation code of the transactions, in block order. An id that Fabric cannot find is empty; the
    /// first of several alike counts.
    pub tx_ids: Vec<(u32, Cow<'a, str>, u8)>,
    /// Every public write of the valid endorser transactions, in block order.
    pub history: Vec<HistoryWrite<'a>>,
    /// The commit hash; none for block 0 and on channels without.
    pub commit_hash: Option<Hash>,
    /// Chaincodes whose definition changed and has explicit collections, with the `CollectionConfigPackage`.
    pub collection_configs: Vec<(&'a str, Cow<'a, [u8]>)>,
    /// The hashed keys that this block writes into collections with a blockToLive.
    pub expiries: Vec<Expiry<'a>>,
    /// Why the verdicts are what they are, in the caller's encoding; empty for nothing.
    pub explanations: Cow<'a, [u8]>,
}

/// A public write that the history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryWrite<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Key.
    pub key: &'a [u8],
    /// Index of the transaction in the block.
    pub tx: u64,
}

/// When a hashed key that a block writes must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry<'a> {
    /// The hashed key; its collection is not empty.
    pub key: StateKey<'a>,
    /// The block whose commit deletes the key unless a later block has written it; see [`expiring_block`].
    pub expiring_block: u64,
}

/// The block whose commit deletes what `committing_block` wrote into a collection (`ComputeExpiringBlock`).
///
/// What block w writes with blockToLive b is there for the transactions of block w + b + 1, and gone for those of the
/// next. `None` means never, which is what a blockToLive of 0 means.
#[must_use]
pub fn expiring_block(committing_block: u64, block_to_live: u64) -> Option<u64> {
    let expiring = committing_block.checked_add(block_to_live)?.checked_add(1)?;
    (block_to_live != 0 && expiring != u64::MAX).then_some(expiring)
}

impl StagedBlock {
    /// Encodes a block's changes; `before` is the state that they change.
    pub(crate) fn new(block: &CommittedBlock<'_>, before: &View) -> Result<Self> {
        let number = block.tip.number;
        let (mut state, metadata_namespaces) = state_changes(block.updates);
        let mut expiry = Changes::default();
        for scheduled in &block.expiries {
            put_expiry(&mut expiry, number, scheduled);
        }
        expire(before, number, block.updates, &mut state, &mut expiry)?;
        let (tx_ids, other_tx_ids) = tx_id_changes(number, &block.tx_ids);
        let mut config_history = Changes::default();
        for (chaincode, package) in &block.collection_configs {
            put_collections(&mut config_history, &keys::collections(chaincode, number), package);
        }
        let history = history_changes(number, &block.history);
        let block_hashes = block_hash_change(&block.tip);
        let stores = [state, history, tx_ids, other_tx_ids, config_history, expiry, block_hashes];
        Ok(Self {
            savepoint: Savepoint { tip: block.tip, commit_hash: block.commit_hash, location: Some(block.location) },
            layer: Arc::new(Layer::new(number, stores)?),
            explanations: block.explanations.to_vec(),
            metadata_namespaces,
        })
    }
}

fn state_changes(batch: &UpdateBatch<'_>) -> (Changes, Vec<String>) {
    let bytes = batch.updates.iter().map(|update| {
        let state = update.state.as_ref().map_or(0, |(value, metadata)| value.len() + metadata.len() + 16);
        update.key.namespace.len() + update.key.key.len() + state + 40
    });
    let mut changes = Changes::with_capacity(batch.updates.len(), bytes.sum());
    let mut namespaces: Vec<String> = Vec::new();
    for update in &batch.updates {
        let Some((value, metadata)) = &update.state else {
            changes.delete(|out| keys::state(out, update.key));
            continue;
        };
        if !metadata.is_empty() && namespaces.last().is_none_or(|last| last != update.key.namespace) {
            namespaces.push(update.key.namespace.to_owned());
        }
        put_state(&mut changes, update.key, StateValue { version: update.version, metadata, value });
    }
    (changes, namespaces)
}

/// Adds a state's new value.
pub(crate) fn put_state(changes: &mut Changes, key: StateKey<'_>, value: StateValue<'_>) {
    changes.put(|out| keys::state(out, key), |out| value.encode(out));
}

fn history_changes(block: u64, writes: &[HistoryWrite<'_>]) -> Changes {
    let bytes = writes.iter().map(|write| write.namespace.len() + write.key.len() + 24).sum();
    let mut changes = Changes::with_capacity(writes.len(), bytes);
    for write in writes {
        let key = |out: &mut Vec<u8>| {
            keys::history_prefix(out, write.namespace, write.key);
            keys::height(out, Height { block, tx: write.tx });
        };
        changes.put(key, |_| ());
    }
    changes
}

fn tx_id_changes(block: u64, tx_ids: &[(u32, Cow<'_, str>, u8)]) -> (Changes, Changes) {
    let mut digests = Changes::with_capacity(tx_ids.len(), tx_ids.len() * 44);
    let mut texts = Changes::default();
    for (tx, text, code) in tx_ids {
        let location = TxLocation::Block { height: Height { block, tx: u64::from(*tx) }, code: *code };
        put_tx_id(&mut digests, &mut texts, text, location);
    }
    (digests, texts)
}

/// Adds a transaction id to the store that it belongs to.
pub(crate) fn put_tx_id(digests: &mut Changes, texts: &mut Changes, text: &str, location: TxLocation) {
    match keys::tx_id(text) {
        TxIdKey::Digest(digest) => digests.put(|out| out.extend_from_slice(&digest), |out| location.encode(out)),
        TxIdKey::Text(key) => texts.put(|out| out.extend_from_slice(&key), |out| location.encode(out)),
    }
}

/// Adds a collection configuration under its whole key.
pub(crate) fn put_collections(changes: &mut Changes, key: &[u8], package: &[u8]) {
    changes.put(|out| out.extend_from_slice(key), |out| out.extend_from_slice(package));
}

/// Schedules the deletion of a key that `committing` wrote.
pub(crate) fn put_expiry(changes: &mut Changes, committing: u64, expiry: &Expiry<'_>) {
    changes.put(|out| keys::expiry(out, expiry.expiring_block, committing, expiry.key), |_| ());
}

fn block_hash_change(tip: &ChainTip) -> Changes {
    let mut changes = Changes::with_capacity(1, 48);
    changes.put(|out| out.extend_from_slice(&tip.header_hash), |out| out.extend_from_slice(&tip.number.to_be_bytes()));
    changes
}

/// Adds the deletion of the hashed keys that expire with a block, and clears their schedule.
///
/// A key goes only if its version is still that of the scheduled block, and if the block itself does not write it
/// (`PurgeMgr.prepareWorkingsetFor`, `AddExpiredEntriesToUpdateBatch`).
fn expire(
    before: &View,
    block: u64,
    updates: &UpdateBatch<'_>,
    state: &mut Changes,
    expiry: &mut Changes,
) -> Result<()> {
    let due = before.expiring_with(block)?;
    let written = if due.is_empty() { HashSet::new() } else { hashed_keys(updates) };
    for scheduled in due {
        if let Some((committing, key)) = keys::split_expiry(&scheduled)
            && before.whole_version(key)?.is_some_and(|version| version.block == committing)
            && !written.contains(key)
        {
            state.delete(|out| out.extend_from_slice(key));
        }
        expiry.delete(|out| out.extend_from_slice(&scheduled));
    }
    Ok(())
}

/// The whole keys of collections that a batch writes.
fn hashed_keys(updates: &UpdateBatch<'_>) -> HashSet<Vec<u8>> {
    let hashed = updates.updates.iter().filter(|update| !update.key.collection.is_empty());
    hashed
        .map(|update| {
            let mut whole = Vec::new();
            keys::state(&mut whole, update.key);
            whole
        })
        .collect()
}

// SPDX-License-Identifier: Apache-2.0
//! What the valid transactions of a block have changed so far.

use std::collections::BTreeMap;

use fastledger_wire::rwset::RangeQueryInfo;
use hashbrown::HashTable;

use crate::phantom::{Change, Changes};
use crate::state::{StateKey, Update, UpdateBatch};

/// The updates of a block, found by hash, and by range where the block has range queries.
pub(super) struct Overlay<'a> {
    updates: Vec<Update<'a>>,
    /// Of each update's key.
    hashes: Vec<u64>,
    by_hash: HashTable<usize>,
    by_key: Option<BTreeMap<StateKey<'a>, usize>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(capacity: usize, with_ranges: bool) -> Self {
        Self {
            updates: Vec::with_capacity(capacity),
            hashes: Vec::with_capacity(capacity),
            by_hash: HashTable::with_capacity(capacity),
            by_key: with_ranges.then(BTreeMap::new),
        }
    }

    pub(super) fn get(&self, hash: u64, key: StateKey<'_>) -> Option<&Update<'a>> {
        let found = self.by_hash.find(hash, |index| self.updates[*index].key == key)?;
        self.updates.get(*found)
    }

    pub(super) fn put(&mut self, hash: u64, update: Update<'a>) {
        let key = update.key;
        if let Some(index) = self.by_hash.find(hash, |index| self.updates[*index].key == key) {
            self.updates[*index] = update;
            return;
        }
        let index = self.updates.len();
        self.updates.push(update);
        self.hashes.push(hash);
        self.by_hash.insert_unique(hash, index, |index| self.hashes[*index]);
        if let Some(by_key) = &mut self.by_key {
            by_key.insert(key, index);
        }
    }

    /// What has changed among the keys that a range query looks at.
    pub(super) fn changes(&self, namespace: &'a str, query: &RangeQueryInfo<'a>) -> Changes<'a> {
        let Some(by_key) = &self.by_key else { return Changes::default() };
        let change = |(key, index): (&StateKey<'a>, &usize)| {
            let update = &self.updates[*index];
            Change { key: key.key, version: update.state.is_some().then_some(update.version) }
        };
        let start = StateKey { namespace, collection: "", key: query.start_key.as_bytes() };
        let end = StateKey { key: query.end_key.as_bytes(), ..start };
        let inside = by_key.range(start..).take_while(|(key, _)| {
            key.namespace == namespace && key.collection.is_empty() && (end.key.is_empty() || key.key < end.key)
        });
        let end_key = if query.itr_exhausted { None } else { by_key.get_key_value(&end) };
        Changes { inside: inside.map(change).collect(), end_key: end_key.map(change) }
    }

    pub(super) fn into_batch(self) -> UpdateBatch<'a> {
        let mut updates = self.updates;
        updates.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        UpdateBatch { updates }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What the valid transactions of a block have changed so far.

use fastledger_wire::rwset::RangeQueryInfo;
use hashbrown::HashTable;

use crate::changes::Changes;
use crate::state::{StateKey, Update, UpdateBatch};
use crate::summaries::Summaries;

/// The updates of a block, found by hash, and by range where the block has range queries.
pub(super) struct Overlay<'a> {
    updates: Vec<Update<'a>>,
    /// Of each update's key.
    hashes: Vec<u64>,
    by_hash: HashTable<usize>,
    /// In the order of keys; empty where the block has no range queries.
    changes: Changes<'a>,
    /// Of ranges that the changes touch.
    summaries: Summaries<'a>,
    with_ranges: bool,
}

/// What an update takes over from the earlier update of its key: moved rather than copied, because a block can write a
/// key with a large value or large metadata many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    Nothing,
    Value,
    Metadata,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(capacity: usize, with_ranges: bool) -> Self {
        Self {
            updates: Vec::with_capacity(capacity),
            hashes: Vec::with_capacity(capacity),
            by_hash: HashTable::with_capacity(capacity),
            changes: Changes::default(),
            summaries: Summaries::default(),
            with_ranges,
        }
    }

    pub(super) fn get(&self, hash: u64, key: StateKey<'_>) -> Option<&Update<'a>> {
        let found = self.by_hash.find(hash, |index| self.updates[*index].key == key)?;
        self.updates.get(*found)
    }

    /// Puts an update in the place of an earlier one, if there is any, which leaves it what it keeps.
    pub(super) fn put(&mut self, hash: u64, mut update: Update<'a>, keeps: Keeps) {
        let key = update.key;
        if self.with_ranges && key.collection.is_empty() {
            self.changes.note(key, update.state.is_some().then_some(update.version));
            self.summaries.forget(key.namespace);
        }
        if let Some(index) = self.by_hash.find(hash, |index| self.updates[*index].key == key) {
            let earlier = &mut self.updates[*index];
            if let (Some((value, metadata)), Some((old_value, old_metadata))) = (&mut update.state, &mut earlier.state)
            {
                match keeps {
                    Keeps::Nothing => {}
                    Keeps::Value => std::mem::swap(value, old_value),
                    Keeps::Metadata => std::mem::swap(metadata, old_metadata),
                }
            }
            *earlier = update;
            return;
        }
        let index = self.updates.len();
        self.updates.push(update);
        self.hashes.push(hash);
        self.by_hash.insert_unique(hash, index, |index| self.hashes[*index]);
    }

    /// Whether any key was changed that a query looks at.
    pub(super) fn touches(&self, namespace: &str, query: &RangeQueryInfo<'_>) -> bool {
        self.changes.touch(namespace, query)
    }

    /// The changes in the order of keys, and the summaries that were asked for since.
    pub(super) fn changes(&mut self) -> (&mut Changes<'a>, &Summaries<'a>) {
        (&mut self.changes, &self.summaries)
    }

    pub(super) fn into_batch(self) -> UpdateBatch<'a> {
        let mut updates = self.updates;
        updates.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        UpdateBatch { updates }
    }
}

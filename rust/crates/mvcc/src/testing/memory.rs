// SPDX-License-Identifier: Apache-2.0
//! Committed state in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use fastledger_wire::Height;

use crate::state::{StateKey, StateReader, UpdateBatch, VersionedValue};

type Keys = BTreeMap<Vec<u8>, VersionedValue<'static>>;

/// Keys by namespace and collection; [`MemoryState::apply`] commits a block to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryState {
    keys: BTreeMap<String, BTreeMap<String, Keys>>,
}

impl MemoryState {
    /// Sets a key, or deletes it.
    pub fn put(&mut self, key: StateKey<'_>, value: Option<VersionedValue<'static>>) {
        let collections = self.keys.entry(key.namespace.to_owned()).or_default();
        let keys = collections.entry(key.collection.to_owned()).or_default();
        match value {
            Some(value) => keys.insert(key.key.to_vec(), value),
            None => keys.remove(key.key),
        };
    }

    /// Commits a block's updates.
    pub fn apply(&mut self, batch: &UpdateBatch<'_>) {
        for update in &batch.updates {
            let value = update.state.as_ref().map(|(value, metadata)| VersionedValue {
                value: Cow::Owned(value.to_vec()),
                metadata: Cow::Owned(metadata.to_vec()),
                version: update.version,
            });
            self.put(update.key, value);
        }
    }

    /// All keys in order.
    pub fn iter(&self) -> impl Iterator<Item = (StateKey<'_>, &VersionedValue<'static>)> {
        self.keys.iter().flat_map(|(namespace, collections)| {
            collections.iter().flat_map(move |(collection, keys)| {
                keys.iter().map(move |(key, value)| (StateKey { namespace, collection, key }, value))
            })
        })
    }

    fn find(&self, key: StateKey<'_>) -> Option<&VersionedValue<'static>> {
        self.keys.get(key.namespace)?.get(key.collection)?.get(key.key)
    }
}

impl StateReader for MemoryState {
    type Error = Infallible;

    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>, Infallible> {
        Ok(self.find(key).map(|found| found.version))
    }

    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Infallible> {
        Ok(self.find(key).cloned())
    }

    fn metadata(&self, key: StateKey<'_>) -> Result<Cow<'static, [u8]>, Infallible> {
        Ok(self.find(key).map(|found| found.metadata.clone()).unwrap_or_default())
    }

    fn range(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let Some(keys) = self.keys.get(namespace).and_then(|collections| collections.get("")) else { return Ok(()) };
        let inside = |key: &[u8]| end.is_empty() || key < end.as_bytes();
        for (key, value) in keys.range(start.as_bytes().to_vec()..).take_while(|(key, _)| inside(key)) {
            if visit(key, value.version).is_break() {
                break;
            }
        }
        Ok(())
    }
}

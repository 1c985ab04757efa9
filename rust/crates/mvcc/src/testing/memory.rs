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
    namespaces: BTreeMap<String, Namespace>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Namespace {
    public: Keys,
    collections: BTreeMap<String, Keys>,
}

impl MemoryState {
    /// Sets a key, or deletes it.
    pub fn put(&mut self, key: StateKey<'_>, value: Option<VersionedValue<'static>>) {
        let namespace = self.namespaces.entry(key.namespace.to_owned()).or_default();
        let keys = match key.collection {
            "" => &mut namespace.public,
            collection => namespace.collections.entry(collection.to_owned()).or_default(),
        };
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
        self.namespaces.iter().flat_map(|(namespace, inside)| {
            let collections = inside.collections.iter().map(|(collection, keys)| (collection.as_str(), keys));
            std::iter::once(("", &inside.public)).chain(collections).flat_map(move |(collection, keys)| {
                keys.iter().map(move |(key, value)| (StateKey { namespace, collection, key }, value))
            })
        })
    }

    fn find(&self, key: StateKey<'_>) -> Option<&VersionedValue<'static>> {
        let namespace = self.namespaces.get(key.namespace)?;
        match key.collection {
            "" => namespace.public.get(key.key),
            collection => namespace.collections.get(collection)?.get(key.key),
        }
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
        start: &[u8],
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let Some(Namespace { public, .. }) = self.namespaces.get(namespace) else { return Ok(()) };
        let inside = |key: &[u8]| end.is_empty() || key < end.as_bytes();
        for (key, value) in public.range(start.to_vec()..).take_while(|(key, _)| inside(key)) {
            if visit(key, value.version).is_break() {
                break;
            }
        }
        Ok(())
    }
}

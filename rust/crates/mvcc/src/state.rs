// SPDX-License-Identifier: Apache-2.0
//! What MVCC sees of the world: keys, versioned values, and a reader of committed state.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use fastledger_wire::Height;

/// Where a key lives. Ordered as Fabric orders updates: namespace, then public before collections, then key bytes.
#[derive(Debug, Clone, Copy)]
pub struct StateKey<'a> {
    /// Chaincode name; empty for the channel's configuration.
    pub namespace: &'a str,
    /// Collection whose hashed state is meant; empty for public state.
    pub collection: &'a str,
    /// The key, or its SHA-256 in a collection.
    pub key: &'a [u8],
}

// By hand, because most keys have an empty part: a C library's comparison of empty slices may load from their dangling
// addresses, and with AVX-512 a load that must not fault, but would, takes a hundred times longer than one that does not.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    if one.is_empty() || other.is_empty() { one.len().cmp(&other.len()) } else { one.cmp(other) }
}

impl Ord for StateKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.namespace.as_bytes(), other.namespace.as_bytes())
            .then_with(|| order(self.collection.as_bytes(), other.collection.as_bytes()))
            .then_with(|| order(self.key, other.key))
    }
}

impl PartialOrd for StateKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for StateKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for StateKey<'_> {}

impl Hash for StateKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.namespace.hash(state);
        self.collection.hash(state);
        state.write(self.key);
    }
}

/// A value with the height of the transaction that wrote it last (`statedb.VersionedValue`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedValue<'a> {
    /// The value, or its SHA-256 in a collection.
    pub value: Cow<'a, [u8]>,
    /// Encoded metadata entries (`statemetadata.Serialize`); empty for none.
    pub metadata: Cow<'a, [u8]>,
    /// Last writer, of value or metadata.
    pub version: Height,
}

/// Committed state as of the end of the previous block.
///
/// Readers are used from several threads at once.
pub trait StateReader: Sync {
    /// How reading can break; never how a transaction can be invalid.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The version of a key, `None` when it does not exist.
    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>, Self::Error>;

    /// A key's value, metadata and version.
    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Self::Error>;

    /// A key's encoded metadata; empty when it has none or does not exist.
    ///
    /// Every write of a value asks for it, so a reader which knows that a namespace never had metadata should
    /// answer without looking (`privacyenabledstate.metadataHint`).
    fn metadata(&self, key: StateKey<'_>) -> Result<Cow<'static, [u8]>, Self::Error> {
        Ok(self.get(key)?.map_or(Cow::Borrowed(&[]), |found| found.metadata))
    }

    /// [`Self::metadata`] unless that is longer than `most` bytes: then `None`, and a reader which can do so does not
    /// read it.
    fn metadata_up_to(&self, most: usize, key: StateKey<'_>) -> Result<Option<Cow<'static, [u8]>>, Self::Error> {
        Ok(Some(self.metadata(key)?).filter(|metadata| metadata.len() <= most))
    }

    /// Visits public keys of `namespace` from `start` (inclusive) to `end` (exclusive; empty: to the end) in
    /// byte order, until `visit` breaks. An `end` before `start` visits nothing.
    ///
    /// Keys are bytes: a hashed write to a collection without a name is a public write of any bytes.
    fn range(
        &self,
        namespace: &str,
        start: &[u8],
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}

/// One key's change by a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update<'a> {
    /// Which key.
    pub key: StateKey<'a>,
    /// The transaction that wrote it last in this block.
    pub version: Height,
    /// New value (never empty) and encoded metadata; `None` deletes the key.
    pub state: Option<ValueAndMetadata<'a>>,
}

/// A value and its encoded metadata.
pub type ValueAndMetadata<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl Update<'_> {
    /// The index of the transaction that wrote the key.
    pub(crate) fn writer(&self) -> u32 {
        // Versions of updates are made from 32-bit indices.
        u32::try_from(self.version.tx).unwrap_or(u32::MAX)
    }
}

/// Everything a block changes: one entry per key, sorted by [`StateKey`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateBatch<'a> {
    /// Sorted, without duplicates.
    pub updates: Vec<Update<'a>>,
}

impl<'a> UpdateBatch<'a> {
    /// Adds an update where it belongs; an earlier one of the same key gives way.
    ///
    /// For what is written beside the transactions' own writes, such as the channel's configuration; it takes time
    /// in proportion to the batch.
    pub fn insert(&mut self, update: Update<'a>) {
        match self.updates.binary_search_by(|other| other.key.cmp(&update.key)) {
            Ok(same) => self.updates[same] = update,
            Err(place) => self.updates.insert(place, update),
        }
    }

    /// The update of a key.
    #[must_use]
    pub fn get(&self, key: StateKey<'_>) -> Option<&Update<'a>> {
        let found = self.updates.binary_search_by(|other| other.key.cmp(&key)).ok()?;
        self.updates.get(found)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a block's valid transactions did so far to public keys, in the order of keys: for its range queries.

use std::collections::BTreeMap;
use std::ops::Bound;

use fastledger_wire::Height;
use fastledger_wire::rwset::RangeQueryInfo;

use crate::state::StateKey;
use crate::voids::Voids;

/// What became of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// Its version now; `None`: it was deleted.
    pub(crate) version: Option<Height>,
}

/// Each public key that the block changed.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    keys: BTreeMap<StateKey<'a>, Change>,
    /// Where queries found nothing but deletions.
    pub(crate) voids: Voids<'a>,
}

impl<'a> Changes<'a> {
    /// Notes a write or a deletion of a public key.
    pub(crate) fn note(&mut self, key: StateKey<'a>, version: Option<Height>) {
        if version.is_some() {
            self.voids.split(key.namespace, key.key);
        }
        self.keys.insert(key, Change { version });
    }

    /// Whether any key was changed that a query looks at.
    pub(crate) fn touch(&self, namespace: &str, query: &RangeQueryInfo<'_>) -> bool {
        let end = query.end_key.as_bytes();
        let inside = self.between(namespace, query.start_key.as_bytes(), end).next().is_some();
        inside || !query.itr_exhausted && self.get(namespace, end).is_some()
    }

    /// The change of a public key.
    pub(crate) fn get(&self, namespace: &str, key: &[u8]) -> Option<Change> {
        self.keys.get(&StateKey { namespace, collection: "", key }).copied()
    }

    /// The changed keys from `start` (inclusive) to `end` (exclusive; empty: to the end of the namespace).
    pub(crate) fn between<'c>(
        &'c self,
        namespace: &'c str,
        start: &'c [u8],
        end: &'c [u8],
    ) -> impl Iterator<Item = (&'c [u8], Change)> + use<'c, 'a> {
        let from = StateKey { namespace, collection: "", key: start };
        // An end before the start is no range; the first key of a collection is behind every public one.
        let to = match end {
            [] => StateKey { namespace, collection: "\0", key: &[] },
            end => StateKey { key: end.max(start), ..from },
        };
        let inside = self.keys.range::<StateKey<'_>, _>((Bound::Included(from), Bound::Excluded(to)));
        inside.map(|(key, change)| (key.key, *change))
    }
}

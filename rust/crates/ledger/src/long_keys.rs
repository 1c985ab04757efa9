// SPDX-License-Identifier: Apache-2.0
//! A store's rows in the order of whole keys.
//!
//! Stored keys are in that order but for long ones that agree in their first [`stored::SHORT_BYTES`] bytes. Such a group
//! is gathered and sorted, which takes 48 bytes of memory for each key. A view remembers the order of large groups, lest
//! each of its range queries sort them again; with it only the rows that are asked for are read.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use fastledger_wire::Hash;
use heed::{RoTxn, WithoutTls};

use crate::changes::Change;
use crate::error::Result;
use crate::layer::Kind;
use crate::lmdb::Lmdb;
use crate::merged::{Row, split};
use crate::stored;

/// The smallest group whose order is remembered.
const LARGE_GROUP: usize = 64;

/// Keys that are remembered at most, in all groups: 32 MiB of them.
const MAX_REMEMBERED: usize = 1 << 20;

/// The hashes in which long keys end, in the order of whole keys.
type Order = Arc<[Hash]>;

/// The large groups that were met, by store and by what their keys begin with.
///
/// The view's read transactions need not be as of one commit; what those differ in is in layers, and counts from there.
#[derive(Debug, Default)]
pub(crate) struct LongKeys(Mutex<Groups>);

type Groups = HashMap<(Kind, Box<[u8]>), Order>;

impl LongKeys {
    fn get(&self, kind: Kind, prefix: &[u8]) -> Option<Order> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.is_empty() { None } else { groups.get(&(kind, prefix.into())).map(Arc::clone) }
    }

    fn remember(&self, kind: Kind, prefix: &[u8], order: Order) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered: usize = groups.values().map(|order| order.len()).sum();
        if remembered + order.len() > MAX_REMEMBERED {
            groups.clear();
        }
        groups.insert((kind, prefix.into()), order);
    }
}

type Pairs<'t> = Box<dyn Iterator<Item = heed::Result<(&'t [u8], &'t [u8])>> + 't>;

/// The rows of a store from a whole key on.
pub(crate) struct StoredRows<'t> {
    lmdb: &'t Lmdb,
    txn: &'t RoTxn<'t, WithoutTls>,
    known: &'t LongKeys,
    kind: Kind,
    from: Vec<u8>,
    pairs: Pairs<'t>,
    /// A pair that was read to see where a group ends.
    ahead: Option<(&'t [u8], &'t [u8])>,
    group: Group<'t>,
}

/// Long keys that begin alike.
enum Group<'t> {
    /// Read and sorted.
    Gathered(std::vec::IntoIter<Row<'t>>),
    /// To be read one by one: their stored keys' beginning, their order, and how many were read.
    Known(Vec<u8>, Order, usize),
}

impl<'t> StoredRows<'t> {
    pub(crate) fn new(
        lmdb: &'t Lmdb,
        txn: &'t RoTxn<'_, WithoutTls>,
        known: &'t LongKeys,
        kind: Kind,
        from: &[u8],
    ) -> Result<Self> {
        let bound = stored::lower_bound(from);
        // LMDB has no empty keys, and looks none up.
        let start = if bound.is_empty() { Bound::Unbounded } else { Bound::Included(bound) };
        let pairs = pairs(lmdb, txn, kind, start)?;
        let group = Group::Gathered(Vec::new().into_iter());
        Ok(Self { lmdb, txn, known, kind, from: from.to_vec(), pairs, ahead: None, group })
    }

    fn read(&mut self) -> Result<Option<Row<'t>>> {
        loop {
            if let Some(row) = self.grouped()? {
                return Ok(Some(row));
            }
            let Some((stored, value)) = self.pair()? else { return Ok(None) };
            if stored::is_long(stored) {
                self.enter(stored, value)?;
                continue;
            }
            if stored >= self.from.as_slice() {
                return self.row(stored, value).map(Some);
            }
        }
    }

    /// The next row of the group.
    fn grouped(&mut self) -> Result<Option<Row<'t>>> {
        let (prefix, order, read) = match &mut self.group {
            Group::Gathered(rows) => return Ok(rows.next()),
            Group::Known(prefix, order, read) => (prefix, order, read),
        };
        while let Some(hash) = order.get(*read) {
            *read += 1;
            let row = known_row(self.lmdb, self.txn, self.kind, prefix, hash)?;
            if let Some(row) = row.filter(|row| row.key >= self.from.as_slice()) {
                return Ok(Some(row));
            }
        }
        let last = [prefix.as_slice(), &[u8::MAX; size_of::<Hash>()]].concat();
        self.pairs = pairs(self.lmdb, self.txn, self.kind, Bound::Excluded(&last))?;
        self.group = Group::Gathered(Vec::new().into_iter());
        Ok(None)
    }

    /// Begins with a group whose first pair was read.
    fn enter(&mut self, stored: &'t [u8], value: &'t [u8]) -> Result<()> {
        let prefix = &stored[..stored::SHORT_BYTES];
        if let Some(order) = self.known.get(self.kind, prefix) {
            let first = self.first_of(prefix, &order)?;
            self.group = Group::Known(prefix.to_vec(), order, first);
            return Ok(());
        }
        let mut group = vec![(stored, self.row(stored, value)?)];
        while let Some((stored, value)) = self.pair()? {
            if !stored::is_long(stored) || !stored.starts_with(prefix) {
                self.ahead = Some((stored, value));
                break;
            }
            group.push((stored, self.row(stored, value)?));
        }
        group.sort_unstable_by(|(_, a), (_, b)| a.key.cmp(b.key));
        if group.len() >= LARGE_GROUP {
            let hashes = group.iter().filter_map(|(stored, _)| stored[stored::SHORT_BYTES..].try_into().ok());
            self.known.remember(self.kind, prefix, hashes.collect());
        }
        let from = self.from.as_slice();
        let rows = group.into_iter().map(|(_, row)| row).filter(|row| row.key >= from);
        self.group = Group::Gathered(rows.collect::<Vec<_>>().into_iter());
        Ok(())
    }

    /// How many of a group stand before where the rows begin.
    fn first_of(&self, prefix: &[u8], order: &[Hash]) -> Result<usize> {
        let (mut first, mut behind) = (0, order.len());
        while first < behind && self.from.as_slice() > prefix {
            let middle = first.midpoint(behind);
            match known_row(self.lmdb, self.txn, self.kind, prefix, &order[middle])? {
                Some(row) if row.key < self.from.as_slice() => first = middle + 1,
                Some(_) => behind = middle,
                // As of another commit: then they are looked at one by one.
                None => return Ok(0),
            }
        }
        Ok(first)
    }

    fn pair(&mut self) -> Result<Option<(&'t [u8], &'t [u8])>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        self.pairs.next().transpose().map_err(|source| self.lmdb.read_error(source))
    }

    fn row(&self, key: &'t [u8], value: &'t [u8]) -> Result<Row<'t>> {
        split(self.lmdb, Change { key, value, deleted: false })
    }
}

impl<'t> Iterator for StoredRows<'t> {
    type Item = Result<Row<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn pairs<'t>(lmdb: &Lmdb, txn: &'t RoTxn<'_, WithoutTls>, kind: Kind, start: Bound<&[u8]>) -> Result<Pairs<'t>> {
    let pairs = kind.store(&lmdb.stores).from(txn, start).map_err(|source| lmdb.read_error(source))?;
    Ok(Box::new(pairs))
}

/// A row of a known group, unless the transaction does not have it.
fn known_row<'t>(
    lmdb: &Lmdb,
    txn: &'t RoTxn<'_, WithoutTls>,
    kind: Kind,
    prefix: &[u8],
    hash: &Hash,
) -> Result<Option<Row<'t>>> {
    let key = [prefix, hash].concat();
    let Some(value) = kind.store(&lmdb.stores).get(txn, &key).map_err(|source| lmdb.read_error(source))? else {
        return Ok(None);
    };
    let (whole, value) = stored::split_long(value).ok_or_else(|| lmdb.damaged("a long key"))?;
    Ok(Some(Row { key: whole, value, deleted: false }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    /// Whole keys in their order: short ones, and two groups of long ones, of which one is large.
    fn whole_keys() -> Vec<String> {
        let large = (0..300).map(|number| format!("{}{number:03}", "m".repeat(460)));
        let small = (0..5).map(|number| format!("{}{number}", "p".repeat(450)));
        let short = ["a".to_owned(), "m".repeat(stored::SHORT_BYTES), "n".to_owned(), "z".to_owned()];
        let mut keys: Vec<_> = large.chain(small).chain(short).collect();
        keys.sort();
        keys
    }

    fn put(lmdb: &Lmdb, keys: &[String]) {
        lmdb.write(|txn, stores| {
            keys.iter().try_for_each(|whole| {
                let mut stored = whole.clone().into_bytes();
                let long = stored::shorten(&mut stored, 0);
                let mut value = Vec::new();
                stored::put_whole(&mut value, long.as_deref());
                value.extend_from_slice(b"value");
                stores.state.put(txn, &stored, &value)
            })
        })
        .unwrap();
    }

    #[test]
    fn a_large_group_is_sorted_once_and_then_read_from_where_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let lmdb = Lmdb::open(dir.path(), 1 << 20).unwrap();
        let keys = whole_keys();
        put(&lmdb, &keys);
        let (txn, known) = (lmdb.read().unwrap(), LongKeys::default());
        for round in 0..2 {
            for (place, from) in keys.iter().enumerate() {
                let mut rows = StoredRows::new(&lmdb, &txn, &known, Kind::State, from.as_bytes()).unwrap();
                let first = rows.next().unwrap().unwrap();
                assert_eq!((first.key, first.value), (from.as_bytes(), b"value".as_slice()));
                if from.len() > 460 && (round, place) > (0, 2) {
                    let Group::Known(_, order, read) = &rows.group else { panic!("sorted again from {from}") };
                    assert_eq!((order.len(), *read), (300, place - 1), "one row read from {from}");
                }
                assert!(rows.map(|row| row.unwrap().key).eq(keys[place + 1..].iter().map(String::as_bytes)));
            }
        }
        assert_eq!(known.0.lock().unwrap().len(), 1, "small groups are not worth it");
    }

    #[test]
    fn a_transaction_as_of_another_commit_does_without_what_it_does_not_have() {
        let dir = tempfile::tempdir().unwrap();
        let lmdb = Lmdb::open(dir.path(), 1 << 20).unwrap();
        let keys = whole_keys();
        let some: Vec<_> = keys.iter().step_by(2).cloned().collect();
        put(&lmdb, &some);
        let before = lmdb.read().unwrap();
        put(&lmdb, &keys);
        let (after, known) = (lmdb.read().unwrap(), LongKeys::default());
        assert_eq!(StoredRows::new(&lmdb, &after, &known, Kind::State, b"").unwrap().count(), keys.len());
        for (place, from) in some.iter().enumerate() {
            let rows = StoredRows::new(&lmdb, &before, &known, Kind::State, from.as_bytes()).unwrap();
            assert!(rows.map(|row| row.unwrap().key).eq(some[place..].iter().map(String::as_bytes)));
        }
    }
}

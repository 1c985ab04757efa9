// SPDX-License-Identifier: Apache-2.0
//! Walks a store and the layers over it as one, in the byte order of whole keys.

use std::ops::Bound;
use std::sync::Arc;

use heed::{RoTxn, WithoutTls};

use crate::changes::Change;
use crate::error::Result;
use crate::layer::{Kind, Layer};
use crate::lmdb::Lmdb;
use crate::stored;

/// A key of a store or of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'t> {
    /// The whole key.
    pub(crate) key: &'t [u8],
    /// The value, without the whole key that may stand before it.
    pub(crate) value: &'t [u8],
    deleted: bool,
}

type Rows<'t> = Box<dyn Iterator<Item = heed::Result<Change<'t>>> + 't>;

/// One store's or layer's rows in the order of whole keys.
///
/// Stored keys are in that order but for long ones that agree in their first [`stored::SHORT_BYTES`] bytes: those are
/// gathered and sorted, which takes 40 bytes of memory for each; the keys themselves stay where they are.
struct Source<'t> {
    rows: Rows<'t>,
    ahead: Option<(&'t [u8], Row<'t>)>,
    group: std::vec::IntoIter<Row<'t>>,
    next: Option<Row<'t>>,
}

/// The rows of a store with its layers, one per key, deleted ones left out.
pub(crate) struct Merged<'t> {
    lmdb: &'t Lmdb,
    /// The newest layer first, the store last.
    sources: Vec<Source<'t>>,
}

impl<'t> Merged<'t> {
    /// Starts at the whole key `from`, inclusive; `layers` are oldest first.
    pub(crate) fn new(
        lmdb: &'t Lmdb,
        txn: &'t RoTxn<'_, WithoutTls>,
        layers: &'t [Arc<Layer>],
        kind: Kind,
        from: &[u8],
    ) -> Result<Self> {
        let bound = stored::lower_bound(from);
        // LMDB has no empty keys, and looks none up.
        let start = if bound.is_empty() { Bound::Unbounded } else { Bound::Included(bound) };
        let rows = kind.store(&lmdb.stores).from(txn, start).map_err(|source| lmdb.read_error(source))?;
        let stored = rows.map(|pair| pair.map(|(key, value)| Change { key, value, deleted: false }));
        let layers = layers.iter().rev().map(|layer| &layer[kind]).filter(|changes| changes.len() > 0);
        let mut all: Vec<Rows<'t>> = layers.map(|changes| Box::new(changes.from(bound).map(Ok)) as Rows<'t>).collect();
        all.push(Box::new(stored));
        let mut merged = Self { lmdb, sources: Vec::with_capacity(all.len()) };
        for rows in all {
            let mut source = Source { rows, ahead: None, group: Vec::new().into_iter(), next: None };
            loop {
                source.advance(lmdb)?;
                if source.next.is_none_or(|row| row.key >= from) {
                    break;
                }
            }
            merged.sources.push(source);
        }
        Ok(merged)
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'t>>> {
        loop {
            let mut least: Option<Row<'t>> = None;
            for source in &self.sources {
                if let Some(row) = source.next
                    && least.is_none_or(|least| row.key < least.key)
                {
                    least = Some(row);
                }
            }
            let Some(least) = least else { return Ok(None) };
            for source in &mut self.sources {
                if source.next.is_some_and(|row| row.key == least.key) {
                    source.advance(self.lmdb)?;
                }
            }
            if !least.deleted {
                return Ok(Some(least));
            }
        }
    }
}

impl<'t> Source<'t> {
    fn advance(&mut self, lmdb: &Lmdb) -> Result<()> {
        self.next = self.group.next();
        if self.next.is_some() {
            return Ok(());
        }
        let Some((stored, row)) = self.read(lmdb)? else { return Ok(()) };
        if stored::is_long(stored) {
            self.gather(lmdb, stored, row)?;
            self.next = self.group.next();
        } else {
            self.next = Some(row);
        }
        Ok(())
    }

    fn gather(&mut self, lmdb: &Lmdb, first: &[u8], row: Row<'t>) -> Result<()> {
        let prefix = &first[..stored::SHORT_BYTES];
        let mut group = vec![row];
        while let Some((stored, row)) = self.read(lmdb)? {
            if !stored::is_long(stored) || !stored.starts_with(prefix) {
                self.ahead = Some((stored, row));
                break;
            }
            group.push(row);
        }
        group.sort_unstable_by(|a, b| a.key.cmp(b.key));
        self.group = group.into_iter();
        Ok(())
    }

    fn read(&mut self, lmdb: &Lmdb) -> Result<Option<(&'t [u8], Row<'t>)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(change) = self.rows.next() else { return Ok(None) };
        let Change { key: stored, value, deleted } = change.map_err(|source| lmdb.read_error(source))?;
        let (key, value) = stored::split(stored, value).ok_or_else(|| lmdb.damaged("a long key"))?;
        Ok(Some((stored, Row { key, value, deleted })))
    }
}

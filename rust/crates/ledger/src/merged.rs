// SPDX-License-Identifier: Apache-2.0
//! Walks a store and the layers over it as one, in the byte order of whole keys.

use std::sync::Arc;

use heed::{RoTxn, WithoutTls};

use crate::changes::Change;
use crate::error::Result;
use crate::layer::{Kind, Layer};
use crate::lmdb::Lmdb;
use crate::long_keys::{LongKeys, StoredRows};
use crate::stored;

/// A key of a store or of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'t> {
    /// The whole key.
    pub(crate) key: &'t [u8],
    /// The value, without the whole key that may stand before it.
    pub(crate) value: &'t [u8],
    pub(crate) deleted: bool,
}

type Rows<'t> = Box<dyn Iterator<Item = Result<Row<'t>>> + 't>;

/// One store's or layer's rows in the order of whole keys.
struct Source<'t> {
    rows: Rows<'t>,
    next: Option<Row<'t>>,
}

/// The rows of a store with its layers, one per key.
pub(crate) struct Merged<'t> {
    /// The newest layer first, the store last.
    sources: Vec<Source<'t>>,
}

impl<'t> Merged<'t> {
    /// Starts at the whole key `from`, inclusive; `layers` are oldest first.
    pub(crate) fn new(
        lmdb: &'t Lmdb,
        txn: &'t RoTxn<'_, WithoutTls>,
        layers: &'t [Arc<Layer>],
        known: &'t LongKeys,
        kind: Kind,
        from: &[u8],
    ) -> Result<Self> {
        let stored = StoredRows::new(lmdb, txn, known, kind, from)?;
        let row = |change| split(lmdb, change);
        let layers = layers.iter().rev().map(|layer| &layer[kind]).filter(|changes| changes.len() > 0);
        let layers = layers.map(|changes| Box::new(changes.since(from).map(row)) as Rows<'t>);
        let mut sources = Vec::new();
        for rows in layers.chain([Box::new(stored) as Rows<'t>]) {
            let mut source = Source { rows, next: None };
            source.advance()?;
            sources.push(source);
        }
        Ok(Self { sources })
    }

    /// The next row that is not deleted.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'t>>> {
        loop {
            match self.step()? {
                Some(row) if row.deleted => {}
                found => return Ok(found),
            }
        }
    }

    /// The next row, which may be one that was deleted.
    pub(crate) fn step(&mut self) -> Result<Option<Row<'t>>> {
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
                source.advance()?;
            }
        }
        Ok(Some(least))
    }
}

impl Source<'_> {
    fn advance(&mut self) -> Result<()> {
        self.next = self.rows.next().transpose()?;
        Ok(())
    }
}

/// Takes the whole key out of a stored pair.
pub(crate) fn split<'t>(lmdb: &Lmdb, Change { key, value, deleted }: Change<'t>) -> Result<Row<'t>> {
    let (key, value) = stored::split(key, value).ok_or_else(|| lmdb.damaged("a long key"))?;
    Ok(Row { key, value, deleted })
}

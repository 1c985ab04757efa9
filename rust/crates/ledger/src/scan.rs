// SPDX-License-Identifier: Apache-2.0
//! Walks a store in the byte order of its whole keys.

use std::ops::Bound;

use heed::types::Bytes;
use heed::{RoRange, RoTxn, WithoutTls};

use crate::error::Result;
use crate::lmdb::{Lmdb, Store};
use crate::stored;

/// A pair of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'t> {
    /// The key as it is stored.
    pub(crate) stored: &'t [u8],
    /// The whole key.
    pub(crate) key: &'t [u8],
    /// The value behind the whole key, if that stands there.
    pub(crate) value: &'t [u8],
}

/// Rows from a key on, in the order of the whole keys (see [`stored`]).
///
/// Long keys that agree in their first [`stored::SHORT_BYTES`] bytes are gathered and sorted; that takes 48 bytes of
/// memory for each, the keys themselves stay in the map.
pub(crate) struct Scan<'t> {
    lmdb: &'t Lmdb,
    rows: RoRange<'t, Bytes, Bytes>,
    ahead: Option<Row<'t>>,
    group: std::vec::IntoIter<Row<'t>>,
    from: Vec<u8>,
}

impl<'t> Scan<'t> {
    /// Starts at the whole key `from`, inclusive.
    pub(crate) fn new(lmdb: &'t Lmdb, txn: &'t RoTxn<'_, WithoutTls>, store: Store, from: &[u8]) -> Result<Self> {
        // LMDB has no empty keys, and looks none up.
        let start = match stored::lower_bound(from) {
            [] => Bound::Unbounded,
            from => Bound::Included(from),
        };
        let bounds = (start, Bound::Unbounded);
        let rows = store.range(txn, &bounds).map_err(|source| lmdb.read_error(source))?;
        Ok(Self { lmdb, rows, ahead: None, group: Vec::new().into_iter(), from: from.to_vec() })
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'t>>> {
        loop {
            let row = match self.group.next() {
                Some(row) => row,
                None => match self.read()? {
                    None => return Ok(None),
                    Some(row) if !stored::is_long(row.stored) => row,
                    Some(row) => {
                        self.gather(row)?;
                        continue;
                    }
                },
            };
            if row.key >= self.from.as_slice() {
                return Ok(Some(row));
            }
        }
    }

    fn gather(&mut self, first: Row<'t>) -> Result<()> {
        let prefix = &first.stored[..stored::SHORT_BYTES];
        let mut group = vec![first];
        while let Some(row) = self.read()? {
            if !stored::is_long(row.stored) || !row.stored.starts_with(prefix) {
                self.ahead = Some(row);
                break;
            }
            group.push(row);
        }
        group.sort_unstable_by(|a, b| a.key.cmp(b.key));
        self.group = group.into_iter();
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Row<'t>>> {
        if let Some(row) = self.ahead.take() {
            return Ok(Some(row));
        }
        let Some(pair) = self.rows.next() else { return Ok(None) };
        let (stored, value) = pair.map_err(|source| self.lmdb.read_error(source))?;
        let (key, value) = stored::split(stored, value).ok_or_else(|| self.lmdb.damaged("a long key"))?;
        Ok(Some(Row { stored, key, value }))
    }
}

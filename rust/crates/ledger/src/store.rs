// SPDX-License-Identifier: Apache-2.0
//! A store whose records are sealed: behind each value stands a checksum of key and value.
//!
//! A disk or a copy that changes a byte of a record is found out when the record is read, not believed.

use std::io::{self, Write};
use std::ops::Bound;

use heed::types::Bytes;
use heed::{PutFlags, RoTxn, RwTxn, WithoutTls};

/// Length of a record's checksum.
pub(crate) const SEAL_BYTES: usize = 4;

/// A store of an LMDB environment.
#[derive(Clone, Copy)]
pub(crate) struct Store(pub(crate) heed::Database<'static, Bytes, Bytes>);

/// The checksum (CRC-32) of a record.
#[must_use]
pub fn seal(key: &[u8], value: &[u8]) -> [u8; SEAL_BYTES] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    crc.finalize().to_le_bytes()
}

/// A value with the checksum of its record behind it.
pub(crate) fn sealed(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let seal = seal(key, &value);
    value.extend_from_slice(&seal);
    value
}

/// The value of a record as it stands in its store; `None` if its checksum is another.
pub(crate) fn open<'r>(key: &[u8], record: &'r [u8]) -> Option<&'r [u8]> {
    let (value, found) = record.split_last_chunk::<SEAL_BYTES>()?;
    (seal(key, value) == *found).then_some(value)
}

/// [`open`] as LMDB's results have it.
fn opened<'r>(key: &[u8], record: &'r [u8]) -> heed::Result<&'r [u8]> {
    open(key, record).ok_or_else(|| heed::Error::Decoding("a record does not have its checksum".into()))
}

impl Store {
    pub(crate) fn get<'t>(&self, txn: &'t RoTxn<'_, WithoutTls>, key: &[u8]) -> heed::Result<Option<&'t [u8]>> {
        self.0.get(txn, key)?.map(|record| opened(key, record)).transpose()
    }

    pub(crate) fn put(&self, txn: &mut RwTxn<'_>, key: &[u8], value: &[u8]) -> heed::Result<()> {
        self.0.put_reserved(txn, key, value.len() + SEAL_BYTES, |space| write(space, key, value))
    }

    /// Puts a key behind all others, with a value that was [`sealed`] for it.
    pub(crate) fn append(&self, txn: &mut RwTxn<'_>, key: &[u8], sealed: &[u8]) -> heed::Result<()> {
        self.0.put_with_flags(txn, PutFlags::APPEND, key, sealed)
    }

    /// Puts a key that is not there yet; leaves one that is.
    pub(crate) fn put_new(&self, txn: &mut RwTxn<'_>, key: &[u8], value: &[u8]) -> heed::Result<()> {
        self.0.get_or_put_reserved(txn, key, value.len() + SEAL_BYTES, |space| write(space, key, value))?;
        Ok(())
    }

    pub(crate) fn delete(&self, txn: &mut RwTxn<'_>, key: &[u8]) -> heed::Result<()> {
        self.0.delete(txn, key).map(|_| ())
    }

    pub(crate) fn is_empty(&self, txn: &RoTxn<'_, WithoutTls>) -> heed::Result<bool> {
        self.0.is_empty(txn)
    }

    #[cfg(test)]
    pub(crate) fn len(&self, txn: &RoTxn<'_, WithoutTls>) -> heed::Result<u64> {
        self.0.len(txn)
    }

    /// The records from a key on.
    pub(crate) fn from<'t>(
        &self,
        txn: &'t RoTxn<'_, WithoutTls>,
        start: Bound<&[u8]>,
    ) -> heed::Result<impl Iterator<Item = heed::Result<(&'t [u8], &'t [u8])>> + use<'t>> {
        let rows = self.0.range(txn, &(start, Bound::Unbounded))?;
        Ok(rows.map(|row| row.and_then(|(key, record)| Ok((key, opened(key, record)?)))))
    }
}

fn write(space: &mut heed::ReservedSpace<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    space.write_all(value)?;
    space.write_all(&seal(key, value))
}

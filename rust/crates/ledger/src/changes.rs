// SPDX-License-Identifier: Apache-2.0
//! What blocks change in one store: encoded once, sorted by stored key, journaled as it is.

use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{LedgerError, Result};
use crate::recent::hash;
use crate::stored;

/// The most that the changes of one store may take, in bytes; offsets are 32 bits wide.
const MAX_BYTES: usize = u32::MAX as usize;

/// Marks a deletion in an encoded entry's key length, which is far below it.
const DELETED: u16 = 1 << 15;

/// Bytes of an encoded entry: start, key length, value length.
const ENTRY_BYTES: usize = 10;

/// The changes of one store: one per key, in the order of the stored keys.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Open addressing over many `entries`: position + 1, or 0 for a free slot. Empty where searching is as fast.
    index: Vec<u32>,
    /// Positions in `entries` in the order of whole keys, once anybody asked, where that is not the order of `entries`.
    whole_order: OnceLock<Box<[u32]>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    value_bytes: u32,
    key_bytes: u16,
    deleted: bool,
}

/// A change of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// The stored key.
    pub(crate) key: &'a [u8],
    /// What is stored now, or of a deleted long key, the whole key.
    pub(crate) value: &'a [u8],
    /// Whether the key is deleted.
    pub(crate) deleted: bool,
}

/// Which of several changes of one key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    First,
    Last,
}

impl Entry {
    fn key(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.key_bytes)
    }

    fn value(self) -> Range<usize> {
        let start = self.key().end;
        start..start + self.value_bytes as usize
    }
}

impl Changes {
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), entries: Vec::with_capacity(entries), ..Self::default() }
    }

    /// Adds a put: `key` appends the whole key, `value` the value.
    pub(crate) fn put(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        self.add(key, value, false);
    }

    /// Adds a deletion: `key` appends the whole key.
    pub(crate) fn delete(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        self.add(key, |_| (), true);
    }

    fn add(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>), deleted: bool) {
        let start = self.bytes.len();
        key(&mut self.bytes);
        let whole = stored::shorten(&mut self.bytes, start);
        let key_end = self.bytes.len();
        stored::put_whole(&mut self.bytes, whole.as_deref());
        value(&mut self.bytes);
        self.push(start, key_end, deleted);
    }

    fn add_change(&mut self, change: &Change<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(change.key);
        self.bytes.extend_from_slice(change.value);
        self.push(start, start + change.key.len(), change.deleted);
    }

    fn push(&mut self, start: usize, key_end: usize, deleted: bool) {
        // Beyond MAX_BYTES, which `seal` refuses, these are cut short.
        #[expect(clippy::cast_possible_truncation, reason = "see above; stored keys have 480 bytes at most")]
        self.entries.push(Entry {
            start: start as u32,
            value_bytes: (self.bytes.len() - key_end) as u32,
            key_bytes: (key_end - start) as u16,
            deleted,
        });
    }

    /// Sorts what was added.
    pub(crate) fn seal(&mut self, keep: Keep) -> Result<()> {
        if self.bytes.len() > MAX_BYTES {
            let size = self.bytes.len();
            return Err(LedgerError::TooLarge { what: "changes of a block in bytes", size, limit: MAX_BYTES });
        }
        if keep == Keep::Last {
            self.entries.reverse();
        }
        let bytes = &self.bytes;
        self.entries.sort_by(|a, b| bytes[a.key()].cmp(&bytes[b.key()]));
        self.entries.dedup_by(|later, earlier| bytes[later.key()] == bytes[earlier.key()]);
        Ok(())
    }

    /// Makes [`Self::get`] fast where there are many entries.
    pub(crate) fn build_index(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let mask = (self.entries.len() * 2).next_power_of_two() - 1;
        self.index = vec![0; mask + 1];
        for (position, entry) in (1..).zip(&self.entries) {
            let mut slot = slot(hash(&self.bytes[entry.key()]), mask);
            while self.index[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.index[slot] = position;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// About how much memory this takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>() + self.index.len() * 4
    }

    fn change(&self, entry: Entry) -> Change<'_> {
        Change { key: &self.bytes[entry.key()], value: &self.bytes[entry.value()], deleted: entry.deleted }
    }

    /// The change of a stored key whose [`hash`] is `hash`.
    pub(crate) fn get(&self, key: &[u8], hash: u64) -> Option<Change<'_>> {
        let Some(mask) = self.index.len().checked_sub(1) else {
            let found = self.entries.binary_search_by(|entry| self.bytes[entry.key()].cmp(key)).ok()?;
            return Some(self.change(self.entries[found]));
        };
        let mut slot = slot(hash, mask);
        loop {
            let entry = self.entries[(self.index[slot] as usize).checked_sub(1)?];
            if self.bytes[entry.key()] == *key {
                return Some(self.change(entry));
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The changes in key order.
    pub(crate) fn all(&self) -> impl Iterator<Item = Change<'_>> {
        self.entries.iter().map(|entry| self.change(*entry))
    }

    /// Some changes, by their positions in key order.
    pub(crate) fn slice(&self, positions: Range<usize>) -> impl Iterator<Item = Change<'_>> {
        self.entries[positions].iter().map(|entry| self.change(*entry))
    }

    /// The changes in the order of whole keys, from one on.
    pub(crate) fn since<'c>(&'c self, key: &[u8]) -> impl Iterator<Item = Change<'c>> + use<'c> {
        let order = self.whole_order.get_or_init(|| self.order_of_whole_keys());
        let position = move |place: usize| order.get(place).map_or(place, |position| *position as usize);
        let (mut first, mut behind) = (0, self.entries.len());
        while first < behind {
            let middle = first.midpoint(behind);
            if self.whole(self.entries[position(middle)]) < key { first = middle + 1 } else { behind = middle }
        }
        (first..self.entries.len()).map(move |place| self.change(self.entries[position(place)]))
    }

    /// Empty where no two long keys begin alike: then stored keys have the order of whole ones.
    fn order_of_whole_keys(&self) -> Box<[u32]> {
        let is_in_order = |pair: &[Entry]| self.whole(pair[0]) < self.whole(pair[1]);
        if self
            .entries
            .windows(2)
            .all(|pair| usize::from(pair[0].key_bytes) <= stored::SHORT_BYTES || is_in_order(pair))
        {
            return Box::default();
        }
        let mut order: Vec<u32> = (0..).take(self.entries.len()).collect();
        order.sort_unstable_by(|a, b| self.whole(self.entries[*a as usize]).cmp(self.whole(self.entries[*b as usize])));
        order.into()
    }

    /// The whole key of an entry; of a damaged one what is stored.
    fn whole(&self, entry: Entry) -> &[u8] {
        let Change { key, value, .. } = self.change(entry);
        stored::split(key, value).map_or(key, |(whole, _)| whole)
    }

    /// Brings the changes of consecutive blocks together, oldest first.
    pub(crate) fn merged<'a>(parts: impl Iterator<Item = &'a Self> + Clone, keep: Keep) -> Result<Self> {
        let entries = parts.clone().map(Self::len).sum();
        let mut merged = Self::with_capacity(entries, parts.clone().map(|part| part.bytes.len()).sum());
        for part in parts {
            part.all().for_each(|change| merged.add_change(&change));
        }
        merged.seal(keep)?;
        Ok(merged)
    }

    /// Bytes that [`Self::encode`] appends.
    pub(crate) fn encoded_bytes(&self) -> usize {
        8 + self.bytes.len() + self.entries.len() * ENTRY_BYTES
    }

    /// Appends the changes as they are in memory.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        #[expect(clippy::cast_possible_truncation, reason = "both below MAX_BYTES")]
        for length in [self.bytes.len() as u32, self.entries.len() as u32] {
            out.extend_from_slice(&length.to_le_bytes());
        }
        out.extend_from_slice(&self.bytes);
        for entry in &self.entries {
            let key = if entry.deleted { entry.key_bytes | DELETED } else { entry.key_bytes };
            out.extend_from_slice(&entry.start.to_le_bytes());
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&entry.value_bytes.to_le_bytes());
        }
    }

    /// Takes changes off the front of `encoded`; `None` if that is not what [`Self::encode`] wrote.
    pub(crate) fn decode(encoded: &mut &[u8]) -> Option<Self> {
        let bytes = take_u32(encoded)? as usize;
        let entries = take_u32(encoded)? as usize;
        let (bytes, rest) = encoded.split_at_checked(bytes)?;
        let (table, rest) = rest.split_at_checked(entries.checked_mul(ENTRY_BYTES)?)?;
        *encoded = rest;
        let entries: Vec<_> = table.chunks_exact(ENTRY_BYTES).map(decode_entry).collect::<Option<_>>()?;
        if entries.iter().any(|entry| entry.value().end > bytes.len()) {
            return None;
        }
        Some(Self { bytes: bytes.to_vec(), entries, ..Self::default() })
    }
}

fn decode_entry(mut encoded: &[u8]) -> Option<Entry> {
    let start = take_u32(&mut encoded)?;
    let (key, mut encoded) = encoded.split_first_chunk()?;
    let key = u16::from_le_bytes(*key);
    let value_bytes = take_u32(&mut encoded)?;
    Some(Entry { start, value_bytes, key_bytes: key & !DELETED, deleted: key & DELETED != 0 })
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

fn slot(hash: u64, mask: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    let low = hash as usize;
    low & mask
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    type Listed<'a> = (&'a str, Option<&'a str>);

    fn changes(keep: Keep, list: &[Listed<'_>]) -> Changes {
        let mut changes = Changes::default();
        for (key, value) in list {
            let key = |out: &mut Vec<u8>| out.extend_from_slice(key.as_bytes());
            match value {
                Some(value) => changes.put(key, |out| out.extend_from_slice(value.as_bytes())),
                None => changes.delete(key),
            }
        }
        changes.seal(keep).unwrap();
        changes
    }

    fn list<'a>(changes: impl Iterator<Item = Change<'a>>) -> Vec<Listed<'a>> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        changes.map(|change| (text(change.key), (!change.deleted).then(|| text(change.value)))).collect()
    }

    const LIST: [Listed<'static>; 5] =
        [("b", Some("1")), ("a", Some("2")), ("b", None), ("a", Some("3")), ("ca", Some("4"))];

    #[test]
    fn one_change_per_key_survives() {
        let last = changes(Keep::Last, &LIST);
        assert_eq!(list(last.all()), [("a", Some("3")), ("b", None), ("ca", Some("4"))]);
        let first = changes(Keep::First, &LIST);
        assert_eq!(list(first.all()), [("a", Some("2")), ("b", Some("1")), ("ca", Some("4"))]);
        let mut indexed = changes(Keep::First, &LIST);
        indexed.build_index();
        for changes in [&first, &indexed] {
            for key in ["a", "b", "ca"] {
                let found = changes.get(key.as_bytes(), hash(key.as_bytes())).unwrap();
                assert_eq!(found.key, key.as_bytes());
            }
            assert_eq!(changes.get(b"c", hash(b"c")), None);
        }
        assert_eq!(Changes::default().get(b"c", hash(b"c")), None);
        assert_eq!(list(first.since(b"aa")), [("b", Some("1")), ("ca", Some("4"))]);
    }

    #[test]
    fn long_keys_that_begin_alike_come_in_the_order_of_whole_keys() {
        let names: Vec<String> = (0..50).map(|number| format!("{}{number:02}", "k".repeat(470))).collect();
        let others = ["a".to_owned(), "k".repeat(stored::SHORT_BYTES), "z".to_owned()];
        let mut all: Vec<&String> = names.iter().chain(&others).collect();
        let mut changes = Changes::default();
        for (index, name) in all.iter().enumerate() {
            let key = |out: &mut Vec<u8>| out.extend_from_slice(name.as_bytes());
            if index % 3 == 0 { changes.delete(key) } else { changes.put(key, |out| out.push(b'v')) }
        }
        changes.seal(Keep::Last).unwrap();
        all.sort();
        for (place, from) in all.iter().enumerate() {
            let found = changes.since(from.as_bytes()).map(|change| stored::split(change.key, change.value).unwrap().0);
            assert!(found.eq(all[place..].iter().map(|name| name.as_bytes())), "from {from}");
        }
        assert_eq!(
            changes.since(names[49].as_bytes()).next().map(|change| change.value.last() == Some(&b'v')),
            Some(true)
        );
    }

    #[test]
    fn blocks_come_together_in_key_order() {
        let one = changes(Keep::Last, &[("a", Some("1")), ("c", Some("1"))]);
        let two = changes(Keep::Last, &[("c", None), ("b", Some("2"))]);
        let last = Changes::merged([&one, &two].into_iter(), Keep::Last).unwrap();
        assert_eq!(list(last.all()), [("a", Some("1")), ("b", Some("2")), ("c", None)]);
        let first = Changes::merged([&one, &two].into_iter(), Keep::First).unwrap();
        assert_eq!(list(first.all()), [("a", Some("1")), ("b", Some("2")), ("c", Some("1"))]);
    }

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        let original = changes(Keep::Last, &LIST);
        let mut encoded = Vec::new();
        original.encode(&mut encoded);
        assert_eq!(encoded.len(), original.encoded_bytes());
        let mut rest = encoded.as_slice();
        let decoded = Changes::decode(&mut rest).unwrap();
        assert_eq!((rest.len(), list(decoded.all())), (0, list(original.all())));
        assert_eq!(decoded.get(b"a", hash(b"a")), original.get(b"a", hash(b"a")));
        for length in 0..encoded.len() {
            assert!(Changes::decode(&mut &encoded[..length]).is_none());
        }
        let last = encoded.len() - 1;
        encoded[last] = 0xff;
        assert!(Changes::decode(&mut encoded.as_slice()).is_none(), "an entry that leads out of the bytes");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a block changes in the derived stores, encoded once: read from memory until it is flushed, then written as is.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::record::ChainTip;
use crate::values::Savepoint;

/// The changes of one store: sorted by stored key, one per key.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Open addressing over `entries`: position + 1, or 0 for a free slot.
    index: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    key_bytes: usize,
    /// `None` deletes the key.
    value_bytes: Option<usize>,
}

/// A change: stored key, and the new value or `None` to delete it.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// Which of several changes of one key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    First,
    Last,
}

impl Changes {
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), entries: Vec::with_capacity(entries), index: Vec::new() }
    }

    /// Adds a put: `key` appends the key and hands on what `value` needs of it.
    pub(crate) fn put<T>(&mut self, key: impl FnOnce(&mut Vec<u8>) -> T, value: impl FnOnce(&mut Vec<u8>, T)) {
        let start = self.bytes.len();
        let handed = key(&mut self.bytes);
        let key_bytes = self.bytes.len() - start;
        value(&mut self.bytes, handed);
        let value_bytes = Some(self.bytes.len() - start - key_bytes);
        self.entries.push(Entry { start, key_bytes, value_bytes });
    }

    /// Adds a deletion.
    pub(crate) fn delete(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key(&mut self.bytes);
        self.entries.push(Entry { start, key_bytes: self.bytes.len() - start, value_bytes: None });
    }

    /// Sorts and indexes what was added.
    pub(crate) fn seal(&mut self, keep: Keep) {
        let bytes = &self.bytes;
        let key = |entry: &Entry| &bytes[entry.start..entry.start + entry.key_bytes];
        if keep == Keep::Last {
            self.entries.reverse();
        }
        self.entries.sort_by(|a, b| key(a).cmp(key(b)));
        self.entries.dedup_by(|later, earlier| key(later) == key(earlier));
        self.build_index();
    }

    fn build_index(&mut self) {
        let slots = (self.entries.len() * 2).next_power_of_two();
        self.index = vec![0; slots];
        for position in 0..self.entries.len() {
            #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
            let mut slot = hash(self.key(position)) as usize & (slots - 1);
            while self.index[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            // A block has far fewer than 2^32 changes: each takes at least a byte of it.
            self.index[slot] = u32::try_from(position + 1).unwrap_or(u32::MAX);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn key(&self, position: usize) -> &[u8] {
        let entry = self.entries[position];
        &self.bytes[entry.start..entry.start + entry.key_bytes]
    }

    fn change(&self, position: usize) -> Change<'_> {
        let Entry { start, key_bytes, value_bytes } = self.entries[position];
        let value = start + key_bytes;
        (&self.bytes[start..value], value_bytes.map(|bytes| &self.bytes[value..value + bytes]))
    }

    /// The change of a key whose [`hash`] is `hash`.
    #[expect(clippy::option_option, reason = "unchanged, deleted, or put")]
    pub(crate) fn get(&self, key: &[u8], hash: u64) -> Option<Option<&[u8]>> {
        if self.entries.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
        let mut slot = hash as usize & mask;
        loop {
            let position = (self.index[slot] as usize).checked_sub(1)?;
            if self.key(position) == key {
                return Some(self.change(position).1);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The changes in key order, from `key` on.
    pub(crate) fn from(&self, key: &[u8]) -> impl DoubleEndedIterator<Item = Change<'_>> {
        let first = self.entries.partition_point(|entry| &self.bytes[entry.start..entry.start + entry.key_bytes] < key);
        (first..self.entries.len()).map(|position| self.change(position))
    }
}

/// The hash that [`Changes::get`] takes.
pub(crate) fn hash(key: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(key);
    hasher.finish()
}

/// The changes of consecutive blocks to one store, in key order, one per key.
pub(crate) fn merged<'a>(blocks: impl Iterator<Item = &'a Changes>, keep: Keep) -> Vec<Change<'a>> {
    let blocks: Vec<_> = blocks.filter(|changes| !changes.is_empty()).collect();
    let mut all = Vec::with_capacity(blocks.iter().map(|changes| changes.entries.len()).sum());
    let newest_first: Vec<_> = match keep {
        Keep::First => blocks,
        Keep::Last => blocks.into_iter().rev().collect(),
    };
    let several = newest_first.len() > 1;
    for changes in newest_first {
        all.extend((0..changes.entries.len()).map(|position| changes.change(position)));
    }
    if several {
        all.sort_by(|a, b| a.0.cmp(b.0));
        all.dedup_by(|later, earlier| later.0 == earlier.0);
    }
    all
}

/// Everything a block changes in the derived stores.
#[derive(Debug)]
pub(crate) struct StagedBlock {
    pub(crate) savepoint: Savepoint,
    pub(crate) state: Changes,
    pub(crate) history: Changes,
    pub(crate) tx_ids: Changes,
    pub(crate) other_tx_ids: Changes,
    pub(crate) config_history: Changes,
    pub(crate) expiry: Changes,
    pub(crate) explanations: Vec<u8>,
    pub(crate) channel_config: Option<Vec<u8>>,
    /// Namespaces that have key metadata since this block.
    pub(crate) metadata_namespaces: Vec<String>,
}

impl StagedBlock {
    pub(crate) fn tip(&self) -> &ChainTip {
        &self.savepoint.tip
    }

    /// About how much memory it holds, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let stores = [&self.state, &self.history, &self.tx_ids, &self.other_tx_ids, &self.config_history, &self.expiry];
        stores.iter().map(|changes| changes.bytes.len() + changes.entries.len() * 40).sum::<usize>()
            + self.explanations.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(keep: Keep, list: &[(&str, Option<&str>)]) -> Changes {
        let mut changes = Changes::default();
        for (key, value) in list {
            match value {
                Some(value) => changes.put(
                    |out| out.extend_from_slice(key.as_bytes()),
                    |out, ()| out.extend_from_slice(value.as_bytes()),
                ),
                None => changes.delete(|out| out.extend_from_slice(key.as_bytes())),
            }
        }
        changes.seal(keep);
        changes
    }

    fn text(list: &[Change<'_>]) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        list.iter().map(|(key, value)| (text(key), value.map(text))).collect()
    }

    #[test]
    fn one_change_per_key_survives() {
        let list = [("b", Some("1")), ("a", Some("2")), ("b", None), ("a", Some("3"))];
        let last = changes(Keep::Last, &list);
        assert_eq!(last.get(b"a", hash(b"a")), Some(Some(b"3".as_slice())));
        assert_eq!(last.get(b"b", hash(b"b")), Some(None));
        assert_eq!(last.get(b"c", hash(b"c")), None);
        let first = changes(Keep::First, &list);
        assert_eq!(first.get(b"a", hash(b"a")), Some(Some(b"2".as_slice())));
        assert_eq!(first.get(b"b", hash(b"b")), Some(Some(b"1".as_slice())));
    }

    #[test]
    fn blocks_merge_in_key_order() {
        let one = changes(Keep::Last, &[("a", Some("1")), ("c", Some("1"))]);
        let two = changes(Keep::Last, &[("c", None), ("b", Some("2"))]);
        let expect = |list: &[(&str, Option<&str>)]| -> Vec<(String, Option<String>)> {
            list.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect()
        };
        let last = merged([&one, &two].into_iter(), Keep::Last);
        assert_eq!(text(&last), expect(&[("a", Some("1")), ("b", Some("2")), ("c", None)]));
        let first = merged([&one, &two].into_iter(), Keep::First);
        assert_eq!(text(&first), expect(&[("a", Some("1")), ("b", Some("2")), ("c", Some("1"))]));
        assert_eq!(text(&one.from(b"b").collect::<Vec<_>>()), expect(&[("c", Some("1"))]));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Views of etcd's `raftpb`, what etcdraft's orderers say to each other and keep in their logs.
//!
//! The messages are proto2 with fields that are never null. So [`encode`](Message::encode) writes every number, zeros too, and a
//! snapshot in every message, to the byte as etcd's release 3.5 does. It leaves out what only later releases know, `vote` and
//! `responses`, and bytes that are empty. Decoding takes all forms: what is left out is zero, what is not known is skipped.

use crate::encode::{length_prefixed, varint, varint_len};
use crate::messages;

messages! {
    /// `raftpb.Message`.
    Message<'a> {
        /// `raftpb.MessageType`.
        1 => kind: u64,
        2 => to: u64,
        3 => from: u64,
        4 => term: u64,
        5 => log_term: u64,
        6 => index: u64,
        7 => entries: Vec<Entry<'a>>,
        8 => commit: u64,
        9 => snapshot: Option<Snapshot<'a>>,
        10 => reject: bool,
        11 => reject_hint: u64,
        12 => context: &'a [u8],
    }

    /// `raftpb.Entry`.
    Entry<'a> {
        /// `raftpb.EntryType`.
        1 => kind: u64,
        2 => term: u64,
        3 => index: u64,
        4 => data: &'a [u8],
    }

    /// `raftpb.Snapshot`.
    Snapshot<'a> {
        1 => data: &'a [u8],
        2 => metadata: Option<SnapshotMetadata>,
    }

    /// `raftpb.SnapshotMetadata`.
    SnapshotMetadata {
        1 => conf_state: Option<ConfState>,
        2 => index: u64,
        3 => term: u64,
    }

    /// `raftpb.ConfState`.
    ConfState {
        1 => voters: Vec<u64>,
        2 => learners: Vec<u64>,
        3 => voters_outgoing: Vec<u64>,
        4 => learners_next: Vec<u64>,
        5 => auto_leave: bool,
    }

    /// `raftpb.ConfChange`.
    ConfChange<'a> {
        1 => id: u64,
        /// `raftpb.ConfChangeType`.
        2 => kind: u64,
        3 => node_id: u64,
        4 => context: &'a [u8],
    }

    /// `raftpb.HardState`.
    HardState {
        1 => term: u64,
        2 => vote: u64,
        3 => commit: u64,
    }
}

/// Appends a number, zero too. All field numbers here are below 16, so a tag is one byte.
fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    varint(out, value);
}

/// Appends bytes, nothing for empty ones.
fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    data(out, field, value, &mut copied);
}

/// Appends bytes that `put` puts behind their length.
fn data<'a>(out: &mut Vec<u8>, field: u8, value: &'a [u8], put: &mut impl FnMut(&mut Vec<u8>, &'a [u8])) {
    if !value.is_empty() {
        out.push(field << 3 | 2);
        varint(out, value.len() as u64);
        put(out, value);
    }
}

fn copied(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(data);
}

/// Appends a message that is small.
fn small(out: &mut Vec<u8>, field: u8, encoded: &[u8]) {
    out.push(field << 3 | 2);
    length_prefixed(out, encoded);
}

fn bytes_len(value: &[u8]) -> usize {
    if value.is_empty() { 0 } else { 1 + varint_len(value.len() as u64) + value.len() }
}

impl<'a> Message<'a> {
    /// The encoding, which is written once into memory of the right size.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let data = self.entries.iter().map(|entry| entry.data).chain(self.snapshot.iter().map(|one| one.data));
        self.encode_with(data.map(<[u8]>::len).sum(), copied)
    }

    /// The encoding without data of `least` bytes and more, of entries and a snapshot; and where each of those belongs.
    #[must_use]
    pub fn encode_around(&self, least: usize) -> (Vec<u8>, Vec<(usize, &'a [u8])>) {
        let mut left_out = Vec::new();
        let rest = self.encode_with(0, |out, data| {
            if data.len() < least {
                out.extend_from_slice(data);
            } else {
                left_out.push((out.len(), data));
            }
        });
        (rest, left_out)
    }

    /// The encoding, into which `put` puts the data of entries and snapshot: so many bytes, about.
    fn encode_with(&self, data_bytes: usize, mut put: impl FnMut(&mut Vec<u8>, &'a [u8])) -> Vec<u8> {
        /// Tags and numbers at their longest, but for the entries and the snapshot's members.
        const NUMBERS_BYTES: usize = 9 * 11;
        const ENTRY_BYTES: usize = 5 * 11;
        let empty = Snapshot::default();
        let snapshot = self.snapshot.as_ref().unwrap_or(&empty);
        let metadata = snapshot.encode_metadata();
        let mut out = Vec::with_capacity(
            NUMBERS_BYTES
                + self.entries.len() * ENTRY_BYTES
                + data_bytes
                + 3 * 11
                + metadata.len()
                + bytes_len(self.context),
        );
        number(&mut out, 1, self.kind);
        number(&mut out, 2, self.to);
        number(&mut out, 3, self.from);
        number(&mut out, 4, self.term);
        number(&mut out, 5, self.log_term);
        number(&mut out, 6, self.index);
        for entry in &self.entries {
            out.push(7 << 3 | 2);
            varint(&mut out, entry.encoded_len() as u64);
            entry.append_with(&mut out, &mut put);
        }
        number(&mut out, 8, self.commit);
        out.push(9 << 3 | 2);
        varint(&mut out, snapshot.encoded_len(&metadata) as u64);
        snapshot.append_with(&mut out, &metadata, &mut put);
        number(&mut out, 10, u64::from(self.reject));
        number(&mut out, 11, self.reject_hint);
        bytes(&mut out, 12, self.context);
        out
    }
}

impl<'a> Entry<'a> {
    /// Bytes of the encoding, which is what etcd's size limits count.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        3 + varint_len(self.kind) + varint_len(self.term) + varint_len(self.index) + bytes_len(self.data)
    }

    /// Appends the encoding.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.append_with(out, &mut copied);
    }

    fn append_with(&self, out: &mut Vec<u8>, put: &mut impl FnMut(&mut Vec<u8>, &'a [u8])) {
        number(out, 1, self.kind);
        number(out, 2, self.term);
        number(out, 3, self.index);
        data(out, 4, self.data, put);
    }
}

impl<'a> Snapshot<'a> {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let metadata = self.encode_metadata();
        let mut out = Vec::with_capacity(self.encoded_len(&metadata));
        self.append_with(&mut out, &metadata, &mut copied);
        out
    }

    fn encode_metadata(&self) -> Vec<u8> {
        let none = SnapshotMetadata::default();
        let metadata = self.metadata.as_ref().unwrap_or(&none);
        let members = metadata.conf_state.as_ref().map_or_else(|| ConfState::default().encode(), ConfState::encode);
        let mut out = Vec::new();
        small(&mut out, 1, &members);
        number(&mut out, 2, metadata.index);
        number(&mut out, 3, metadata.term);
        out
    }

    fn encoded_len(&self, metadata: &[u8]) -> usize {
        bytes_len(self.data) + 1 + varint_len(metadata.len() as u64) + metadata.len()
    }

    fn append_with(&self, out: &mut Vec<u8>, metadata: &[u8], put: &mut impl FnMut(&mut Vec<u8>, &'a [u8])) {
        data(out, 1, self.data, put);
        small(out, 2, metadata);
    }
}

impl ConfState {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (field, members) in
            [(1, &self.voters), (2, &self.learners), (3, &self.voters_outgoing), (4, &self.learners_next)]
        {
            for member in members {
                number(&mut out, field, *member);
            }
        }
        number(&mut out, 5, u64::from(self.auto_leave));
        out
    }
}

impl ConfChange<'_> {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, 1, self.id);
        number(&mut out, 2, self.kind);
        number(&mut out, 3, self.node_id);
        bytes(&mut out, 4, self.context);
        out
    }
}

impl HardState {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, 1, self.term);
        number(&mut out, 2, self.vote);
        number(&mut out, 3, self.commit);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_belongs_where_it_is_said() {
        let large = [7; 100];
        let datas: [&[u8]; 5] = [&[], &[1; 9], &large, &large[..10], &large[..11]];
        let entry = |index, data| Entry { kind: 0, term: 300, index, data };
        for count in 0..=datas.len() {
            for snapshot in [None, Some(&large[..]), Some(&[][..])] {
                let message = Message {
                    to: 2,
                    entries: (1..).zip(&datas[..count]).map(|(index, data)| entry(index, *data)).collect(),
                    commit: 1 << 40,
                    snapshot: snapshot.map(|data| Snapshot { data, metadata: None }),
                    context: b"context",
                    ..Default::default()
                };
                let whole = message.encode();
                assert_eq!(message.encode_around(usize::MAX), (whole.clone(), Vec::new()));
                let (rest, left_out) = message.encode_around(10);
                let (mut again, mut done) = (Vec::new(), 0);
                for (place, data) in &left_out {
                    assert!(data.len() >= 10);
                    again.extend_from_slice(&rest[done..*place]);
                    again.extend_from_slice(data);
                    done = *place;
                }
                again.extend_from_slice(&rest[done..]);
                assert_eq!(again, whole);
                let expected = datas[..count].iter().copied().chain(snapshot).filter(|data| data.len() >= 10);
                assert!(left_out.iter().map(|(_, data)| *data).eq(expected));
            }
        }
    }
}

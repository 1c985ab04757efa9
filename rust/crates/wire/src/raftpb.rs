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
    if !value.is_empty() {
        out.push(field << 3 | 2);
        length_prefixed(out, value);
    }
}

/// Appends a message that is small.
fn small(out: &mut Vec<u8>, field: u8, encoded: &[u8]) {
    out.push(field << 3 | 2);
    length_prefixed(out, encoded);
}

fn bytes_len(value: &[u8]) -> usize {
    if value.is_empty() { 0 } else { 1 + varint_len(value.len() as u64) + value.len() }
}

impl Message<'_> {
    /// The encoding, which is written once into memory of the right size.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        /// Tags and numbers at their longest, but for the entries and the snapshot.
        const NUMBERS_BYTES: usize = 9 * 11;
        let empty = Snapshot::default();
        let snapshot = self.snapshot.as_ref().unwrap_or(&empty);
        let metadata = snapshot.encode_metadata();
        let entries: usize = self.entries.iter().map(|entry| entry.encoded_len() + 11).sum();
        let mut out = Vec::with_capacity(
            NUMBERS_BYTES + entries + snapshot.encoded_len(&metadata) + 11 + bytes_len(self.context),
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
            entry.append_to(&mut out);
        }
        number(&mut out, 8, self.commit);
        out.push(9 << 3 | 2);
        varint(&mut out, snapshot.encoded_len(&metadata) as u64);
        snapshot.append_to(&mut out, &metadata);
        number(&mut out, 10, u64::from(self.reject));
        number(&mut out, 11, self.reject_hint);
        bytes(&mut out, 12, self.context);
        out
    }
}

impl Entry<'_> {
    /// Bytes of the encoding, which is what etcd's size limits count.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        3 + varint_len(self.kind) + varint_len(self.term) + varint_len(self.index) + bytes_len(self.data)
    }

    /// Appends the encoding.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        number(out, 1, self.kind);
        number(out, 2, self.term);
        number(out, 3, self.index);
        bytes(out, 4, self.data);
    }
}

impl Snapshot<'_> {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let metadata = self.encode_metadata();
        let mut out = Vec::with_capacity(self.encoded_len(&metadata));
        self.append_to(&mut out, &metadata);
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

    fn append_to(&self, out: &mut Vec<u8>, metadata: &[u8]) {
        bytes(out, 1, self.data);
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

// SPDX-License-Identifier: Apache-2.0
//! How a leader sends its log.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Entry, Message, MessageKind};
use crate::progress::Replication;
use crate::quorum::committed_index;
use crate::raft::Raft;

/// What a leader that was removed by an entry adds to heartbeats that commit it; answers repeat it.
pub(crate) fn removal_context(index: u64) -> Bytes {
    Bytes::copy_from_slice(&index.to_be_bytes())
}

impl Raft {
    pub(crate) fn other_members(&self) -> Vec<u64> {
        self.members.keys().copied().filter(|id| *id != self.config.id).collect()
    }

    /// Appends an entry of this term. Its own acknowledgement counts when the entry is durable.
    pub(crate) fn append_own(&mut self, entry: Entry) {
        let index = self.log.last_index() + 1;
        self.log.append(std::iter::once(Entry { term: self.term, index, ..entry }));
        self.send(Message { to: self.config.id, index, ..Message::new(MessageKind::AppResp) });
    }

    /// Commits what a majority has; whether that is more than before.
    pub(crate) fn maybe_commit(&mut self) -> bool {
        let index = committed_index(self.members.values().map(|progress| progress.matched));
        self.log.commit_own(index, self.term)
    }

    pub(crate) fn broadcast_append(&mut self) {
        for member in self.other_members() {
            self.send_append(member);
        }
    }

    pub(crate) fn broadcast_heartbeat(&mut self) {
        for to in self.other_members() {
            if let Some(progress) = self.members.get_mut(&to) {
                // No more than it has: it does not know yet whether the rest of its log is the leader's.
                let commit = progress.matched.min(self.log.committed);
                progress.sent_commit(commit);
                // Whoever answers with this context knows that the leader is removed.
                let tells_removal = self.config.careful_membership && self.removed_at != 0 && commit >= self.removed_at;
                let context = if tells_removal { removal_context(self.removed_at) } else { Bytes::new() };
                self.send(Message { to, commit, context, ..Message::new(MessageKind::Heartbeat) });
            }
        }
    }

    /// Sends what follows, even if that is only the commit index.
    pub(crate) fn send_append(&mut self, to: u64) {
        self.send_next(to, true);
    }

    /// Sends what follows, if there are entries; whether there were.
    pub(crate) fn send_append_unless_empty(&mut self, to: u64) -> bool {
        self.send_next(to, false)
    }

    fn send_next(&mut self, to: u64, even_if_empty: bool) -> bool {
        let Some(progress) = self.members.get_mut(&to) else { return false };
        if progress.paused() {
            return false;
        }
        let previous = progress.next - 1;
        let Some(log_term) = self.log.term(previous) else { return self.send_snapshot(to) };
        // One without entries gets through even where too many are on their way: its answer shows if those were lost.
        let entries = if progress.full() {
            Some(Vec::new())
        } else {
            self.log.slice(progress.next, self.log.last_index(), self.config.max_message_bytes)
        };
        let Some(entries) = entries else { return self.send_snapshot(to) };
        if entries.is_empty() && !even_if_empty {
            return false;
        }
        let commit = self.log.committed;
        progress.sent_entries(entries.len());
        progress.sent_commit(commit);
        self.send(Message { to, index: previous, log_term, entries, commit, ..Message::new(MessageKind::App) });
        true
    }

    fn send_snapshot(&mut self, to: u64) -> bool {
        let Some(progress) = self.members.get_mut(&to).filter(|progress| progress.recently_active) else {
            return false;
        };
        let Some(snapshot) = self.log.snapshot() else { return false };
        let snapshot = Arc::clone(snapshot);
        if self.config.careful_membership && !snapshot.members.voters.contains(&to) {
            // It was added since, and gets the next one.
            return false;
        }
        progress.become_snapshot(snapshot.index);
        self.send(Message { to, snapshot: Some(snapshot), ..Message::new(MessageKind::Snap) });
        true
    }

    /// A member has `index` durable; `matched` news go on to everybody.
    pub(crate) fn acknowledged(&mut self, from: u64, index: u64) {
        let (first, last) = (self.log.first_index(), self.log.last_index());
        let Some(progress) = self.members.get_mut(&from) else { return };
        if index > last {
            // Nobody can have what was never sent.
            return;
        }
        let recovers = progress.matched == index && progress.replication == Replication::Probe;
        if !progress.acknowledge(index) && !recovers {
            return;
        }
        match progress.replication {
            Replication::Probe => progress.become_replicate(),
            Replication::Snapshot if progress.matched + 1 >= first => {
                progress.become_probe();
                progress.become_replicate();
            }
            Replication::Replicate => progress.free_inflights(index),
            Replication::Snapshot => {}
        }
        let behind = progress.can_bump_commit(self.log.committed);
        let caught_up = progress.matched == last;
        if self.maybe_commit() {
            self.broadcast_append();
        } else if from != self.config.id && behind {
            self.send_append(from);
        }
        if from != self.config.id {
            // As many messages as are allowed on their way; each makes the next entry to send a later one.
            while self.send_append_unless_empty(from) {}
        }
        if from == self.transferee && caught_up {
            self.send(Message { to: from, ..Message::new(MessageKind::TimeoutNow) });
        }
    }

    /// A member does not have the entry `refused`; the last that may agree is at `hint`, of term `hint_term`.
    pub(crate) fn refused(&mut self, from: u64, refused: u64, hint: u64, hint_term: u64) {
        // None of the leader's entries above that term can agree.
        let hint = if hint_term > 0 { self.log.last_not_above(hint, hint_term).index } else { hint };
        let Some(progress) = self.members.get_mut(&from) else { return };
        if progress.step_back(refused, hint) {
            if progress.replication == Replication::Replicate {
                progress.become_probe();
            }
            self.send_append(from);
        }
    }
}

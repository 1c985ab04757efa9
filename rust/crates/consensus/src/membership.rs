// SPDX-License-Identifier: Apache-2.0
//! Who is a member: one is added or removed at a time (thesis, 4.1), when the entry that says so is applied.

use crate::message::{ConfChange, ConfChangeKind, ConfState, Snapshot};
use crate::progress::Progress;
use crate::quorum::{Vote, vote_result};
use crate::raft::{NONE, Raft, Role};

impl Raft {
    pub(crate) fn member_ids(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    /// Begins with these members, of whose logs nothing is known.
    pub(crate) fn set_members(&mut self, members: &ConfState) {
        for member in &members.voters {
            self.add_member(*member);
        }
    }

    fn add_member(&mut self, member: u64) {
        // From the last entry on: who is new mostly gets a snapshot, and who is not has nearly all. It counts as heard from,
        // so that a leader does not step down before it could be.
        let next = self.log.last_index().max(1);
        let max_inflight = self.config.max_inflight_messages;
        self.members.entry(member).or_insert_with(|| {
            let mut progress = Progress::new(0, next, max_inflight);
            progress.recently_active = true;
            progress
        });
    }

    /// Applies the change in the entry at `index`; none that a snapshot holds which came since the entry was handed out.
    pub(crate) fn apply_conf_change(&mut self, index: u64, change: ConfChange) -> ConfState {
        if let Some((_, members)) = self.membership.last().filter(|(newest, _)| *newest >= index) {
            return members.clone();
        }
        match change.kind {
            ConfChangeKind::AddNode if change.member != NONE => self.add_member(change.member),
            // The last one stays: a cluster of none could never be changed again.
            ConfChangeKind::RemoveNode if self.members.len() > 1 => drop(self.members.remove(&change.member)),
            _ => {}
        }
        if change.member == self.config.id {
            self.removed_at = if self.members.contains_key(&change.member) { 0 } else { index };
        }
        let members = ConfState { voters: self.member_ids() };
        self.membership.push((index, members.clone()));
        if self.role == Role::Leader {
            self.lead_new_members();
        }
        members
    }

    fn lead_new_members(&mut self) {
        if !self.members.contains_key(&self.config.id) {
            if self.config.step_down_on_removal {
                self.become_follower(self.term, NONE);
            }
            return;
        }
        if self.maybe_commit() {
            self.broadcast_append();
        } else {
            for member in self.other_members() {
                self.send_append_unless_empty(member);
            }
        }
        if !self.members.contains_key(&self.transferee) {
            self.transferee = NONE;
        }
    }

    /// Whether this member was removed, and is not needed for others to learn of it: a leader's removal is committed by the
    /// others without their knowing it, and those who do not know go on counting the leader that was.
    pub(crate) fn removal_is_known(&self) -> bool {
        self.removed_at != 0
            && if self.role == Role::Leader {
                vote_result(self.members.values().map(|progress| progress.knows_removal.then_some(true))) == Vote::Won
            } else {
                self.told_commit >= self.removed_at
            }
    }

    /// Whether this member leads others who are none in its snapshot, and so cannot take it.
    pub(crate) fn wants_snapshot(&self) -> bool {
        let lacks = |snapshot: &Snapshot| self.members.keys().any(|id| !snapshot.members.voters.contains(id));
        self.role == Role::Leader && self.log.snapshot().is_some_and(|snapshot| lacks(snapshot))
    }

    /// The members as of an entry that the log has.
    pub(crate) fn members_at(&self, index: u64) -> ConfState {
        let known = self.membership.iter().rev().find(|(changed, _)| *changed <= index);
        known.or(self.membership.first()).map(|(_, members)| members.clone()).unwrap_or_default()
    }

    /// Forgets who the members were before an entry.
    pub(crate) fn forget_members_before(&mut self, index: u64) {
        let keep = self.membership.iter().rposition(|(changed, _)| *changed <= index).unwrap_or(0);
        self.membership.drain(..keep);
    }
}

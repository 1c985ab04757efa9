// SPDX-License-Identifier: Apache-2.0
//! A member as its host sees it.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::Config;
use crate::error::{ConfigInvalid, StepError};
use crate::log::{EntryId, Log};
use crate::message::{
    ConfChange, ConfChangeKind, ConfState, Entry, EntryKind, HardState, Message, MessageKind, Snapshot,
};
use crate::progress::Progress;
use crate::raft::{Raft, Role};
use crate::ready::{Ready, SoftState};

/// What a member has durable when it starts.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Term, vote and commit index.
    pub hard: HardState,
    /// The newest snapshot.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The log; it may begin some entries before the snapshot's, and leaves none out.
    pub entries: Vec<Entry>,
}

impl Recovered {
    /// How the log of a new cluster begins on each of its members: with entries that add them all, committed, in term 1.
    #[must_use]
    pub fn bootstrap(members: &[u64]) -> Self {
        let add = |(index, member): (u64, &u64)| Entry {
            kind: EntryKind::ConfChange,
            term: 1,
            index,
            data: ConfChange { kind: ConfChangeKind::AddNode, member: *member }.encode(),
        };
        Self {
            hard: HardState { term: 1, vote: 0, commit: members.len() as u64 },
            snapshot: None,
            entries: (1..).zip(members).map(add).collect(),
        }
    }

    /// How a log begins with a state that was there before it.
    #[must_use]
    pub fn from_snapshot(snapshot: Arc<Snapshot>) -> Self {
        let hard = HardState { term: snapshot.term, vote: 0, commit: snapshot.index };
        Self { hard, snapshot: Some(snapshot), entries: Vec::new() }
    }
}

/// What becomes true when a [`Ready`] is done.
#[derive(Debug)]
struct HandedOut {
    /// The term in which it was handed out: in a later one other entries may have the same index and term as what was saved,
    /// while what is on disk was replaced in between.
    term: u64,
    /// Acknowledgements and votes of this member to itself.
    to_itself: Vec<Message>,
    last_saved: Option<EntryId>,
    snapshot: Option<u64>,
    last_applied: Option<u64>,
}

/// One member of a cluster.
#[derive(Debug)]
pub struct Node {
    raft: Raft,
    soft: SoftState,
    hard: HardState,
    handed_out: Option<HandedOut>,
}

impl Node {
    /// A follower that goes on from what is durable. Committed entries behind the snapshot are handed out again.
    pub fn new(config: Config, recovered: Recovered) -> Result<Self, ConfigInvalid> {
        config.check()?;
        let Recovered { hard, snapshot, entries } = recovered;
        let members = snapshot.as_ref().map(|snapshot| snapshot.members.clone()).unwrap_or_default();
        let log = Log::new(snapshot, entries, config.max_committed_bytes);
        if hard.commit > log.last_index() {
            return Err(ConfigInvalid("the log ends before its own commit index"));
        }
        let raft = Raft::new(config, log, &members, hard);
        let soft = SoftState { leader: raft.leader, role: raft.role };
        Ok(Self { hard: raft.hard_state(), soft, raft, handed_out: None })
    }

    /// Lets a tick pass.
    pub fn tick(&mut self) {
        self.raft.tick();
    }

    /// Campaigns, unless it leads or may not.
    pub fn campaign(&mut self) {
        self.raft.campaign();
    }

    /// Takes a message of another member.
    pub fn step(&mut self, message: Message) -> Result<(), StepError> {
        self.raft.admit(&message)?;
        self.raft.receive(message)
    }

    /// Appends data to the log, if this member leads. Whether it is ever committed is not said: it comes out of a
    /// [`Ready`] or does not.
    pub fn propose(&mut self, data: Bytes) -> Result<(), StepError> {
        self.raft.propose(data)
    }

    /// Appends a change of members to the log, if this member leads; an empty entry while another is pending.
    pub fn propose_conf_change(&mut self, change: ConfChange) -> Result<(), StepError> {
        self.raft.propose_conf_change(change)
    }

    /// Applies a change of members that is committed at `index`; the members after it.
    ///
    /// It is called for each such entry, in order, before [`advance`](Self::advance).
    pub fn apply_conf_change(&mut self, index: u64, change: ConfChange) -> ConfState {
        self.raft.apply_conf_change(index, change)
    }

    /// Asks for leadership to be handed over to a member, the leader if that is another; nothing happens if it cannot be.
    pub fn transfer_leadership(&mut self, member: u64) {
        match self.soft_state() {
            SoftState { role: Role::Leader, .. } => self.raft.transfer_to(member),
            SoftState { role: Role::Follower, leader } if leader != 0 => {
                self.raft.send(Message { to: leader, from: member, ..Message::new(MessageKind::TransferLeader) });
            }
            _ => {}
        }
    }

    /// A message to this member was lost.
    pub fn report_unreachable(&mut self, member: u64) {
        self.raft.unreachable(member);
    }

    /// A snapshot to this member arrived, or was lost.
    pub fn report_snapshot(&mut self, member: u64, arrived: bool) {
        self.raft.snapshot_sent(member, arrived);
    }

    /// Whether [`ready`](Self::ready) would give something.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        let raft = &self.raft;
        self.soft_state() != self.soft
            || raft.hard_state() != self.hard
            || raft.log.snapshot_to_save().is_some()
            || !raft.outbox.is_empty()
            || !raft.replies.is_empty()
            || raft.log.has_to_save()
            || raft.log.has_to_apply()
    }

    /// What has to be done now; `None` while what was handed out before is not done.
    pub fn ready(&mut self) -> Option<Ready> {
        if self.handed_out.is_some() {
            return None;
        }
        let (soft, hard) = (self.soft_state(), self.raft.hard_state());
        let raft = &mut self.raft;
        let own = raft.config.id;
        let (to_itself, replies): (Vec<_>, Vec<_>) =
            std::mem::take(&mut raft.replies).into_iter().partition(|reply| reply.to == own);
        let mut ready = Ready {
            messages: std::mem::take(&mut raft.outbox),
            soft: (soft != self.soft).then_some(soft),
            hard: (hard != self.hard).then_some(hard),
            snapshot: raft.log.snapshot_to_save().cloned(),
            entries: raft.log.to_save(),
            must_sync: raft.log.has_to_save() || (hard.term, hard.vote) != (self.hard.term, self.hard.vote),
            commit_durable: raft.log.has_conf_change_behind(self.hard.commit),
            replies,
            committed: raft.log.to_apply(),
        };
        if ready.commit_durable {
            // Nobody hears that the change is committed before that is durable here: who it removes may halt at once.
            ready.replies.splice(..0, std::mem::take(&mut ready.messages));
        }
        let last_applied = ready.committed.last().map(|entry| entry.index);
        self.handed_out = Some(HandedOut {
            term: raft.term,
            to_itself,
            last_saved: raft.log.has_unstable().then(|| raft.log.last_id()),
            snapshot: ready.snapshot.as_ref().map(|snapshot| snapshot.index),
            last_applied,
        });
        raft.log.accept_unstable();
        if let Some(index) = last_applied {
            raft.log.accept_applying(index);
        }
        (self.soft, self.hard) = (soft, hard);
        Some(ready)
    }

    /// What was handed out is durable, and was applied.
    pub fn advance(&mut self) -> Result<(), StepError> {
        let Some(done) = self.handed_out.take() else { return Ok(()) };
        for message in done.to_itself {
            self.raft.receive(message)?;
        }
        if let Some(last) = done.last_saved.filter(|_| done.term == self.raft.term) {
            self.raft.log.stable_to(last);
        }
        if let Some(index) = done.snapshot {
            self.raft.log.stable_snapshot(index);
            self.raft.log.applied_to(index);
        }
        if let Some(index) = done.last_applied {
            self.raft.log.applied_to(index);
        }
        Ok(())
    }

    /// A snapshot of the application at `index`, which is applied, to be made durable and then
    /// [`kept`](Self::keep_snapshot); `None` where the log does not know that entry.
    #[must_use]
    pub fn snapshot_at(&self, index: u64, data: Bytes) -> Option<Snapshot> {
        let term = self.raft.log.term(index).filter(|_| index <= self.raft.log.applied)?;
        Some(Snapshot { index, term, members: self.raft.members_at(index), data })
    }

    /// Whether this member leads somebody who needs a newer snapshot to begin with: as of now, with the members of now.
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        self.raft.wants_snapshot()
    }

    /// Sends this snapshot, which is durable, from now on to who lacks what is compacted.
    pub fn keep_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.raft.log.set_snapshot(snapshot);
    }

    /// Forgets entries up to `index`; none that is not in the snapshot.
    pub fn compact(&mut self, index: u64) {
        let kept = self.raft.log.snapshot().map_or(0, |snapshot| snapshot.index);
        self.raft.log.compact(index.min(kept));
        self.raft.forget_members_before(index.min(kept));
    }

    /// This member's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.raft.config.id
    }

    /// Leader and role.
    #[must_use]
    pub fn soft_state(&self) -> SoftState {
        SoftState { leader: self.raft.leader, role: self.raft.role }
    }

    /// Term, vote and commit index, which need not be durable yet.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.raft.hard_state()
    }

    /// Up to where the log is applied.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.raft.log.applied
    }

    /// The first entry that the log has, or would have.
    #[must_use]
    pub fn first_index(&self) -> u64 {
        self.raft.log.first_index()
    }

    /// The last entry.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.raft.log.last_index()
    }

    /// The last entry that is durable.
    #[must_use]
    pub fn stable_index(&self) -> u64 {
        self.raft.log.stable_index()
    }

    /// Entries from `from` up to `to`; `None` where they are compacted.
    #[must_use]
    pub fn entries(&self, from: u64, to: u64) -> Option<Vec<Entry>> {
        self.raft.log.slice(from, to.min(self.last_index()), u64::MAX)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.raft.log.snapshot()
    }

    /// The members, in ascending order.
    #[must_use]
    pub fn members(&self) -> Vec<u64> {
        self.raft.member_ids()
    }

    /// Whether this member was removed and may stand still: others know it, and need it no more.
    #[must_use]
    pub fn removal_is_known(&self) -> bool {
        self.raft.removal_is_known()
    }

    /// What a leader knows of each member; it means nothing elsewhere.
    pub fn progress(&self) -> impl Iterator<Item = (u64, &Progress)> {
        self.raft.members.iter().map(|(id, progress)| (*id, progress))
    }

    /// To whom leadership is being handed over; 0 for nobody.
    #[must_use]
    pub fn transferee(&self) -> u64 {
        self.raft.transferee
    }

    /// Whether this member leads, and a change of members may be in the log that is not applied.
    #[must_use]
    pub fn conf_change_pending(&self) -> bool {
        self.raft.conf_change_pending()
    }

    /// Sets the ticks without a leader after which it campaigns, until its role changes: so that a run can be told.
    pub fn set_randomized_election_timeout(&mut self, ticks: u32) {
        self.raft.randomized_election_timeout = ticks;
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Campaigns and votes.

use bytes::Bytes;

use crate::error::StepError;
use crate::log::EntryId;
use crate::message::{Entry, Message, MessageKind};
use crate::quorum::{Vote, vote_result};
use crate::raft::{NONE, Raft, Role, TRANSFER};

/// Why a member campaigns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Campaign {
    /// It asks first whether it could win.
    PreElection,
    /// It wants to lead.
    Election,
    /// The leader wants it to lead.
    Transfer,
}

impl Raft {
    /// Whether it may lead: it is a member, or one that was removed and may be needed (thesis, 4.2.2); and its log is not being
    /// replaced.
    pub(crate) fn promotable(&self) -> bool {
        let takes_part = self.members.contains_key(&self.config.id)
            || (self.config.careful_membership && self.removed_at != 0 && !self.removal_is_known());
        takes_part && !self.log.has_pending_snapshot()
    }

    /// Campaigns because there is no leader.
    pub(crate) fn campaign(&mut self) {
        self.start(if self.config.pre_vote { Campaign::PreElection } else { Campaign::Election });
    }

    /// Campaigns because the leader says so. It knows that it can win, so it does not ask first.
    pub(crate) fn campaign_for_transfer(&mut self) {
        self.start(Campaign::Transfer);
    }

    fn start(&mut self, campaign: Campaign) {
        if self.role != Role::Leader && self.promotable() && !self.log.has_unapplied_conf_change() {
            self.ask_for_votes(campaign);
        }
    }

    fn ask_for_votes(&mut self, campaign: Campaign) {
        let (question, answer, term) = if campaign == Campaign::PreElection {
            self.become_pre_candidate();
            (MessageKind::PreVote, MessageKind::PreVoteResp, self.term + 1)
        } else {
            self.become_candidate();
            (MessageKind::Vote, MessageKind::VoteResp, self.term)
        };
        let context = if campaign == Campaign::Transfer { Bytes::from_static(TRANSFER) } else { Bytes::new() };
        let last = self.log.last_id();
        for to in self.member_ids() {
            if to == self.config.id {
                // Its own vote counts when it is durable.
                self.send(Message { to, term, ..Message::new(answer) });
            } else {
                let message = Message { index: last.index, log_term: last.term, ..Message::new(question) };
                self.send(Message { to, term, context: context.clone(), ..message });
            }
        }
    }

    fn become_pre_candidate(&mut self) {
        self.votes.clear();
        self.leader = NONE;
        self.role = Role::PreCandidate;
    }

    fn become_candidate(&mut self) {
        self.reset(self.term + 1);
        self.vote = self.config.id;
        self.role = Role::Candidate;
    }

    fn become_leader(&mut self) {
        self.reset(self.term);
        self.leader = self.config.id;
        self.role = Role::Leader;
        if let Some(own) = self.members.get_mut(&self.config.id) {
            own.become_replicate();
            own.recently_active = true;
        }
        // There may be a change of members among the entries that it has and that are not applied: none is made before they are.
        self.pending_conf_index = self.log.last_index();
        self.append_own(Entry::default());
    }

    /// Answers who asks for a vote.
    pub(crate) fn answer_candidate(&mut self, asked: &Message) {
        let pre_vote = asked.kind == MessageKind::PreVote;
        let answer = Message::new(if pre_vote { MessageKind::PreVoteResp } else { MessageKind::VoteResp });
        let free = self.vote == asked.from
            || (self.vote == NONE && self.leader == NONE)
            || (pre_vote && asked.term > self.term);
        if free && self.log.is_up_to_date(EntryId { term: asked.log_term, index: asked.index }) {
            // With the term that was asked for: who asks about the future ignores answers from the past.
            self.send(Message { to: asked.from, term: asked.term, ..answer });
            if !pre_vote {
                self.reset_election_timer();
                self.vote = asked.from;
            }
        } else {
            self.send(Message { to: asked.from, term: self.term, reject: true, ..answer });
        }
    }

    pub(crate) fn receive_as_candidate(&mut self, message: Message) -> Result<(), StepError> {
        use MessageKind::{App, Heartbeat, PreVoteResp, Snap, VoteResp};
        match (message.kind, self.role) {
            (App | Heartbeat | Snap, _) => {
                self.become_follower(message.term, message.from);
                self.receive_as_follower(message)
            }
            // Answers to the question that is asked now; an earlier one's may still come.
            (PreVoteResp, Role::PreCandidate) | (VoteResp, Role::Candidate) => {
                self.count_vote(message.from, !message.reject);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count_vote(&mut self, from: u64, granted: bool) {
        self.votes.entry(from).or_insert(granted);
        match vote_result(self.members.keys().map(|id| self.votes.get(id).copied())) {
            Vote::Won if self.role == Role::PreCandidate => self.ask_for_votes(Campaign::Election),
            Vote::Won => {
                self.become_leader();
                self.broadcast_append();
            }
            Vote::Lost => self.become_follower(self.term, NONE),
            Vote::Pending => {}
        }
    }
}

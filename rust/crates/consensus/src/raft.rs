// SPDX-License-Identifier: Apache-2.0
//! A member's state, how messages reach it by their term, and how time passes.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::error::StepError;
use crate::log::Log;
use crate::message::{ConfState, HardState, Message, MessageKind};
use crate::progress::Progress;
use crate::random::Random;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks whether it could win.
    PreCandidate,
    /// It campaigns.
    Candidate,
    /// It leads.
    Leader,
}

/// Nobody.
pub(crate) const NONE: u64 = 0;

/// The context of a vote that the leader itself asked for, which no lease holds up.
pub(crate) const TRANSFER: &[u8] = b"CampaignTransfer";

#[derive(Debug)]
pub(crate) struct Raft {
    pub(crate) config: Config,
    pub(crate) term: u64,
    pub(crate) vote: u64,
    pub(crate) leader: u64,
    pub(crate) role: Role,
    pub(crate) log: Log,
    /// All members, who all vote.
    pub(crate) members: BTreeMap<u64, Progress>,
    /// Answers to this member's campaign.
    pub(crate) votes: BTreeMap<u64, bool>,
    /// The members as of each change that the log still has, so that a snapshot says who they were at its entry.
    pub(crate) membership: Vec<(u64, ConfState)>,
    /// To whom leadership is being handed over.
    pub(crate) transferee: u64,
    /// The entry that removed this member; 0 for none.
    pub(crate) removed_at: u64,
    /// The highest commit index that a leader told this member.
    pub(crate) told_commit: u64,
    /// No change of members is behind this entry.
    pub(crate) pending_conf_index: u64,
    election_elapsed: u32,
    heartbeat_elapsed: u32,
    pub(crate) randomized_election_timeout: u32,
    random: Random,
    /// Messages that may leave at once.
    pub(crate) outbox: Vec<Message>,
    /// Votes and acknowledgements, some to itself: they hold only once what they promise is durable.
    pub(crate) replies: Vec<Message>,
}

impl Raft {
    /// A follower whose log, with its hard state, is durable.
    pub(crate) fn new(config: Config, log: Log, members: &ConfState, hard: HardState) -> Self {
        let mut raft = Self {
            random: Random::new(config.seed),
            config,
            term: hard.term,
            vote: hard.vote,
            leader: NONE,
            role: Role::Follower,
            membership: vec![(log.applied, members.clone())],
            log,
            members: BTreeMap::new(),
            votes: BTreeMap::new(),
            transferee: NONE,
            removed_at: 0,
            told_commit: 0,
            pending_conf_index: 0,
            election_elapsed: 0,
            heartbeat_elapsed: 0,
            randomized_election_timeout: 0,
            outbox: Vec::new(),
            replies: Vec::new(),
        };
        raft.log.commit_to(hard.commit);
        raft.set_members(members);
        raft.become_follower(raft.term, NONE);
        raft
    }

    pub(crate) fn hard_state(&self) -> HardState {
        HardState { term: self.term, vote: self.vote, commit: self.log.committed }
    }

    /// Sends a message of this term. Votes and their answers have the term of the campaign instead.
    pub(crate) fn send(&mut self, message: Message) {
        use MessageKind::{AppResp, PreVote, PreVoteResp, Vote, VoteResp};
        let term = match message.kind {
            Vote | VoteResp | PreVote | PreVoteResp => message.term,
            _ => self.term,
        };
        let from = if message.from == NONE { self.config.id } else { message.from };
        let message = Message { from, term, ..message };
        match message.kind {
            AppResp | VoteResp | PreVoteResp => self.replies.push(message),
            _ => self.outbox.push(message),
        }
    }

    /// Forgets all that belongs to a term, or to a role.
    pub(crate) fn reset(&mut self, term: u64) {
        if self.term != term {
            self.term = term;
            self.vote = NONE;
        }
        self.leader = NONE;
        self.reset_election_timer();
        self.heartbeat_elapsed = 0;
        let timeout = self.config.election_tick;
        let beyond = u32::try_from(self.random.below(timeout.into())).unwrap_or_default();
        self.randomized_election_timeout = timeout + beyond;
        self.transferee = NONE;
        self.votes.clear();
        let (own, last) = (self.config.id, self.log.last_index());
        for (id, progress) in &mut self.members {
            let matched = if *id == own { last } else { 0 };
            *progress = Progress::new(matched, last + 1, self.config.max_inflight_messages);
        }
        self.pending_conf_index = 0;
    }

    pub(crate) fn reset_election_timer(&mut self) {
        self.election_elapsed = 0;
    }

    pub(crate) fn become_follower(&mut self, term: u64, leader: u64) {
        self.reset(term);
        self.leader = leader;
        self.role = Role::Follower;
    }

    pub(crate) fn tick(&mut self) {
        self.election_elapsed += 1;
        if self.role == Role::Leader {
            self.tick_leader();
        } else if self.promotable() && self.election_elapsed >= self.randomized_election_timeout {
            self.reset_election_timer();
            self.campaign();
        }
    }

    fn tick_leader(&mut self) {
        self.heartbeat_elapsed += 1;
        if self.election_elapsed >= self.config.election_tick {
            self.reset_election_timer();
            if self.config.check_quorum {
                self.check_quorum();
            }
            // Who has not taken over by now does not.
            self.transferee = NONE;
        }
        if self.role == Role::Leader && self.heartbeat_elapsed >= self.config.heartbeat_tick {
            self.heartbeat_elapsed = 0;
            self.broadcast_heartbeat();
        }
    }

    /// Whether it heard from a leader so recently that no other may be elected (thesis, 4.2.3).
    fn in_lease(&self) -> bool {
        self.config.check_quorum && self.leader != NONE && self.election_elapsed < self.config.election_tick
    }

    /// Takes a message of another member, or one to itself that has become durable.
    pub(crate) fn receive(&mut self, message: Message) -> Result<(), StepError> {
        if message.term > self.term {
            if !self.adopt_term(&message) {
                return Ok(());
            }
        } else if message.term < self.term {
            self.answer_late(&message);
            return Ok(());
        }
        if matches!(message.kind, MessageKind::Vote | MessageKind::PreVote) {
            self.answer_candidate(&message);
            return Ok(());
        }
        match self.role {
            Role::Leader => {
                self.receive_as_leader(&message);
                Ok(())
            }
            Role::Follower => self.receive_as_follower(message),
            Role::PreCandidate | Role::Candidate => self.receive_as_candidate(message),
        }
    }

    /// Follows a higher term; false where the message is ignored, because there is a leader.
    fn adopt_term(&mut self, message: &Message) -> bool {
        use MessageKind::{App, Heartbeat, PreVote, PreVoteResp, Snap, Vote};
        let asks = matches!(message.kind, Vote | PreVote);
        if asks && self.in_lease() && message.context != TRANSFER {
            return false;
        }
        match message.kind {
            // A question about the future does not change the present, nor does a promise for it.
            PreVote => {}
            PreVoteResp if !message.reject => {}
            App | Heartbeat | Snap => self.become_follower(message.term, message.from),
            _ => self.become_follower(message.term, NONE),
        }
        true
    }

    /// Tells who is behind in term of the present one, as far as somebody could stay there otherwise.
    fn answer_late(&mut self, message: &Message) {
        use MessageKind::{App, AppResp, Heartbeat, PreVote, PreVoteResp};
        match message.kind {
            Heartbeat | App if self.config.check_quorum || self.config.pre_vote => {
                self.send(Message { to: message.from, ..Message::new(AppResp) });
            }
            PreVote => {
                let answer = Message::new(PreVoteResp);
                self.send(Message { to: message.from, term: self.term, reject: true, ..answer });
            }
            _ => {}
        }
    }
}

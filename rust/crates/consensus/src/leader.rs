// SPDX-License-Identifier: Apache-2.0
//! What a leader does with answers, proposals and reports.

use bytes::Bytes;

use crate::error::StepError;
use crate::message::{ConfChange, Entry, EntryKind, Message, MessageKind};
use crate::progress::Replication;
use crate::quorum::{Vote, vote_result};
use crate::raft::{NONE, Raft, Role};
use crate::replication::removal_context;

impl Raft {
    pub(crate) fn receive_as_leader(&mut self, message: &Message) {
        let Some(progress) = self.members.get_mut(&message.from) else { return };
        match message.kind {
            MessageKind::AppResp => {
                progress.recently_active = true;
                if message.reject {
                    self.refused(message.from, message.index, message.reject_hint, message.log_term);
                } else {
                    self.acknowledged(message.from, message.index);
                }
            }
            MessageKind::HeartbeatResp => {
                progress.recently_active = true;
                progress.knows_removal |= self.removed_at != 0 && message.context == removal_context(self.removed_at);
                progress.resume();
                // A probe that was lost is sent again, and one that has all goes back to replicating by its answer.
                if progress.matched < self.log.last_index() || progress.replication == Replication::Probe {
                    self.send_append(message.from);
                }
            }
            MessageKind::TransferLeader => self.transfer_to(message.from),
            _ => {}
        }
    }

    /// Steps down if it has not heard from a majority since it looked last.
    pub(crate) fn check_quorum(&mut self) {
        let own = self.config.id;
        let active = self.members.iter().map(|(id, progress)| Some(*id == own || progress.recently_active));
        if vote_result(active) != Vote::Won {
            self.become_follower(self.term, NONE);
        }
        for (id, progress) in &mut self.members {
            if *id != own {
                progress.recently_active = false;
            }
        }
    }

    pub(crate) fn propose(&mut self, data: Bytes) -> Result<(), StepError> {
        self.accepts_proposals()?;
        self.append_own(Entry { data, ..Entry::default() });
        self.broadcast_append();
        Ok(())
    }

    /// Proposes a change of members. While another may not be applied it becomes an empty entry, as etcd's does.
    pub(crate) fn propose_conf_change(&mut self, change: ConfChange) -> Result<(), StepError> {
        self.accepts_proposals()?;
        if self.conf_change_pending() {
            self.append_own(Entry::default());
        } else {
            self.pending_conf_index = self.log.last_index() + 1;
            self.append_own(Entry { kind: EntryKind::ConfChange, data: change.encode(), ..Entry::default() });
        }
        self.broadcast_append();
        Ok(())
    }

    pub(crate) fn conf_change_pending(&self) -> bool {
        self.role == Role::Leader && self.pending_conf_index > self.log.applied
    }

    fn accepts_proposals(&self) -> Result<(), StepError> {
        if self.role != Role::Leader {
            Err(StepError::Dropped("this member does not lead"))
        } else if !self.members.contains_key(&self.config.id) {
            Err(StepError::Dropped("this member was removed from the cluster"))
        } else if self.transferee != NONE {
            Err(StepError::Dropped("leadership is being handed over"))
        } else {
            Ok(())
        }
    }

    /// Hands leadership over to a member (thesis, 3.10), within an election timeout or not at all.
    pub(crate) fn transfer_to(&mut self, member: u64) {
        let Some(progress) = self.members.get(&member) else { return };
        if member == self.transferee {
            return;
        }
        let caught_up = progress.matched == self.log.last_index();
        self.transferee = NONE;
        if member == self.config.id {
            return;
        }
        self.reset_election_timer();
        self.transferee = member;
        if caught_up {
            self.send(Message { to: member, ..Message::new(MessageKind::TimeoutNow) });
        } else {
            self.send_append(member);
        }
    }

    /// A message to this member did not reach it, and others that were sent ahead will not have either.
    pub(crate) fn unreachable(&mut self, member: u64) {
        if let Some(progress) = self.progress_as_leader(member)
            && progress.replication == Replication::Replicate
        {
            progress.become_probe();
        }
    }

    /// A snapshot reached this member, or did not.
    pub(crate) fn snapshot_sent(&mut self, member: u64, arrived: bool) {
        if let Some(progress) = self.progress_as_leader(member)
            && progress.replication == Replication::Snapshot
        {
            if !arrived {
                progress.pending_snapshot = 0;
            }
            progress.become_probe();
            // Its own answer, or the next heartbeat's, lets entries follow.
            progress.pause();
        }
    }

    fn progress_as_leader(&mut self, member: u64) -> Option<&mut crate::progress::Progress> {
        if self.role == Role::Leader { self.members.get_mut(&member) } else { None }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a follower does with what its leader sends.

use std::sync::Arc;

use crate::error::StepError;
use crate::log::{Contradiction, EntryId};
use crate::message::{Message, MessageKind};
use crate::raft::{NONE, Raft};

impl Raft {
    pub(crate) fn receive_as_follower(&mut self, message: Message) -> Result<(), StepError> {
        use MessageKind::{App, Heartbeat, Snap, TimeoutNow, TransferLeader};
        match message.kind {
            App | Heartbeat | Snap => {
                self.reset_election_timer();
                self.leader = message.from;
                self.told_commit = self.told_commit.max(message.commit);
                match message.kind {
                    App => return self.take_entries(message),
                    Heartbeat => return self.take_heartbeat(&message),
                    _ => self.take_snapshot(message),
                }
            }
            TransferLeader if self.leader != NONE => self.send(Message { to: self.leader, ..message }),
            TimeoutNow => self.campaign_for_transfer(),
            _ => {}
        }
        Ok(())
    }

    fn take_entries(&mut self, message: Message) -> Result<(), StepError> {
        let answer = Message { to: message.from, ..Message::new(MessageKind::AppResp) };
        let previous = EntryId { term: message.log_term, index: message.index };
        if previous.index < self.log.committed {
            self.send(Message { index: self.log.committed, ..answer });
            return Ok(());
        }
        let appended = self.log.append_from_leader(previous, message.entries, message.commit);
        if let Some(index) = appended.map_err(|Contradiction(entry)| self.lost_entries(message.from, entry))? {
            self.send(Message { index, ..answer });
        } else {
            // The last entry that can agree: no term up to it is above that of the entry the leader asked about.
            let hint = self.log.last_not_above(previous.index.min(self.log.last_index()), previous.term);
            let (reject_hint, log_term) = (hint.index, hint.term);
            self.send(Message { index: previous.index, reject: true, reject_hint, log_term, ..answer });
        }
        Ok(())
    }

    fn take_heartbeat(&mut self, message: &Message) -> Result<(), StepError> {
        // A leader names no entry as committed that this member has not acknowledged.
        if message.commit > self.log.last_index() {
            return Err(self.lost_entries(message.from, message.commit));
        }
        self.log.commit_to(message.commit);
        let answer =
            Message { to: message.from, context: message.context.clone(), ..Message::new(MessageKind::HeartbeatResp) };
        self.send(answer);
        Ok(())
    }

    fn lost_entries(&self, from: u64, relied: u64) -> StepError {
        StepError::LostEntries { from, relied, last: self.log.last_index(), committed: self.log.committed }
    }

    fn take_snapshot(&mut self, message: Message) {
        let restored = self.restore(message.snapshot.unwrap_or_default());
        let index = if restored { self.log.last_index() } else { self.log.committed };
        self.send(Message { to: message.from, index, ..Message::new(MessageKind::AppResp) });
    }

    /// Puts a snapshot in place of the log; false for one that is of no use.
    fn restore(&mut self, snapshot: Arc<crate::message::Snapshot>) -> bool {
        if snapshot.index <= self.log.committed || !snapshot.members.voters.contains(&self.config.id) {
            return false;
        }
        if self.log.matches(EntryId { term: snapshot.term, index: snapshot.index }) {
            // The log has all of it: it only did not know that so much is committed.
            self.log.commit_to(snapshot.index);
            return false;
        }
        self.membership = vec![(snapshot.index, snapshot.members.clone())];
        self.members.clear();
        let members = snapshot.members.clone();
        self.log.restore(snapshot);
        self.set_members(&members);
        true
    }
}

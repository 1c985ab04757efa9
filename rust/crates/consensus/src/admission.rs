// SPDX-License-Identifier: Apache-2.0
//! Which messages of other members are taken at all.
//!
//! etcd trusts its members: it takes a message without a term for one of its own, and panics on entries that contradict what
//! is committed. Here such messages are refused before they change anything.

use crate::error::StepError;
use crate::message::{Message, MessageKind};
use crate::raft::{NONE, Raft};

/// How far ahead of its own a member's term may be: an election a second takes 136 years to get there.
const MAX_TERM_AHEAD: u64 = 1 << 32;

/// No term and no index of a cluster gets there, and all can be counted on from there.
const MAX_NUMBER: u64 = 1 << 62;

impl Raft {
    /// Refuses what no member that keeps the rules would send here.
    pub(crate) fn admit(&self, message: &Message) -> Result<(), StepError> {
        let Message { kind, to, from, .. } = *message;
        if is_local(kind) {
            return Err(StepError::Local { kind, from });
        }
        if to != self.config.id {
            return Err(StepError::Misdirected { to, id: self.config.id });
        }
        if is_answer(kind) && !self.members.contains_key(&from) {
            return Err(StepError::Stranger { kind, from });
        }
        match broken_rule(message, self.config.id).or_else(|| self.disbelief(message)) {
            Some(reason) => Err(StepError::Malformed { kind, from, reason }),
            None => Ok(()),
        }
    }

    /// What this member knows better.
    fn disbelief(&self, message: &Message) -> Option<&'static str> {
        use MessageKind::{App, Heartbeat, Snap};
        // A newcomer knows no term yet.
        let most = if self.term == 0 { MAX_NUMBER } else { self.term.saturating_add(MAX_TERM_AHEAD) };
        let leads = matches!(message.kind, App | Heartbeat | Snap);
        if message.term > most {
            Some("has a term that no election can have reached")
        } else if leads && message.term == self.term && self.leader != NONE && self.leader != message.from {
            Some("speaks as the leader of a term that another leads")
        } else {
            None
        }
    }
}

/// What a member says to itself alone. Proposals are among it: they are not forwarded.
fn is_local(kind: MessageKind) -> bool {
    use MessageKind::{
        Beat, CheckQuorum, ForgetLeader, Hup, Prop, SnapStatus, StorageAppend, StorageAppendResp, StorageApply,
        StorageApplyResp, Unreachable,
    };
    matches!(
        kind,
        Hup | Beat
            | Prop
            | Unreachable
            | SnapStatus
            | CheckQuorum
            | ForgetLeader
            | StorageAppend
            | StorageAppendResp
            | StorageApply
            | StorageApplyResp
    )
}

fn is_answer(kind: MessageKind) -> bool {
    use MessageKind::{AppResp, HeartbeatResp, PreVoteResp, ReadIndexResp, VoteResp};
    matches!(kind, AppResp | VoteResp | HeartbeatResp | ReadIndexResp | PreVoteResp)
}

fn broken_rule(message: &Message, own: u64) -> Option<&'static str> {
    use MessageKind::{ReadIndex, ReadIndexResp, Snap, TransferLeader};
    // Who is named in a transfer is the one to take over.
    if message.from == NONE || (message.from == own && message.kind != TransferLeader) {
        return Some("names no other member as its sender");
    }
    if message.term == 0 && !matches!(message.kind, ReadIndex | ReadIndexResp) {
        return Some("has no term");
    }
    let counted = [message.index, message.commit, message.reject_hint, message.log_term];
    let snapshot = message.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
    if counted.into_iter().chain([snapshot]).any(|number| number > MAX_NUMBER) {
        return Some("has a number that no cluster counts to");
    }
    if message.log_term > message.term {
        return Some("speaks of an entry of a later term than its own");
    }
    let (mut index, mut term) = (message.index, message.log_term);
    for entry in &message.entries {
        if index.checked_add(1) != Some(entry.index) {
            return Some("has entries that do not follow each other");
        }
        if entry.term < term || entry.term > message.term || entry.term == 0 {
            return Some("has entries whose terms do not follow each other");
        }
        (index, term) = (entry.index, entry.term);
    }
    match &message.snapshot {
        Some(snapshot) if message.kind == Snap && (snapshot.term > message.term || snapshot.term == 0) => {
            Some("has a snapshot of another term than can be")
        }
        _ => None,
    }
}

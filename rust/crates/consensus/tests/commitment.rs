// SPDX-License-Identifier: Apache-2.0
//! What a leader counts as committed, and what it is told to do before.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use bytes::Bytes;
use fastledger_consensus::{
    ConfChange, ConfState, Config, Entry, EntryKind, Message, MessageKind, Node, Recovered, Role, Snapshot, StepError,
};

/// Does all that a member wants done.
fn work(node: &mut Node) {
    while node.has_ready() {
        let ready = node.ready().unwrap();
        for entry in ready.committed.iter().filter(|entry| entry.kind == EntryKind::ConfChange) {
            node.apply_conf_change(entry.index, ConfChange::decode(&entry.data).unwrap());
        }
        node.advance().unwrap();
    }
}

fn answer(kind: MessageKind, term: u64, index: u64) -> Message {
    Message { from: 2, to: 1, term, index, ..Message::new(kind) }
}

fn config(id: u64) -> Config {
    Config {
        id,
        election_tick: 10,
        heartbeat_tick: 1,
        max_message_bytes: 1,
        max_committed_bytes: 1,
        max_inflight_messages: 1,
        check_quorum: false,
        pre_vote: false,
        step_down_on_removal: false,
        careful_membership: true,
        seed: 1,
    }
}

/// One of three members, with an entry of term 2 that is not committed at 4.
fn member(id: u64) -> Node {
    let mut recovered = Recovered::bootstrap(&[1, 2, 3]);
    recovered.entries.push(Entry { term: 2, index: 4, data: Bytes::from_static(b"old"), ..Entry::default() });
    recovered.hard.term = 2;
    let mut node = Node::new(config(id), recovered).unwrap();
    work(&mut node);
    node
}

/// The leader of term 3, whose own entry is at 5.
fn leader() -> Node {
    let mut node = member(1);
    node.campaign();
    work(&mut node);
    node.step(answer(MessageKind::VoteResp, 3, 0)).unwrap();
    work(&mut node);
    assert_eq!((node.soft_state().role, node.last_index()), (Role::Leader, 5));
    node
}

#[test]
fn an_entry_of_an_earlier_term_is_committed_by_one_of_its_own_alone() {
    let mut node = leader();
    // A majority has the old entry, and it may still be replaced (thesis, figure 3.7).
    node.step(answer(MessageKind::AppResp, 3, 4)).unwrap();
    assert_eq!(node.hard_state().commit, 3);
    node.step(answer(MessageKind::AppResp, 3, 5)).unwrap();
    assert_eq!(node.hard_state().commit, 5);
}

#[test]
fn a_leader_counts_itself_when_its_entry_is_durable() {
    let mut node = leader();
    node.step(answer(MessageKind::AppResp, 3, 5)).unwrap();
    work(&mut node);
    node.propose(Bytes::from_static(b"block")).unwrap();
    let ready = node.ready().unwrap();
    assert!(
        ready.messages.iter().any(|message| message.entries.len() == 1),
        "followers have it before the leader's disk"
    );
    node.step(answer(MessageKind::AppResp, 3, 6)).unwrap();
    assert_eq!(node.hard_state().commit, 5, "one of three has it durable");
    node.advance().unwrap();
    assert_eq!(node.hard_state().commit, 6);
}

#[test]
fn nobody_hears_of_a_change_of_members_before_it_is_durable() {
    let mut node = leader();
    node.step(answer(MessageKind::AppResp, 3, 5)).unwrap();
    work(&mut node);
    node.propose_conf_change(ConfChange { kind: 1.into(), member: 3 }).unwrap();
    work(&mut node);
    node.step(answer(MessageKind::AppResp, 3, 6)).unwrap();
    let ready = node.ready().unwrap();
    assert!(ready.commit_durable && ready.messages.is_empty(), "what tells of it waits for the disk");
    assert!(ready.replies.iter().any(|message| message.commit == 6));
}

#[test]
fn a_leader_that_removed_itself_is_needed_until_a_majority_of_the_others_knows() {
    let mut node = leader();
    node.step(answer(MessageKind::AppResp, 3, 5)).unwrap();
    work(&mut node);
    node.propose_conf_change(ConfChange { kind: 1.into(), member: 1 }).unwrap();
    work(&mut node);
    node.step(answer(MessageKind::AppResp, 3, 6)).unwrap();
    work(&mut node);
    assert_eq!((node.members(), node.removal_is_known()), (vec![2, 3], false));
    node.tick();
    let heartbeats = node.ready().unwrap().messages;
    node.advance().unwrap();
    let context = |to| heartbeats.iter().find(|message| message.to == to).unwrap().context.clone();
    assert!(context(3).is_empty(), "it does not have the entry");
    let heard = |from, context| Message { from, to: 1, term: 3, context, ..Message::new(MessageKind::HeartbeatResp) };
    node.step(heard(2, context(2))).unwrap();
    node.step(heard(3, context(3))).unwrap();
    assert!(!node.removal_is_known(), "one of two knows");
    node.step(Message { from: 3, ..answer(MessageKind::AppResp, 3, 6) }).unwrap();
    node.step(heard(3, context(2))).unwrap();
    assert!(node.removal_is_known());
}

#[test]
fn a_follower_that_was_removed_is_not_needed_once_a_leader_told_it() {
    let removal = ConfChange { kind: 1.into(), member: 2 };
    let entry = Entry { kind: EntryKind::ConfChange, term: 3, index: 5, data: removal.encode() };
    let mut node = member(2);
    let told = Message { from: 1, to: 2, term: 3, index: 4, log_term: 2, ..Message::new(MessageKind::App) };
    node.step(Message { entries: vec![entry], ..told.clone() }).unwrap();
    work(&mut node);
    assert!(!node.removal_is_known());
    node.step(Message { index: 5, log_term: 3, commit: 5, ..told }).unwrap();
    work(&mut node);
    assert!(node.removal_is_known());
}

#[test]
fn a_member_that_was_removed_leads_the_others_while_it_may_be_needed() {
    let removal = ConfChange { kind: 1.into(), member: 1 };
    let mut recovered = Recovered::bootstrap(&[1, 2, 3]);
    let entry = Entry { kind: EntryKind::ConfChange, term: 1, index: 4, data: removal.encode() };
    recovered.entries.push(entry);
    recovered.hard.commit = 4;
    let mut node = Node::new(config(1), recovered).unwrap();
    work(&mut node);
    node.campaign();
    work(&mut node);
    node.step(answer(MessageKind::VoteResp, 2, 0)).unwrap();
    assert_eq!(node.soft_state().role, Role::Candidate, "its own vote does not count");
    node.step(Message { from: 3, ..answer(MessageKind::VoteResp, 2, 0) }).unwrap();
    assert_eq!(node.soft_state().role, Role::Leader);
}

#[test]
fn a_change_of_members_from_before_a_snapshot_does_not_undo_it() {
    let mut recovered = Recovered::bootstrap(&[1, 2, 3]);
    recovered.hard.term = 3;
    let mut node = Node::new(config(2), recovered).unwrap();
    let handed_out = node.ready().unwrap();
    let members = ConfState { voters: vec![1, 2] };
    let snapshot = Snapshot { index: 9, term: 3, members: members.clone(), ..Snapshot::default() };
    let message =
        Message { from: 1, to: 2, term: 3, snapshot: Some(snapshot.into()), ..Message::new(MessageKind::Snap) };
    node.step(message).unwrap();
    for entry in &handed_out.committed {
        assert_eq!(node.apply_conf_change(entry.index, ConfChange::decode(&entry.data).unwrap()), members);
    }
    assert_eq!(node.members(), [1, 2]);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_counts_for_nothing() {
    let mut node = leader();
    node.step(answer(MessageKind::AppResp, 3, 99)).unwrap();
    assert_eq!(node.hard_state().commit, 3);
    assert!(node.progress().all(|(id, progress)| id == 1 || progress.matched == 0));
}

#[test]
fn a_leader_that_contradicts_what_is_committed_is_not_followed() {
    let mut node = leader();
    let follows =
        |index, log_term| Message { from: 3, to: 1, term: 4, index, log_term, ..Message::new(MessageKind::App) };
    // Of what is not committed the leader may have another entry.
    node.step(follows(4, 3)).unwrap();
    assert_eq!(node.soft_state().role, Role::Follower);
    // Entry 3 is committed, and of term 1.
    let refused = node.step(follows(3, 2)).unwrap_err();
    assert_eq!(refused, StepError::LostEntries { from: 3, relied: 3, last: 5, committed: 3 });
    node.step(follows(3, 1)).unwrap();
}

// SPDX-License-Identifier: Apache-2.0
//! What a member does that another lies to: it goes on, and keeps what is committed.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::Arc;

use bytes::Bytes;
use fastledger_consensus::{
    ConfChange, ConfState, Config, Entry, EntryKind, Message, MessageKind, Node, Random, Recovered, Role, Snapshot,
    StepError,
};

const LIARS: u64 = 1_000;
const LIES: usize = 200;

/// The kinds that members send each other.
const KINDS: [MessageKind; 12] = [
    MessageKind::App,
    MessageKind::AppResp,
    MessageKind::Vote,
    MessageKind::VoteResp,
    MessageKind::PreVote,
    MessageKind::PreVoteResp,
    MessageKind::Heartbeat,
    MessageKind::HeartbeatResp,
    MessageKind::Snap,
    MessageKind::TimeoutNow,
    MessageKind::TransferLeader,
    MessageKind::ReadIndex,
];

fn member(id: u64, seed: u64) -> Node {
    let config = Config {
        id,
        election_tick: 5,
        heartbeat_tick: 1,
        max_message_bytes: 100,
        max_committed_bytes: 100,
        max_inflight_messages: 3,
        check_quorum: true,
        pre_vote: true,
        step_down_on_removal: true,
        careful_membership: true,
        seed,
    };
    Node::new(config, Recovered::bootstrap(&[1, 2, 3])).unwrap()
}

/// Does all that a member wants done; returns what it sends, and adds what it commits.
fn work(node: &mut Node, committed: &mut Vec<Entry>) -> Vec<Message> {
    let mut sent = Vec::new();
    while node.has_ready() {
        let ready = node.ready().unwrap();
        for entry in &ready.committed {
            assert!(committed.last().is_none_or(|last| last.index < entry.index));
            if entry.kind == EntryKind::ConfChange
                && let Ok(change) = ConfChange::decode(&entry.data)
            {
                node.apply_conf_change(entry.index, change);
            }
        }
        committed.extend(ready.committed);
        sent.extend(ready.messages);
        sent.extend(ready.replies);
        node.advance().unwrap();
    }
    sent
}

/// A number near those that mean something: nothing, what is, the ends of what can be written.
fn number(random: &mut Random, known: u64) -> u64 {
    let bases = [0, 1 << 32, 1 << 62, 1 << 63, u64::MAX];
    let base = bases.get(usize::try_from(random.below(50)).unwrap()).copied().unwrap_or(known);
    base.wrapping_add(random.below(5)).wrapping_sub(2)
}

fn lie(random: &mut Random, node: &Node) -> Message {
    let kind = KINDS[usize::try_from(random.below(12)).unwrap()];
    let (term, last, commit) = (node.hard_state().term, node.last_index(), node.hard_state().commit);
    let mut message = Message {
        from: 3,
        to: 1,
        term: number(random, term),
        log_term: number(random, term),
        index: number(random, last),
        commit: number(random, commit),
        reject: random.below(2) == 0,
        reject_hint: number(random, last),
        ..Message::new(kind)
    };
    for place in 0..random.below(4) {
        let kind = if random.below(3) == 0 { EntryKind::ConfChange } else { EntryKind::Normal };
        let (term, data) = (number(random, message.term), Bytes::from(vec![u8::try_from(place).unwrap(); 9]));
        message.entries.push(Entry { kind, term, index: message.index.wrapping_add(place + 1), data });
    }
    if kind == MessageKind::Snap {
        let voters = if random.below(2) == 0 { vec![1, 2, 3] } else { vec![3] };
        let members = ConfState { voters };
        let (index, term) = (number(random, last), number(random, message.term));
        message.snapshot = Some(Arc::new(Snapshot { index, term, members, data: Bytes::new() }));
    }
    message
}

#[test]
fn no_lie_ends_a_member_or_takes_back_what_is_committed() {
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..LIARS {
        let mut random = Random::new(seed);
        let (mut node, mut other) = (member(1, seed), member(2, seed + 1));
        let (mut committed, mut others) = (Vec::new(), Vec::new());
        for _ in 0..LIES {
            let before = node.hard_state();
            match random.below(4) {
                0 => node.tick(),
                1 => {
                    let _ = node.propose(Bytes::from_static(b"honest"));
                }
                _ => match node.step(lie(&mut random, &node)) {
                    Ok(()) => taken += 1,
                    Err(StepError::LostEntries { .. }) => {
                        // It stops, as one does whose log is not what a leader relies on.
                        node = member(1, seed);
                        committed.clear();
                        continue;
                    }
                    Err(_) => {
                        refused += 1;
                        assert_eq!(node.hard_state(), before, "what is refused changes nothing");
                    }
                },
            }
            for message in work(&mut node, &mut committed).into_iter().filter(|message| message.to == 2) {
                let _ = other.step(message);
            }
            for message in work(&mut other, &mut others).into_iter().filter(|message| message.to == 1) {
                let _ = node.step(message);
            }
            work(&mut node, &mut committed);
            let now = node.hard_state();
            assert!(now.term >= before.term && now.commit >= before.commit);
            assert!(now.commit <= node.last_index());
        }
    }
    assert!(refused > 1_000 && taken > 1_000, "{refused} refused, {taken} taken");
}

/// The follower of member 2 in term 5.
fn follower() -> Node {
    let mut node = member(1, 1);
    node.step(Message { from: 2, to: 1, term: 5, index: 3, log_term: 1, commit: 3, ..Message::new(MessageKind::App) })
        .unwrap();
    work(&mut node, &mut Vec::new());
    assert_eq!((node.hard_state().term, node.soft_state().leader, node.soft_state().role), (5, 2, Role::Follower));
    node
}

#[test]
fn a_term_that_no_election_can_have_reached_is_not_adopted() {
    let mut node = follower();
    let vote = |term| Message { from: 3, to: 1, term, ..Message::new(MessageKind::AppResp) };
    for term in [6 + (1 << 32), u64::MAX] {
        let refused = node.step(vote(term)).unwrap_err().to_string();
        assert!(refused.ends_with("from member 3 has a term that no election can have reached"), "{refused}");
    }
    assert_eq!(node.hard_state().term, 5);
    node.step(vote(5 + (1 << 32))).unwrap();
    assert_eq!(node.hard_state().term, 5 + (1 << 32));
}

#[test]
fn nobody_else_speaks_for_the_leader_of_a_term() {
    let mut node = follower();
    for kind in [MessageKind::App, MessageKind::Heartbeat] {
        let lie = Message { from: 3, to: 1, term: 5, index: 3, log_term: 1, commit: 9, ..Message::new(kind) };
        let refused = node.step(lie).unwrap_err().to_string();
        assert!(refused.ends_with("speaks as the leader of a term that another leads"), "{refused}");
    }
    assert_eq!((node.hard_state().commit, node.soft_state().leader), (3, 2));
}

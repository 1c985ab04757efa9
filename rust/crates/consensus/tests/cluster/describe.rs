// SPDX-License-Identifier: Apache-2.0
//! What etcd's traces say of a member (`util.go` of `go.etcd.io/raft`).

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::fmt::Write as _;

use fastledger_consensus::{ConfChange, ConfChangeKind, Entry, EntryKind, Message, Node, Ready, Role, Snapshot};

fn role(role: Role) -> String {
    format!("State{role:?}")
}

pub fn state(node: &Node) -> String {
    let (id, soft, term) = (node.id(), node.soft_state(), node.hard_state().term);
    let voter = if node.members().contains(&id) { "(Voter)" } else { "(Non-Voter)" };
    format!("{id}: {} {voter} Term:{term} Lead:{}\n", role(soft.role), soft.leader)
}

pub fn progress(node: &Node) -> String {
    node.progress().fold(String::new(), |text, (id, progress)| text + &format!("{id}: {progress}\n"))
}

pub fn log(node: &Node) -> String {
    let (first, last) = (node.first_index(), node.stable_index());
    if last < first {
        return format!("log is empty: first index={first}, last index={last}\n");
    }
    entries(&node.entries(first, last).unwrap())
}

fn entry(entry: &Entry) -> String {
    let kind = if entry.kind == EntryKind::Normal {
        format!("EntryNormal {:?}", String::from_utf8_lossy(&entry.data))
    } else {
        let change = ConfChange::decode(&entry.data).unwrap();
        let letter = match change.kind {
            ConfChangeKind::AddNode => 'v',
            ConfChangeKind::RemoveNode => 'r',
            _ => 'u',
        };
        format!("EntryConfChange {letter}{}", change.member)
    };
    format!("{}/{} {kind}", entry.term, entry.index)
}

fn entries(all: &[Entry]) -> String {
    all.iter().fold(String::new(), |text, one| text + &entry(one) + "\n")
}

fn snapshot(snapshot: &Snapshot) -> String {
    let voters: Vec<_> = snapshot.members.voters.iter().map(u64::to_string).collect();
    let members =
        format!("Voters:[{}] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false", voters.join(" "));
    format!("Index:{} Term:{} ConfState:{members}", snapshot.index, snapshot.term)
}

pub fn message(message: &Message) -> String {
    let Message { from, to, kind, term, log_term, index, commit, .. } = message;
    let mut text = format!("{from}->{to} {kind} Term:{term} Log:{log_term}/{index}");
    if message.reject {
        write!(text, " Rejected (Hint: {})", message.reject_hint).unwrap();
    }
    if *commit != 0 {
        write!(text, " Commit:{commit}").unwrap();
    }
    match message.entries.as_slice() {
        [] => {}
        [one] => write!(text, " Entries:[{}]", entry(one)).unwrap(),
        all => {
            let lines = all.iter().fold(String::new(), |text, one| text + "\n  " + &entry(one));
            write!(text, " Entries:[{lines}\n]").unwrap();
        }
    }
    if let Some(sent) = &message.snapshot {
        write!(text, "\n  Snapshot: {}", snapshot(sent)).unwrap();
    }
    text
}

pub fn ready(ready: &Ready) -> String {
    let mut text = String::new();
    if let Some(soft) = ready.soft {
        writeln!(text, "Lead:{} State:{}", soft.leader, role(soft.role)).unwrap();
    }
    if let Some(hard) = ready.hard {
        let vote = if hard.vote == 0 { String::new() } else { format!(" Vote:{}", hard.vote) };
        writeln!(text, "HardState Term:{}{vote} Commit:{}", hard.term, hard.commit).unwrap();
    }
    if !ready.entries.is_empty() {
        write!(text, "Entries:\n{}", entries(&ready.entries)).unwrap();
    }
    if let Some(taken) = &ready.snapshot {
        writeln!(text, "Snapshot {}", snapshot(taken)).unwrap();
    }
    if !ready.committed.is_empty() {
        write!(text, "CommittedEntries:\n{}", entries(&ready.committed)).unwrap();
    }
    let messages: Vec<_> = ready.messages.iter().chain(&ready.replies).collect();
    if !messages.is_empty() {
        text += "Messages:\n";
        for sent in messages {
            writeln!(text, "{}", message(sent)).unwrap();
        }
    }
    if text.is_empty() { "<empty Ready>\n".to_owned() } else { format!("Ready MustSync={}:\n{text}", ready.must_sync) }
}

// SPDX-License-Identifier: Apache-2.0
//! A cluster that does what the commands of etcd's traces say (`rafttest` of `go.etcd.io/raft`).

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod describe;

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use fastledger_consensus::{
    ConfChange, ConfChangeKind, ConfState, Config, EntryKind, Message, MessageKind, Node, Ready, Recovered, Snapshot,
    StepError,
};

use crate::datadriven::Command;

#[derive(Default)]
pub struct Cluster {
    members: Vec<Member>,
    /// Sent and not delivered yet.
    messages: Vec<Message>,
    silent: bool,
}

struct Member {
    node: Node,
    config: Config,
    /// What the application's snapshot would be now.
    state: Vec<u8>,
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "  " + line + "\n")
}

impl Cluster {
    pub fn run(&mut self, command: &Command) -> String {
        let members = command.members();
        let first = || *members.first().unwrap();
        let said = match command.name.as_str() {
            "add-nodes" => self.add(command),
            "campaign" => self.quietly(first(), Node::campaign),
            "compact" => {
                self.node(first()).compact(members[1]);
                describe::log(self.node(first()))
            }
            "deliver-msgs" => self.deliver_as_told(command),
            "log-level" => {
                self.silent = command.arguments[0].key == "none";
                String::new()
            }
            "process-ready" => self.process_all(&members),
            "propose" => {
                let data = Bytes::copy_from_slice(command.arguments[1].key.as_bytes());
                told(self.node(first()).propose(data))
            }
            "propose-conf-change" => {
                let change = conf_change(command.input.trim());
                told(self.node(first()).propose_conf_change(change))
            }
            "raft-log" => describe::log(self.node(first())),
            "raft-state" => self.members.iter().map(|member| describe::state(&member.node)).collect(),
            "report-unreachable" => self.quietly(first(), |node| node.report_unreachable(members[1])),
            "send-snapshot" => self.send_snapshot(first(), members[1]),
            "set-randomized-election-timeout" => {
                let ticks = command.value("timeout").unwrap();
                self.quietly(first(), |node| node.set_randomized_election_timeout(ticks))
            }
            "stabilize" => {
                let silent = command.value::<String>("log-level").is_some_and(|level| level == "none");
                let said = self.stabilize(&members);
                if silent { String::new() } else { said }
            }
            "status" => describe::progress(self.node(first())),
            "tick-election" => self.tick(first(), |config| config.election_tick),
            "tick-heartbeat" => self.tick(first(), |config| config.heartbeat_tick),
            "transfer-leadership" => {
                let to = command.value("to").unwrap();
                self.quietly(command.value("from").unwrap(), |node| node.transfer_leadership(to))
            }
            other => panic!("{}: {other}", command.place),
        };
        let dropped = command.name.starts_with("propose") && !said.is_empty();
        if self.silent && !dropped { "ok\n".to_owned() } else { said }
    }

    fn member(&mut self, id: u64) -> &mut Member {
        &mut self.members[usize::try_from(id).unwrap() - 1]
    }

    fn node(&mut self, id: u64) -> &mut Node {
        &mut self.member(id).node
    }

    fn quietly(&mut self, id: u64, act: impl FnOnce(&mut Node)) -> String {
        act(self.node(id));
        String::new()
    }

    fn tick(&mut self, id: u64, ticks: impl Fn(&Config) -> u32) -> String {
        for _ in 0..ticks(&self.member(id).config) {
            self.node(id).tick();
        }
        String::new()
    }

    fn add(&mut self, command: &Command) -> String {
        let index = command.value("index").unwrap_or(0);
        let members = ConfState { voters: command.numbers("voters") };
        let snapshot = Arc::new(Snapshot { index, term: 1, members, data: Bytes::new() });
        for _ in 0..command.members()[0] {
            let config = Config {
                id: self.members.len() as u64 + 1,
                election_tick: 3,
                heartbeat_tick: 1,
                max_message_bytes: u64::MAX,
                max_committed_bytes: u64::MAX,
                max_inflight_messages: command.value("inflight").unwrap_or(usize::MAX),
                check_quorum: command.value("checkquorum").unwrap_or(false),
                pre_vote: command.value("prevote").unwrap_or(false),
                step_down_on_removal: command.value("step-down-on-removal").unwrap_or(false),
                careful_membership: false,
                seed: 1,
            };
            let recovered = Recovered { snapshot: (index > 0).then(|| snapshot.clone()), ..Recovered::default() };
            let node = Node::new(config.clone(), recovered).unwrap();
            self.members.push(Member { node, config, state: Vec::new() });
        }
        String::new()
    }

    fn process_all(&mut self, ids: &[u64]) -> String {
        let each = ids.iter().map(|id| {
            let said = self.process(*id);
            if ids.len() > 1 { format!("> {id} handling Ready\n{}", indented(&said)) } else { said }
        });
        each.collect()
    }

    /// Does what a member wants done, and says what that is.
    fn process(&mut self, id: u64) -> String {
        let member = self.member(id);
        let ready = member.node.ready().unwrap();
        let said = describe::ready(&ready);
        member.apply(&ready);
        member.node.advance().unwrap();
        self.messages.extend(ready.messages);
        self.messages.extend(ready.replies);
        said
    }

    fn deliver_as_told(&mut self, command: &Command) -> String {
        let kind: Option<String> = command.value("type");
        let wanted = |message: &Message| kind.as_ref().is_none_or(|kind| message.kind.to_string() == *kind);
        let receivers = command.members().into_iter().map(|id| (id, false));
        let mut said = String::new();
        let before = self.messages.len();
        for (id, drop) in receivers.chain(command.numbers("drop").into_iter().map(|id| (id, true))) {
            said += &self.deliver(id, drop, wanted);
        }
        if self.messages.len() == before {
            said += "no messages\n";
        }
        said
    }

    fn deliver(&mut self, to: u64, drop: bool, wanted: impl Fn(&Message) -> bool) -> String {
        let mut said = String::new();
        for message in self.messages.extract_if(.., |message| message.to == to && wanted(message)).collect::<Vec<_>>() {
            let dropped = if drop { "dropped: " } else { "" };
            writeln!(said, "{dropped}{}", describe::message(&message)).unwrap();
            // What goes over the wire loses nothing.
            let message = Message::decode(&Bytes::from(message.encode())).unwrap();
            if !drop && let Err(error) = self.node(to).step(message) {
                said += &text(&error);
            }
        }
        said
    }

    fn stabilize(&mut self, ids: &[u64]) -> String {
        let all: Vec<_> = (1..=self.members.len() as u64).collect();
        let ids = if ids.is_empty() { &all } else { ids };
        let mut said = String::new();
        loop {
            let before = said.len();
            for id in ids {
                if self.node(*id).has_ready() {
                    let ready = self.process(*id);
                    write!(said, "> {id} handling Ready\n{}", indented(&ready)).unwrap();
                }
            }
            for id in ids {
                let received = self.deliver(*id, false, |_| true);
                if !received.is_empty() {
                    write!(said, "> {id} receiving messages\n{}", indented(&received)).unwrap();
                }
            }
            if said.len() == before {
                return said;
            }
        }
    }

    fn send_snapshot(&mut self, from: u64, to: u64) -> String {
        let node = self.node(from);
        let (term, snapshot) = (node.hard_state().term, node.snapshot().cloned());
        let message = Message { to, from, term, snapshot, ..Message::new(MessageKind::Snap) };
        let said = describe::message(&message);
        self.messages.push(message);
        said + "\n"
    }
}

impl Member {
    fn apply(&mut self, ready: &Ready) {
        if let Some(snapshot) = &ready.snapshot {
            self.state = snapshot.data.to_vec();
        }
        for entry in &ready.committed {
            if entry.kind == EntryKind::ConfChange {
                let change = ConfChange::decode(&entry.data).unwrap();
                self.node.apply_conf_change(entry.index, change);
            } else {
                self.state.extend_from_slice(&entry.data);
            }
            self.node.keep_snapshot(Arc::new(Snapshot {
                index: entry.index,
                term: entry.term,
                members: ConfState { voters: self.node.members() },
                data: Bytes::copy_from_slice(&self.state),
            }));
        }
    }
}

fn conf_change(text: &str) -> ConfChange {
    let kind = match text.as_bytes()[0] {
        b'v' => ConfChangeKind::AddNode,
        b'r' => ConfChangeKind::RemoveNode,
        _ => ConfChangeKind::UpdateNode,
    };
    ConfChange { kind, member: text[1..].parse().unwrap() }
}

fn told(result: Result<(), StepError>) -> String {
    result.map_or_else(|error| text(&error), |()| String::new())
}

/// What etcd says.
fn text(error: &StepError) -> String {
    match error {
        StepError::Dropped(_) => "raft proposal dropped\n".to_owned(),
        StepError::Stranger { .. } => "raft: cannot step as peer not found\n".to_owned(),
        other => format!("{other}\n"),
    }
}

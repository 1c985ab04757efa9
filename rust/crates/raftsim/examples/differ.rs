// SPDX-License-Identifier: Apache-2.0
//! Compares the core with another implementation on random schedules: `differ PEER SCHEDULES [FIRST]`.
//!
//! `PEER` is a program that plays members when it is told to on its standard input; `tests/interop/raftpeer` is one, with etcd's
//! own library. Both get the same ticks, messages, proposals, crashes; after every command they must want the same done, to
//! the message, and be in the same state, to the progress of each member.

#![allow(clippy::unwrap_used, reason = "a tool for developers, which stops where something is wrong")]

use std::collections::BTreeMap;
use std::env::args;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread::scope;

use bytes::Bytes;
use fastledger_consensus::{
    ConfChange, Config, Entry, EntryKind, HardState, Message, MessageKind, Node, Random, Ready, Recovered, Role,
};

const MAX_MESSAGE_BYTES: u64 = 100;
const MAX_INFLIGHT: usize = 3;
const MOST_MEMBERS: u64 = 8;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn entries(all: &[Entry]) -> String {
    let one = |entry: &Entry| format!("{}/{}/{}/{}", u64::from(entry.kind), entry.term, entry.index, hex(&entry.data));
    format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(" "))
}

fn told(message: &Message) -> String {
    let Message { kind, to, from, term, log_term, index, commit, reject, reject_hint, context, .. } = message;
    let snapshot = message.snapshot.as_deref().cloned().unwrap_or_default();
    let voters: Vec<_> = snapshot.members.voters.iter().map(u64::to_string).collect();
    format!(
        "type={} to={to} from={from} term={term} logTerm={log_term} index={index} commit={commit} reject={reject} \
         hint={reject_hint} context={} entries={} snapshot={}/{}/[{}]/{}",
        u64::from(*kind),
        hex(context),
        entries(&message.entries),
        snapshot.index,
        snapshot.term,
        voters.join(" "),
        hex(&snapshot.data)
    )
}

fn state(node: &Node) -> String {
    let (soft, hard) = (node.soft_state(), node.hard_state());
    let role = match soft.role {
        Role::Follower => "StateFollower",
        Role::Candidate => "StateCandidate",
        Role::Leader => "StateLeader",
        Role::PreCandidate => "StatePreCandidate",
    };
    let HardState { term, vote, commit } = hard;
    let applied = node.applied();
    let mut text =
        format!("state {role} leader {} term {term} vote {vote} commit {commit} applied {applied}\n", soft.leader);
    if soft.role == Role::Leader {
        for (id, progress) in node.progress() {
            writeln!(text, "{id}: {progress}").unwrap();
        }
    }
    text
}

/// A member whose storage is what `advance` says is durable.
struct Member {
    node: Node,
    ready: Option<Ready>,
    durable: Recovered,
}

fn config(id: u64) -> Config {
    Config {
        id,
        election_tick: 10,
        heartbeat_tick: 1,
        max_message_bytes: MAX_MESSAGE_BYTES,
        max_committed_bytes: MAX_MESSAGE_BYTES,
        max_inflight_messages: MAX_INFLIGHT,
        check_quorum: true,
        pre_vote: true,
        step_down_on_removal: false,
        careful_membership: false,
        seed: id,
    }
}

impl Member {
    fn open(id: u64, durable: Recovered) -> Self {
        Self { node: Node::new(config(id), durable.clone()).unwrap(), ready: None, durable }
    }

    fn take(&mut self, out: &mut String) {
        if self.ready.is_some() || !self.node.has_ready() {
            return;
        }
        let ready = self.node.ready().unwrap();
        if let Some(HardState { term, vote, commit }) = ready.hard {
            writeln!(out, "hard {term} {vote} {commit}").unwrap();
        }
        let (save, apply) = (entries(&ready.entries), entries(&ready.committed));
        writeln!(out, "sync {} save {save} apply {apply}", ready.must_sync).unwrap();
        if let Some(snapshot) = &ready.snapshot {
            writeln!(out, "snapshot {}/{}", snapshot.index, snapshot.term).unwrap();
        }
        for message in ready.messages.iter().chain(&ready.replies) {
            writeln!(out, "{}", told(message)).unwrap();
        }
        self.ready = Some(ready);
    }

    /// What was to be saved is durable; the messages that may leave now.
    fn done(&mut self) -> Vec<Message> {
        let Some(ready) = self.ready.take() else { return Vec::new() };
        let durable = &mut self.durable;
        if let Some(snapshot) = ready.snapshot {
            (durable.snapshot, durable.entries) = (Some(snapshot), Vec::new());
        }
        if let Some(first) = ready.entries.first() {
            durable.entries.retain(|entry| entry.index < first.index);
            durable.entries.extend(ready.entries);
        }
        durable.hard = ready.hard.unwrap_or(durable.hard);
        for entry in ready.committed.iter().filter(|entry| entry.kind == EntryKind::ConfChange) {
            self.node.apply_conf_change(entry.index, ConfChange::decode(&entry.data).unwrap());
        }
        self.node.advance().unwrap();
        [ready.messages, ready.replies].concat()
    }

    /// Takes a snapshot at what is applied, if that is news.
    fn compact(&mut self) -> Option<u64> {
        let index = self.node.applied();
        if self.ready.is_some() || index <= self.node.snapshot().map_or(0, |snapshot| snapshot.index) {
            return None;
        }
        let snapshot = Arc::new(self.node.snapshot_at(index, Bytes::from_static(b"state"))?);
        self.node.keep_snapshot(Arc::clone(&snapshot));
        // Of a log that begins with the first entry nothing is known to precede it.
        if let Some(keep) = index.checked_sub(4).filter(|keep| *keep > 1) {
            self.node.compact(keep);
            self.durable.entries.retain(|entry| entry.index >= keep);
        }
        self.durable.snapshot = Some(snapshot);
        Some(index)
    }
}

/// Commands, each with what the other should say to it.
#[derive(Default)]
struct Schedule {
    commands: Vec<(String, String)>,
    members: BTreeMap<u64, Member>,
    messages: Vec<Message>,
}

impl Schedule {
    fn make(seed: u64) -> Vec<(String, String)> {
        let mut random = Random::new(seed);
        let mut schedule = Self::default();
        let first: Vec<_> = (1..=1 + 2 * random.below(3)).collect();
        for id in &first {
            schedule.begin(*id, &first);
        }
        let loss = random.below(40);
        for _ in 0..100 + random.below(400) {
            schedule.step(&mut random, loss);
        }
        schedule.commands
    }

    fn begin(&mut self, id: u64, first: &[u64]) {
        let durable = if first.is_empty() { Recovered::default() } else { Recovered::bootstrap(first) };
        self.members.insert(id, Member::open(id, durable));
        let voters = first.iter().fold(String::new(), |text, voter| format!("{text} {voter}"));
        self.told(id, format!("begin {id} {MAX_MESSAGE_BYTES} {MAX_INFLIGHT}{voters}"), String::new());
    }

    fn told(&mut self, id: u64, command: String, mut out: String) {
        let node = &mut self.members.get_mut(&id).unwrap().node;
        node.set_randomized_election_timeout(10 + u32::try_from(id).unwrap());
        out += &state(node);
        self.commands.push((command, out));
    }

    fn step(&mut self, random: &mut Random, loss: u64) {
        let ids: Vec<_> = self.members.keys().copied().collect();
        let pick = |random: &mut Random| ids[usize::try_from(random.below(ids.len() as u64)).unwrap()];
        let (id, other) = (pick(random), pick(random));
        let member = self.members.get_mut(&id).unwrap();
        let mut out = String::new();
        match random.below(100) {
            0..20 => {
                member.node.tick();
                self.told(id, format!("tick {id}"), out);
            }
            20..55 if !self.messages.is_empty() => {
                let place = usize::try_from(random.below(self.messages.len() as u64)).unwrap();
                self.deliver(place, random, loss);
            }
            20..75 => {
                member.take(&mut out);
                self.told(id, format!("ready {id}"), out);
                if random.below(4) != 0 {
                    let sent = self.members.get_mut(&id).unwrap().done();
                    self.messages.extend(sent);
                    self.told(id, format!("advance {id}"), String::new());
                }
            }
            75..80 => {
                let sent = member.done();
                self.messages.extend(sent);
                self.told(id, format!("advance {id}"), out);
            }
            80..90 => {
                let data =
                    Bytes::from(random.draw().to_le_bytes()[..=usize::try_from(random.below(7)).unwrap()].to_vec());
                let taken = member.node.propose(data.clone()).is_ok();
                self.told(id, format!("propose {id} {}", hex(&data)), format!("taken {taken}\n"));
            }
            90..92 => {
                member.node.campaign();
                self.told(id, format!("campaign {id}"), out);
            }
            92..94 => {
                member.node.transfer_leadership(other);
                self.told(id, format!("transfer {id} {other}"), out);
            }
            94..96 => self.change(id, other, random),
            96..97 => {
                member.node.report_unreachable(other);
                self.told(id, format!("unreachable {id} {other}"), out);
            }
            97..99 => {
                if let Some(index) = member.compact() {
                    self.told(id, format!("compact {id} {index} state"), out);
                }
            }
            _ => {
                *member = Member::open(id, member.durable.clone());
                self.told(id, format!("restart {id} {MAX_MESSAGE_BYTES} {MAX_INFLIGHT}"), out);
            }
        }
    }

    fn deliver(&mut self, place: usize, random: &mut Random, loss: u64) {
        // A copy may stay, to arrive once more.
        let message =
            if random.below(20) == 0 { self.messages[place].clone() } else { self.messages.swap_remove(place) };
        let arrives = random.below(100) >= loss;
        if message.kind == MessageKind::Snap {
            let (from, to) = (message.from, message.to);
            self.members.get_mut(&from).unwrap().node.report_snapshot(to, arrives);
            self.told(from, format!("reported {from} {to} {arrives}"), String::new());
        }
        if let Some(receiver) = self.members.get_mut(&message.to).filter(|_| arrives) {
            // Answers of members that were removed are refused by both.
            let _ = receiver.node.step(message.clone());
            self.told(message.to, format!("step {} {}", message.to, hex(&message.encode())), String::new());
        }
    }

    fn change(&mut self, id: u64, other: u64, random: &mut Random) {
        let fresh = self.members.len() as u64 + 1;
        let node = &mut self.members.get_mut(&id).unwrap().node;
        if node.soft_state().role != Role::Leader {
            return;
        }
        let add = random.below(2) == 0 && fresh <= MOST_MEMBERS;
        let (kind, member) = if add { (0u64, fresh) } else { (1, other) };
        if !add && (node.members().len() < 3 || !node.members().contains(&other)) {
            return;
        }
        let taken = node.propose_conf_change(ConfChange { kind: kind.into(), member }).is_ok();
        self.told(id, format!("change {id} {kind} {member}"), format!("taken {taken}\n"));
        if add {
            self.begin(fresh, &[]);
        }
    }
}

/// What the peer says to a command.
fn answer(from: &mut BufReader<ChildStdout>) -> String {
    let mut text = String::new();
    loop {
        let before = text.len();
        if from.read_line(&mut text).unwrap() == 0 {
            return text + "and then it ended\n";
        }
        if text.len() == before + 1 {
            text.pop();
            return text;
        }
    }
}

/// Where the two differ on a schedule, if they do, and its commands.
fn play(seed: u64, to: &mut ChildStdin, from: &mut BufReader<ChildStdout>) -> (usize, Option<String>) {
    let commands = Schedule::make(seed);
    let text = commands.iter().fold("new\n".to_owned(), |text, (command, _)| text + command + "\n") + "flush\n";
    let difference = scope(|threads| {
        // A peer that contradicts itself ends, and takes no more.
        threads.spawn(|| drop(to.write_all(text.as_bytes())));
        let mut answers = commands.iter().enumerate().map(|(place, command)| (place, command, answer(from)));
        let (place, (command, expected), said) = answers.find(|(_, (_, expected), said)| said != expected)?;
        // The other's answers to what follows mean nothing, but are in the way.
        answers.for_each(drop);
        let before: Vec<_> = commands[place.saturating_sub(12)..place].iter().map(|(c, _)| c.as_str()).collect();
        Some(format!("after {}\n{command}\n-- this says\n{expected}-- the other\n{said}", before.join("\n")))
    });
    (commands.len(), difference)
}

fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    let path = arguments.first().expect("the path of a peer");
    let number = |place: usize| arguments.get(place).map(|text| text.parse::<u64>().unwrap());
    let (schedules, first) = (number(1).unwrap_or(1000), number(2).unwrap_or(0));
    let start = || Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut peer = start();
    let (mut commands, mut different) = (0, 0);
    for seed in first..first + schedules {
        let mut from = BufReader::new(peer.stdout.take().unwrap());
        let (played, difference) = play(seed, peer.stdin.as_mut().unwrap(), &mut from);
        peer.stdout = Some(from.into_inner());
        commands += played;
        if let Some(difference) = difference {
            different += 1;
            println!("schedule {seed} differs {difference}");
            let _ = peer.kill();
            let _ = peer.wait();
            peer = start();
        }
    }
    drop(peer.stdin.take());
    let _ = peer.wait();
    println!("{schedules} schedules from {first}, {commands} commands: {different} differ");
    if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

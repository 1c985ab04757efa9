// SPDX-License-Identifier: Apache-2.0
//! Time, and what happens when.

mod agenda;
mod chance;

use std::collections::BTreeMap;

use fastledger_consensus::{Message, MessageKind, Random, Role};

use self::agenda::Agenda;
use crate::faults::{Counts, Faults};
use crate::laws::{Broken, Held, Laws};
use crate::member::Member;
use crate::network::{Letter, Network};

/// Time from one look at what may go wrong to the next.
const CHANCE: u64 = 10;

/// Time after the last fault within which everybody must have a new block; some fifty election timeouts.
const PATIENCE: u64 = 100_000;

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What happened how often.
    pub counts: Counts,
    /// The law that did not hold, if one did not.
    pub broken: Option<Broken>,
}

#[derive(Debug)]
enum Event {
    Deliver(Letter),
    /// What became of a snapshot that a member sent to another.
    Report(u64, u64, bool),
    Tick(u64),
    Work(u64),
    Chance,
    Propose,
}

struct World {
    random: Random,
    now: u64,
    agenda: Agenda<Event>,
    faults: Faults,
    network: Network,
    members: BTreeMap<u64, Member>,
    /// Those the cluster began with.
    first: Vec<u64>,
    laws: Laws,
    counts: Counts,
    next_content: u64,
    tell: bool,
}

/// Runs a seed; tells of what happens, if wanted, on standard error.
#[must_use]
pub fn run(seed: u64, tell: bool) -> Outcome {
    let mut world = World::new(seed, tell);
    let broken = world.play().err();
    for member in world.members.values() {
        let harm = member.disk.harm();
        world.counts.syncs_failed += harm.failed_syncs;
        world.counts.writes_refused_full += harm.refused_full;
        world.counts.sectors_lost += harm.lost_sectors;
        world.counts.torn_ends += member.torn;
        world.counts.snapshots_taken += member.snapshots_taken;
        world.counts.snapshots_restored += member.snapshots_restored;
    }
    world.counts.elections = world.laws.elections();
    world.counts.blocks_ordered = world.laws.height();
    Outcome { counts: world.counts, broken }
}

impl World {
    fn new(seed: u64, tell: bool) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults::draw(&mut random);
        let first: Vec<_> = (1..=1 + 2 * random.below(3)).collect();
        let mut world = Self {
            random,
            now: 0,
            agenda: Agenda::new(),
            faults,
            network: Network::default(),
            members: BTreeMap::new(),
            first: first.clone(),
            laws: Laws::default(),
            counts: Counts::default(),
            next_content: 0,
            tell,
        };
        for id in first {
            world.add_member(id);
        }
        world.after(CHANCE, Event::Chance);
        world.after(50, Event::Propose);
        world
    }

    fn play(&mut self) -> Held {
        for id in self.first.clone() {
            self.start(id)?;
        }
        let until = 5000 + self.random.below(30_000);
        while self.now < until {
            self.step()?;
        }
        self.heal()?;
        let (deadline, height) = (self.now + PATIENCE, self.laws.height());
        while !self.all_have_more_than(height) {
            if self.now > deadline {
                return Err(Broken(format!("no new block reaches everybody: {}", self.describe())));
            }
            self.step()?;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let one = |member: &Member| {
            let Some(node) = member.node() else { return format!("{} is down", member.id) };
            let (soft, hard) = (node.soft_state(), node.hard_state());
            format!(
                "{} {:?} leader {} term {} committed {} last {} applied {} height {} members {:?}",
                member.id,
                soft.role,
                soft.leader,
                hard.term,
                hard.commit,
                node.last_index(),
                node.applied(),
                member.chain.height(),
                node.members()
            )
        };
        let running = self.members.values().filter(|member| !member.halted);
        running.map(one).collect::<Vec<_>>().join("; ")
    }

    /// Nothing goes wrong any more.
    fn heal(&mut self) -> Held {
        self.say("healed");
        self.faults = Faults::none();
        self.network.heal();
        for id in self.ids() {
            if let Some(member) = self.members.get_mut(&id) {
                member.disk.set_full(false);
                member.disk.set_failing_syncs(0);
                member.paused_until = 0;
            }
            self.start(id)?;
        }
        Ok(())
    }

    /// Whether all members, by what the leader knows, have every block, and there are more than so many.
    fn all_have_more_than(&self, height: u64) -> bool {
        let ordered = self.laws.height();
        let leader = self.members.values().filter_map(Member::node).find(|node| node.soft_state().role == Role::Leader);
        leader.filter(|_| ordered > height).is_some_and(|leader| {
            leader
                .members()
                .iter()
                .all(|id| self.members.get(id).is_some_and(|member| member.halted || member.chain.height() == ordered))
        })
    }

    fn ids(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    fn say(&self, what: impl AsRef<str>) {
        if self.tell {
            eprintln!("{:>8}  {}", self.now, what.as_ref());
        }
    }

    fn chance(&mut self, in_ten_thousand: u64) -> bool {
        self.random.below(10_000) < in_ten_thousand
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.agenda.put(self.now + delay, event);
    }

    fn add_member(&mut self, id: u64) {
        let member = Member::new(id, &mut self.random);
        member.disk.set_failing_syncs(self.faults.failing_syncs);
        let tick = member.tick;
        self.members.insert(id, member);
        self.after(tick, Event::Tick(id));
    }

    fn start(&mut self, id: u64) -> Held {
        let first = if self.first.contains(&id) { self.first.clone() } else { Vec::new() };
        let Some(member) = self.members.get_mut(&id).filter(|member| member.node().is_none() && !member.halted) else {
            return Ok(());
        };
        let started = member.start(&first, &mut self.random, &self.laws)?;
        if started {
            self.say(format!("{id} starts"));
            self.wake_after(id, 1);
        } else if member.disk.is_down() {
            self.crash(id, true);
        }
        Ok(())
    }

    /// A process ends, mostly because its machine does.
    fn crash(&mut self, id: u64, within_write: bool) {
        let process_alone = self.chance(2500);
        let Some(member) = self.members.get_mut(&id) else { return };
        if process_alone {
            self.counts.processes_killed += 1;
            member.end();
            self.say(format!("{id} is killed"));
            return;
        }
        self.counts.blocks_lost_unsynced += member.crash(&mut self.random);
        self.counts.crashes += u64::from(!within_write);
        self.counts.crashes_within_writes += u64::from(within_write);
        self.say(format!("{id} goes down"));
    }

    fn step(&mut self) -> Held {
        let Some((when, event)) = self.agenda.take() else { return Ok(()) };
        self.now = when;
        self.counts.steps += 1;
        if let Event::Deliver(Letter { to: id, .. }) | Event::Report(id, ..) | Event::Tick(id) | Event::Work(id) =
            &event
        {
            let paused_until = self.members.get(id).map_or(0, |member| member.paused_until);
            if paused_until > self.now {
                let delay = paused_until - self.now;
                self.after(delay, event);
                return Ok(());
            }
        }
        match event {
            Event::Deliver(letter) => self.deliver(&letter),
            Event::Report(from, to, arrived) => {
                self.with_node(from, |node| node.report_snapshot(to, arrived));
                Ok(())
            }
            Event::Tick(id) => {
                self.with_node(id, fastledger_consensus::Node::tick);
                let tick = self.members.get(&id).map_or(100, |member| member.tick);
                self.after(tick, Event::Tick(id));
                Ok(())
            }
            Event::Work(id) => self.work(id),
            Event::Chance => {
                self.after(CHANCE, Event::Chance);
                self.what_may_go_wrong()
            }
            Event::Propose => {
                self.propose();
                Ok(())
            }
        }
    }

    fn with_node(&mut self, id: u64, act: impl FnOnce(&mut fastledger_consensus::Node)) {
        if let Some(node) = self.members.get_mut(&id).and_then(Member::node_mut) {
            act(node);
        }
        self.wake(id);
    }

    /// Looks soon whether a member has something to do.
    fn wake(&mut self, id: u64) {
        let delay = 1 + self.random.below(5);
        self.wake_after(id, delay);
    }

    /// Lets a member work, unless it will anyway.
    fn wake_after(&mut self, id: u64, delay: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if !std::mem::replace(&mut member.awake, true) {
            self.after(delay, Event::Work(id));
        }
    }

    fn work(&mut self, id: u64) -> Held {
        let Some(member) = self.members.get_mut(&id) else { return Ok(()) };
        member.awake = false;
        let done = member.work(&mut self.random, &mut self.laws)?;
        let (more, halted) = (member.has_work(), member.halted);
        if done.down {
            self.crash(id, true);
            return Ok(());
        }
        for message in done.messages {
            self.send(&message);
        }
        if halted && !more {
            self.say(format!("{id} halts"));
            if let Some(member) = self.members.get_mut(&id) {
                member.crash(&mut self.random);
            }
        } else if more {
            let delay = if done.stuck { 50 } else { 1 + self.random.below(15) };
            self.wake_after(id, delay);
        }
        Ok(())
    }

    fn send(&mut self, message: &Message) {
        let Message { from, to, kind, .. } = *message;
        let snapshot = kind == MessageKind::Snap;
        // A transfer that a follower passes on names who is to lead.
        let letter = Letter { from, to, bytes: message.encode().into(), snapshot };
        let arrivals = self.network.send(&letter, &self.faults, &mut self.random, &mut self.counts);
        if arrivals.is_empty() && snapshot {
            self.after(200, Event::Report(from, to, false));
        }
        for delay in arrivals {
            self.after(delay, Event::Deliver(letter.clone()));
        }
    }

    fn deliver(&mut self, letter: &Letter) -> Held {
        let Letter { from, to, bytes, snapshot } = letter;
        let member = self.members.get_mut(to).filter(|member| member.node().is_some());
        if *snapshot {
            let arrived = member.is_some();
            self.after(1, Event::Report(*from, *to, arrived));
        }
        let Some(member) = self.members.get_mut(to).filter(|member| member.node().is_some()) else {
            if self.chance(5000) {
                self.with_node(*from, |node| node.report_unreachable(*to));
            }
            return Ok(());
        };
        member.receive(bytes)?;
        self.counts.messages_delivered += 1;
        self.wake(*to);
        Ok(())
    }

    fn propose(&mut self) {
        let delay = 10 + self.random.below(150);
        self.after(delay, Event::Propose);
        for id in self.ids() {
            let padding = usize::try_from(self.random.below(600)).unwrap_or_default();
            let proposed = self.members.get_mut(&id).is_some_and(|member| member.propose(self.next_content, padding));
            if proposed {
                self.next_content += 1;
                self.counts.blocks_proposed += 1;
                self.wake(id);
            }
        }
    }
}

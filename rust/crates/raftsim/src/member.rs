// SPDX-License-Identifier: Apache-2.0
//! One orderer: state machine, log and chain, in the steps of its work.

use std::sync::Arc;

use bytes::Bytes;
use fastledger_consensus::{ConfChange, Config, EntryKind, Message, Node, Random, Ready, Recovered, Role, Snapshot};
use fastledger_raftlog::{Batch, CATCH_UP_ENTRIES, LogError, RaftLog};

use crate::chain::{Block, Chain};
use crate::disk::SimDisk;
use crate::laws::{Broken, Held, Laws};

/// Small, so that logs have several.
const SEGMENT_BYTES: u64 = 6000;

/// Blocks that a leader has proposed ahead of those it has written; Fabric's `MaxInflightBlocks`.
const MAX_INFLIGHT_BLOCKS: u64 = 5;

/// What a member has to do next with what its state machine wants done.
#[derive(Debug)]
enum Task {
    Save(Ready),
    Reply(Ready),
    Apply(Ready),
    Advance,
}

#[derive(Debug)]
struct Running {
    node: Node,
    log: RaftLog<SimDisk>,
    task: Option<Task>,
    /// The term that it leads, from where on it serves, and the last block that it proposed: its number and hash.
    leads: Option<Leads>,
}

#[derive(Debug, Clone, Copy)]
struct Leads {
    term: u64,
    serves_from: u64,
    proposed: Option<(u64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) disk: SimDisk,
    pub(crate) chain: Chain,
    running: Option<Running>,
    /// It was removed, knows it, and stands still for ever.
    pub(crate) halted: bool,
    pub(crate) paused_until: u64,
    /// It is going to look whether there is something to do.
    pub(crate) awake: bool,
    /// Time from tick to tick: clocks differ.
    pub(crate) tick: u64,
    /// Which of the sizes of messages it has.
    message_size: u8,
    /// Entries after which it takes a snapshot.
    compact_after: u64,
    /// Bytes that the log had to cut off, how often; snapshots taken and restored.
    pub(crate) torn: u64,
    pub(crate) snapshots_taken: u64,
    pub(crate) snapshots_restored: u64,
}

/// What came of a step.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) messages: Vec<Message>,
    /// The machine went down.
    pub(crate) down: bool,
    /// The disk said no, and will be asked again.
    pub(crate) stuck: bool,
}

impl Member {
    pub(crate) fn new(id: u64, random: &mut Random) -> Self {
        Self {
            id,
            disk: SimDisk::new(random.draw()),
            chain: Chain::default(),
            running: None,
            halted: false,
            paused_until: 0,
            awake: false,
            tick: 80 + random.below(40),
            message_size: u8::try_from(random.below(3)).unwrap_or_default(),
            compact_after: 8 + random.below(60),
            torn: 0,
            snapshots_taken: 0,
            snapshots_restored: 0,
        }
    }

    /// Starts on what its disk has; false if the disk went down, or refused, meanwhile.
    pub(crate) fn start(&mut self, first: &[u64], random: &mut Random, laws: &Laws) -> Result<bool, Broken> {
        let opened = RaftLog::open(self.disk.clone(), self.id, SEGMENT_BYTES).and_then(|(mut log, opened)| {
            let mut recovered = opened.recovered;
            if opened.empty && !first.is_empty() {
                recovered = Recovered::bootstrap(first);
                log.begin(&recovered)?;
            }
            self.torn += u64::from(opened.torn_bytes > 0);
            Ok((log, recovered))
        });
        let (log, recovered) = match opened {
            Ok(opened) => opened,
            Err(LogError::Io { .. }) => return Ok(false),
            Err(error) => return Err(Broken(format!("{} cannot open its log: {error}", self.id))),
        };
        if let Some(snapshot) = recovered.snapshot.clone() {
            self.catch_up(&snapshot, laws)?;
        }
        let config = Config {
            id: self.id,
            election_tick: 10,
            heartbeat_tick: 1,
            // Sometimes one entry at a time, so that those of earlier terms travel alone.
            max_message_bytes: [1, 300, 1000][usize::from(self.message_size)],
            max_committed_bytes: 1000,
            max_inflight_messages: 3,
            check_quorum: true,
            pre_vote: true,
            step_down_on_removal: false,
            careful_membership: true,
            seed: random.draw(),
        };
        let node = Node::new(config, recovered).map_err(|error| Broken(error.to_string()))?;
        self.running = Some(Running { node, log, task: None, leads: None });
        Ok(true)
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.running.as_ref().map(|running| &running.node)
    }

    pub(crate) fn node_mut(&mut self) -> Option<&mut Node> {
        self.running.as_mut().map(|running| &mut running.node)
    }

    /// The process goes.
    pub(crate) fn end(&mut self) {
        self.running = None;
        self.disk.end();
    }

    /// The machine goes down; how many blocks that loses.
    pub(crate) fn crash(&mut self, random: &mut Random) -> u64 {
        self.running = None;
        self.disk.crash();
        let unsynced = self.chain.unsynced();
        let kept = random.below(unsynced + 1);
        self.chain.crash(kept);
        unsynced - kept
    }

    /// Whether there is something to do.
    pub(crate) fn has_work(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.task.is_some() || running.node.has_ready())
    }

    /// Does the next step.
    pub(crate) fn work(&mut self, random: &mut Random, laws: &mut Laws) -> Result<Done, Broken> {
        let Some(running) = &mut self.running else { return Ok(Done::default()) };
        let mut done = Done::default();
        match running.task.take() {
            None => {
                if let Some(mut ready) = running.node.has_ready().then(|| running.node.ready()).flatten() {
                    running.look_at_role(laws)?;
                    laws.appends(&running.node, &ready.entries)?;
                    done.messages = std::mem::take(&mut ready.messages);
                    running.task = Some(Task::Save(ready));
                } else {
                    self.look_after_disk(random, &mut done);
                }
            }
            Some(Task::Save(ready)) => {
                if running.log.save(&Batch::from(&ready)).is_ok() {
                    running.task = Some(Task::Reply(ready));
                } else {
                    done.down = self.disk.is_down();
                    done.stuck = true;
                    running.task = Some(Task::Save(ready));
                }
            }
            Some(Task::Reply(mut ready)) => {
                done.messages = std::mem::take(&mut ready.replies);
                if let Some(hard) = ready.hard.filter(|hard| hard.vote != 0) {
                    laws.votes(self.id, hard.term, hard.vote)?;
                }
                running.task = Some(Task::Apply(ready));
            }
            Some(Task::Apply(ready)) => {
                running.task = Some(Task::Advance);
                self.apply(&ready, laws)?;
            }
            Some(Task::Advance) => running.node.advance().map_err(|error| Broken(error.to_string()))?,
        }
        self.halted = self.node().is_some_and(Node::removal_is_known);
        for message in &done.messages {
            laws.sends(message)?;
        }
        Ok(done)
    }

    fn apply(&mut self, ready: &Ready, laws: &mut Laws) -> Held {
        if let Some(snapshot) = &ready.snapshot {
            self.snapshots_restored += 1;
            self.catch_up(snapshot, laws)?;
        }
        let term = self.node().map_or(0, |node| node.hard_state().term);
        for entry in &ready.committed {
            laws.applies(self.id, entry, term)?;
            if entry.kind == EntryKind::ConfChange {
                let change = ConfChange::decode(&entry.data).map_err(|error| Broken(error.to_string()))?;
                if let Some(node) = self.node_mut() {
                    node.apply_conf_change(entry.index, change);
                }
            } else if let Some(block) = Block::decode(&entry.data) {
                self.chain.write(block, entry.index).map_err(|reason| self.contradiction(block, reason))?;
                laws.writes(self.id, block)?;
            }
        }
        Ok(())
    }

    fn contradiction(&self, block: Block, reason: &str) -> Broken {
        Broken(format!("{} with {} blocks cannot write {block:?}: {reason}", self.id, self.chain.height()))
    }

    /// Pulls the blocks up to a snapshot's from others.
    fn catch_up(&mut self, snapshot: &Snapshot, laws: &Laws) -> Held {
        let Some(target) = Block::decode(&snapshot.data) else { return Ok(()) };
        for block in laws.blocks_from(self.chain.height()).iter().take_while(|block| block.number <= target.number) {
            self.chain.write(*block, snapshot.index).map_err(|reason| self.contradiction(*block, reason))?;
        }
        self.chain.sync();
        match self.chain.block(target.number) {
            Some(pulled) if pulled == target => Ok(()),
            pulled => Err(Broken(format!("{} took a snapshot at {target:?}, where others have {pulled:?}", self.id))),
        }
    }

    /// Syncs its blocks, and takes a snapshot when the log has become long.
    fn look_after_disk(&mut self, random: &mut Random, done: &mut Done) {
        if random.below(4) == 0 {
            self.chain.sync();
        }
        let Some(running) = &mut self.running else { return };
        let Some((block, index)) = self.chain.durable_tip() else { return };
        let taken = running.node.snapshot().map_or(0, |snapshot| snapshot.index);
        let wanted = running.node.wants_snapshot() && self.chain.unsynced() == 0;
        // What was applied since the last block made none, so that a snapshot of now has the same data.
        let index = if wanted { running.node.applied() } else { index };
        if index <= taken || (!wanted && index < taken + self.compact_after) {
            return;
        }
        let Some(snapshot) = running.node.snapshot_at(index, block.encode(0)).map(Arc::new) else { return };
        if running.log.compact(&snapshot).is_err() {
            done.down = self.disk.is_down();
            return;
        }
        self.snapshots_taken += 1;
        running.node.keep_snapshot(snapshot);
        running.node.compact(index.saturating_sub(CATCH_UP_ENTRIES));
    }

    /// Takes a message; what cannot come from a member that keeps the rules is a broken law.
    pub(crate) fn receive(&mut self, bytes: &Bytes) -> Held {
        use fastledger_consensus::StepError::Stranger;
        let Some(node) = self.node_mut() else { return Ok(()) };
        let stepped = Message::decode(bytes).map_err(Into::into).and_then(|message| node.step(message));
        match stepped {
            // Answers of members that were removed, or that this one does not know yet.
            Ok(()) | Err(Stranger { .. }) => Ok(()),
            Err(error) => Err(Broken(format!("{}: {error}", self.id))),
        }
    }

    /// Proposes a block if it leads and serves.
    pub(crate) fn propose(&mut self, content: u64, padding: usize) -> bool {
        let (height, tip) = (self.chain.height(), self.chain.tip_hash());
        let Some(running) = &mut self.running else { return false };
        let Some(leads) = running.leads.as_mut().filter(|leads| leads.term == running.node.hard_state().term) else {
            return false;
        };
        // What earlier leaders left is applied first: a block names the one before.
        if running.node.soft_state().role != Role::Leader || running.node.applied() < leads.serves_from {
            return false;
        }
        let (next, previous) = leads.proposed.map_or((height, tip), |(number, hash)| (number + 1, hash));
        if next >= height + MAX_INFLIGHT_BLOCKS {
            return false;
        }
        let block = Block { number: next, previous, content };
        let proposed = running.node.propose(block.encode(padding)).is_ok();
        if proposed {
            leads.proposed = Some((next, block.hash()));
        }
        proposed
    }
}

impl Running {
    /// Notes when it has come to lead.
    fn look_at_role(&mut self, laws: &mut Laws) -> Held {
        let term = self.node.hard_state().term;
        if self.node.soft_state().role != Role::Leader {
            self.leads = None;
        } else if self.leads.is_none_or(|leads| leads.term != term) {
            laws.leads(&self.node)?;
            self.leads = Some(Leads { term, serves_from: self.node.last_index(), proposed: None });
        }
        Ok(())
    }
}

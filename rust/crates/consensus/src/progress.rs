// SPDX-License-Identifier: Apache-2.0
//! What a leader knows of one member's log.
//!
//! ```text
//!          become_replicate: it acknowledged
//!   ┌──────────────────────────────────────────┐
//!   │                                          ▼
//! Probe ◄──── become_probe: it refused, ─── Replicate
//!   │ ▲       or is unreachable                │
//!   │ │                                        │
//!   │ └─ become_probe: the snapshot arrived,   │
//!   │    or failed                             │
//!   │              │                           │
//!   └─────────► Snapshot ◄─────────────────────┘
//!               become_snapshot: what it lacks is compacted
//! ```

use std::collections::VecDeque;
use std::fmt;

/// How entries are sent to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replication {
    /// One message at a time, to find where its log agrees.
    #[default]
    Probe,
    /// One message after the other without waiting for answers.
    Replicate,
    /// Nothing until a snapshot has reached it.
    Snapshot,
}

/// One member's progress.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The highest entry that it is known to have durable.
    pub matched: u64,
    /// The entry to send next; above `matched`.
    pub next: u64,
    /// How entries are sent.
    pub replication: Replication,
    /// Whether it was heard from since the leader looked last.
    pub recently_active: bool,
    /// The snapshot that is on its way; 0 for none.
    pub pending_snapshot: u64,
    /// Whether it knows that the leader's removal is committed.
    pub knows_removal: bool,
    /// The highest commit index that was sent and may have reached it.
    sent_commit: u64,
    /// Nothing more is sent until it answers.
    flow_paused: bool,
    inflights: Inflights,
}

impl Progress {
    pub(crate) fn new(matched: u64, next: u64, max_inflight: usize) -> Self {
        Self {
            matched,
            next,
            replication: Replication::Probe,
            recently_active: false,
            pending_snapshot: 0,
            knows_removal: false,
            sent_commit: 0,
            flow_paused: false,
            inflights: Inflights { lasts: VecDeque::new(), max: max_inflight },
        }
    }

    fn enter(&mut self, replication: Replication) {
        self.flow_paused = false;
        self.pending_snapshot = 0;
        self.replication = replication;
        self.inflights.lasts.clear();
    }

    pub(crate) fn become_probe(&mut self) {
        // A snapshot that arrived brought the member this far, even if its own answer has not come yet.
        let arrived = if self.replication == Replication::Snapshot { self.pending_snapshot } else { 0 };
        self.enter(Replication::Probe);
        self.next = (self.matched + 1).max(arrived + 1);
        self.sent_commit = self.sent_commit.min(self.next - 1);
    }

    pub(crate) fn become_replicate(&mut self) {
        self.enter(Replication::Replicate);
        self.next = self.matched + 1;
    }

    pub(crate) fn become_snapshot(&mut self, index: u64) {
        self.enter(Replication::Snapshot);
        self.pending_snapshot = index;
        self.next = index + 1;
        self.sent_commit = index;
    }

    /// Whether nothing may be sent now but heartbeats.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.replication == Replication::Snapshot || self.flow_paused
    }

    /// Whether so many messages with entries are on their way that only empty ones may follow.
    pub(crate) fn full(&self) -> bool {
        self.replication == Replication::Replicate && self.inflights.full()
    }

    /// Lets the next message go: it was heard from.
    pub(crate) fn resume(&mut self) {
        self.flow_paused = false;
    }

    /// Holds what follows until it is heard from.
    pub(crate) fn pause(&mut self) {
        self.flow_paused = true;
    }

    pub(crate) fn sent_entries(&mut self, entries: usize) {
        if self.replication == Replication::Replicate {
            if entries > 0 {
                self.next += entries as u64;
                self.inflights.lasts.push_back(self.next - 1);
            }
            self.flow_paused = self.inflights.full();
        } else if entries > 0 {
            self.flow_paused = true;
        }
    }

    pub(crate) fn sent_commit(&mut self, commit: u64) {
        self.sent_commit = commit;
    }

    /// Whether sending `commit` would tell the member something.
    pub(crate) fn can_bump_commit(&self, commit: u64) -> bool {
        commit > self.sent_commit && self.sent_commit < self.next - 1
    }

    /// Takes an acknowledgement; whether it was news.
    pub(crate) fn acknowledge(&mut self, index: u64) -> bool {
        if index <= self.matched {
            return false;
        }
        self.matched = index;
        self.next = self.next.max(index + 1);
        self.flow_paused = false;
        true
    }

    /// Messages up to this entry have arrived.
    pub(crate) fn free_inflights(&mut self, index: u64) {
        while self.inflights.lasts.front().is_some_and(|last| *last <= index) {
            self.inflights.lasts.pop_front();
        }
    }

    /// Takes a refusal of entries after `refused`, with the entry that may agree; false for one that is out of date.
    pub(crate) fn step_back(&mut self, refused: u64, hint: u64) -> bool {
        if self.replication == Replication::Replicate {
            if refused <= self.matched {
                return false;
            }
            self.next = self.matched + 1;
        } else {
            if self.next - 1 != refused {
                return false;
            }
            self.next = refused.min(hint.saturating_add(1)).max(self.matched + 1);
            self.flow_paused = false;
        }
        self.sent_commit = self.sent_commit.min(self.next - 1);
        true
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "State{:?} match={} next={}", self.replication, self.matched, self.next)?;
        if self.paused() {
            write!(to, " paused")?;
        }
        if self.pending_snapshot > 0 {
            write!(to, " pendingSnap={}", self.pending_snapshot)?;
        }
        if !self.recently_active {
            write!(to, " inactive")?;
        }
        match self.inflights.lasts.len() {
            0 => Ok(()),
            on_their_way if self.inflights.full() => write!(to, " inflight={on_their_way}[full]"),
            on_their_way => write!(to, " inflight={on_their_way}"),
        }
    }
}

/// The last entry of each message that is on its way, oldest first.
#[derive(Debug, Clone)]
struct Inflights {
    lasts: VecDeque<u64>,
    /// How many at most: `max_inflight_messages`.
    max: usize,
}

impl Inflights {
    fn full(&self) -> bool {
        self.lasts.len() >= self.max
    }
}

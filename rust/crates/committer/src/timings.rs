// SPDX-License-Identifier: Apache-2.0
//! Where a block's time went.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The stages that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Taking entries apart, hashes of proposals and of the block's data included.
    Parse,
    /// Identities, digests and signatures.
    Verify,
    /// Duplicates, chaincode definitions and endorsement policies.
    Policy,
    /// Concurrency control and the commit hash.
    Mvcc,
    /// Writing the block file until it is durable.
    Append,
    /// Writing state, history and indexes.
    State,
}

impl Stage {
    /// Every stage, in the order of a transaction's way.
    pub const ALL: [Self; 6] = [Self::Parse, Self::Verify, Self::Policy, Self::Mvcc, Self::Append, Self::State];

    /// The stage's name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Verify => "verify",
            Self::Policy => "policy",
            Self::Mvcc => "mvcc",
            Self::Append => "append",
            Self::State => "state",
        }
    }
}

/// Time on the wall's clock, and on a core.
///
/// The difference is waiting: for a core that another thread has, or for the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// As the world saw it.
    pub wall: Duration,
    /// As the thread that did the work had a core.
    pub cpu: Duration,
}

impl Spent {
    /// An equal share of it.
    pub(crate) fn share(self, of: usize) -> Self {
        let of = u32::try_from(of.max(1)).unwrap_or(u32::MAX);
        Self { wall: self.wall / of, cpu: self.cpu / of }
    }
}

/// Measures what this thread does from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: thread_cpu() }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { wall: self.wall.elapsed(), cpu: thread_cpu().saturating_sub(self.cpu) }
    }
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Time per stage, summed over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings([Spent; Stage::ALL.len()]);

impl Timings {
    /// Time spent in a stage.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Spent {
        self.0[stage as usize]
    }

    /// Counts time to a stage.
    pub(crate) fn count(&mut self, stage: Stage, spent: Spent) {
        let sum = &mut self.0[stage as usize];
        sum.wall += spent.wall;
        sum.cpu += spent.cpu;
    }

    /// Counts another thread's time too.
    pub(crate) fn add(&mut self, other: &Self) {
        for stage in Stage::ALL {
            self.count(stage, other.get(stage));
        }
    }
}

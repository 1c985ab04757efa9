// SPDX-License-Identifier: Apache-2.0
//! Where a block's time went.

use std::time::{Duration, Instant};

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

/// Time per stage, summed over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings([Duration; Stage::ALL.len()]);

impl Timings {
    /// Time spent in a stage.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }

    /// Counts the time since `start` to a stage.
    pub(crate) fn since(&mut self, stage: Stage, start: Instant) {
        self.0[stage as usize] += start.elapsed();
    }

    /// Counts another thread's time too.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

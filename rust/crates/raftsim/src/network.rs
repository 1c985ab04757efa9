// SPDX-License-Identifier: Apache-2.0
//! Which messages arrive, and when.

use std::collections::BTreeSet;

use bytes::Bytes;
use fastledger_consensus::Random;

use crate::faults::{Counts, Faults};

/// Time that a message takes at most when nothing is wrong, and the most that a late one takes.
const SWIFT: u64 = 20;
const LATE: u64 = 1500;

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Bytes,
    pub(crate) snapshot: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    /// Who cannot reach whom.
    cut: BTreeSet<(u64, u64)>,
}

impl Network {
    /// When copies of a message arrive, after how long; none if it is lost.
    pub(crate) fn send(&self, letter: &Letter, faults: &Faults, random: &mut Random, counts: &mut Counts) -> Vec<u64> {
        if self.cut.contains(&(letter.from, letter.to)) {
            counts.messages_cut_off += 1;
            return Vec::new();
        }
        if random.below(10_000) < faults.loss {
            counts.messages_lost += 1;
            return Vec::new();
        }
        let mut arrivals = vec![1 + random.below(SWIFT)];
        if random.below(10_000) < faults.delay {
            counts.messages_late += 1;
            arrivals[0] += random.below(LATE);
        }
        if random.below(10_000) < faults.duplication {
            counts.messages_doubled += 1;
            arrivals.push(1 + random.below(LATE));
        }
        arrivals
    }

    /// Cuts some of the members off from the others; in one direction alone by chance.
    pub(crate) fn part(&mut self, members: &[u64], random: &mut Random) {
        let asymmetric = random.below(3) == 0;
        let side: BTreeSet<_> = members.iter().filter(|_| random.below(2) == 0).copied().collect();
        for from in members {
            for to in members {
                let crosses = side.contains(from) != side.contains(to);
                if crosses && (!asymmetric || side.contains(from)) {
                    self.cut.insert((*from, *to));
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn is_parted(&self) -> bool {
        !self.cut.is_empty()
    }
}

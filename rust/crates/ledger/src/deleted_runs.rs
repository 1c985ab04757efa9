// SPDX-License-Identifier: Apache-2.0
//! Runs of deleted states that a view's range queries met, so that each is stepped over row by row once and not once for
//! each query: deletions stay in the layers until they are flushed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fastledger_mvcc::voids::{LEAST_RUN, Voids};

/// Runs that are remembered at most, each with the two keys that it lies between.
const MAX_RUNS: usize = 1 << 16;

/// All whole keys are in one space.
const SPACE: &str = "";

/// The runs of one view, by whole keys.
#[derive(Debug, Default)]
pub(crate) struct DeletedRuns(Mutex<Voids<'static>>);

/// Deleted rows that follow each other.
pub(crate) struct Run<'r> {
    known: &'r DeletedRuns,
    /// The first key that could be in it.
    from: Vec<u8>,
    rows: usize,
}

impl DeletedRuns {
    /// Where a walk from a key on has to begin, and where the next known run does; `None`: there is nothing from there on.
    pub(crate) fn ahead(&self, from: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let known = self.lock();
        let from = match known.end_around(SPACE, from) {
            Some(end) => end.as_deref()?,
            None => from,
        };
        Some((from.to_vec(), known.next_start(SPACE, from).map(<[u8]>::to_vec)))
    }

    /// A run that may begin at a key.
    pub(crate) fn run(&self, from: &[u8]) -> Run<'_> {
        Run { known: self, from: from.to_vec(), rows: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Voids<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// One more row is deleted.
    pub(crate) fn lengthen(&mut self) {
        self.rows += 1;
    }

    /// The run ends before a key, or with the last of all; another may begin behind that key.
    pub(crate) fn end(&mut self, key: Option<&[u8]>) {
        if self.rows >= LEAST_RUN {
            let mut known = self.known.lock();
            if known.count() >= MAX_RUNS {
                *known = Voids::default();
            }
            known.add(SPACE, (self.from.as_slice().into(), key.map(Into::into)));
        }
        self.rows = 0;
        self.from.clear();
        self.from.extend_from_slice(key.unwrap_or_default());
        self.from.push(0);
    }
}

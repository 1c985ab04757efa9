// SPDX-License-Identifier: Apache-2.0
//! The merkle summaries that a block's range queries are held against, each worked out once: a query takes some bytes,
//! its summary as many hashes as the range has keys.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastledger_wire::rwset::RangeQueryInfo;

use crate::merkle::Summary;

/// Hashes that are remembered of one block, 32 bytes each; whoever asks for more has them made again.
const MAX_HASHES: usize = 1 << 18;

/// What a summary depends on beside the state: start, end, whether the simulation saw the end, degree.
type Range<'a> = (&'a str, &'a str, bool, u32);

/// What is known of some state.
#[derive(Debug, Default)]
pub(crate) struct Summaries<'a>(Mutex<Known<'a>>);

#[derive(Debug, Default)]
struct Known<'a> {
    /// By namespace; none where a range has too few results, or others than a summary can have.
    summaries: HashMap<&'a str, HashMap<Range<'a>, Option<Summary>>>,
    hashes: usize,
}

impl<'a> Summaries<'a> {
    /// Whether `is_expected` of the summary that the query has, or that `make` makes of it.
    pub(crate) fn hold<E>(
        &self,
        namespace: &'a str,
        query: &RangeQueryInfo<'a>,
        degree: u32,
        is_expected: impl Fn(Option<&Summary>) -> bool,
        make: impl FnOnce() -> Result<Option<Summary>, E>,
    ) -> Result<bool, E> {
        let bounds = (query.start_key, query.end_key, query.itr_exhausted, degree);
        if let Some(known) = self.lock().summaries.get(namespace).and_then(|ranges| ranges.get(&bounds)) {
            return Ok(is_expected(known.as_ref()));
        }
        // Made without the lock: two threads may do the same work once.
        let summary = make()?;
        let holds = is_expected(summary.as_ref());
        let mut kept = self.lock();
        let hashes = hashes(summary.as_ref());
        if kept.hashes + hashes <= MAX_HASHES
            && kept.summaries.entry(namespace).or_default().insert(bounds, summary).is_none()
        {
            kept.hashes += hashes;
        }
        Ok(holds)
    }

    /// The public state of a namespace changed.
    pub(crate) fn forget(&mut self, namespace: &str) {
        let known = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for made in known.summaries.remove(namespace).into_iter().flat_map(HashMap::into_values) {
            known.hashes -= hashes(made.as_ref());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known<'a>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a summary counts for; the least one as much as a hash.
fn hashes(summary: Option<&Summary>) -> usize {
    summary.map_or(0, |summary| summary.hashes.len()) + 1
}

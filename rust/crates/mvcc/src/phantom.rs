// SPDX-License-Identifier: Apache-2.0
//! Whether a range query would give the same results again, found in one pass that keeps no results
//! (`rangequery_validator.go`, `combined_iterator.go`).

use std::ops::ControlFlow;

use fastledger_wire::Height;
use fastledger_wire::rwset::{KvRead, RangeQueryInfo, ReadsInfo};

use crate::changes::Changes;
use crate::conflict::{Conflict, Difference};
use crate::merkle::{MerkleTree, Summary};
use crate::state::{StateKey, StateReader};
use crate::summaries::Summaries;
use crate::voids::{End, LEAST_RUN, Void};

/// Compares the results of `query` with those that committed state and `changes` give now; `summaries` are of the same
/// state.
pub(crate) fn check<'a, R: StateReader>(
    namespace: &'a str,
    query: &'a RangeQueryInfo<'a>,
    state: &R,
    changes: &mut Changes<'a>,
    summaries: &Summaries<'a>,
) -> Result<Option<Conflict<'a>>, R::Error> {
    let mut meet_all = |seen| meet_all(namespace, query, state, changes, seen);
    let difference = match &query.reads_info {
        // No results are those of a query that says nothing about them.
        ReadsInfo::Unset => meet_all(Seen::Results([].iter()))?.break_value(),
        ReadsInfo::RawReads(reads) => meet_all(Seen::Results(reads.kv_reads.iter()))?.break_value(),
        ReadsInfo::ReadsMerkleHashes(expected) => {
            let make = || match MerkleTree::new(expected.max_degree) {
                Some(tree) => Ok(meet_all(Seen::Tree(tree))?.continue_value().flatten()),
                None => Ok(None),
            };
            let is_expected = |found: Option<&Summary>| {
                found
                    .is_some_and(|found| found.level == expected.max_level && found.hashes == expected.max_level_hashes)
            };
            let holds = summaries.hold(namespace, query, expected.max_degree, is_expected, make)?;
            (!holds).then_some(Difference::Summary)
        }
    };
    Ok(difference.map(|difference| conflict(namespace, query, difference)))
}

pub(crate) fn conflict<'a>(namespace: &'a str, query: &RangeQueryInfo<'a>, difference: Difference<'a>) -> Conflict<'a> {
    Conflict::Phantom { namespace, start_key: query.start_key, end_key: query.end_key, difference }
}

/// Meets everything from the start to the end, and then the end key; the summary of it if one is made.
fn meet_all<'a, R: StateReader>(
    namespace: &'a str,
    query: &'a RangeQueryInfo<'a>,
    state: &R,
    changes: &mut Changes<'a>,
    seen: Seen<'a>,
) -> Result<ControlFlow<Difference<'a>, Option<Summary>>, R::Error> {
    let mut walk = Walk { namespace, query, state, changes, seen, dead: 0, dead_from: Vec::new(), learned: Vec::new() };
    let mut flow = walk.go()?;
    let Walk { mut seen, learned, .. } = walk;
    for void in learned {
        changes.voids.add(namespace, void);
    }
    if flow.is_continue() {
        flow = seen.meet(query.end_key.as_bytes(), end_key_version(namespace, query, state, changes)?);
    }
    Ok(match flow {
        ControlFlow::Continue(()) => seen.finish(),
        ControlFlow::Break(difference) => ControlFlow::Break(difference),
    })
}

/// A way through a range, over committed state with the block's changes before it.
struct Walk<'w, 'a, R> {
    namespace: &'a str,
    query: &'a RangeQueryInfo<'a>,
    state: &'w R,
    changes: &'w Changes<'a>,
    seen: Seen<'a>,
    /// Deleted keys since the last one that is there.
    dead: usize,
    /// The first key that could be among them.
    dead_from: Vec<u8>,
    learned: Vec<Void>,
}

/// Why a stretch of a walk ends before the range does.
enum Stop<'a> {
    /// The results differ.
    Difference(Difference<'a>),
    /// The next void is reached.
    Void,
}

impl<'a, R: StateReader> Walk<'_, 'a, R> {
    fn go(&mut self) -> Result<ControlFlow<Difference<'a>>, R::Error> {
        let end = (!self.query.end_key.is_empty()).then(|| Box::from(self.query.end_key.as_bytes()));
        self.dead_from.extend_from_slice(self.query.start_key.as_bytes());
        let voids = &self.changes.voids;
        let mut next = Some(Box::from(self.query.start_key.as_bytes()));
        while let Some(start) = next.take().filter(|start| end.as_ref().is_none_or(|end| start < end)) {
            if let Some(behind) = voids.end_around(self.namespace, &start) {
                // It is stepped over as if it were as many keys as make a void, so that many become one.
                self.dead += LEAST_RUN;
                next.clone_from(behind);
                continue;
            }
            match self.stretch(&start)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(Stop::Void) => next = voids.next_start(self.namespace, &start).map(Box::from),
                ControlFlow::Break(Stop::Difference(difference)) => return Ok(ControlFlow::Break(difference)),
            }
        }
        self.close(end);
        Ok(ControlFlow::Continue(()))
    }

    /// Goes on from `start` until a void is reached.
    fn stretch(&mut self, start: &[u8]) -> Result<ControlFlow<Stop<'a>>, R::Error> {
        let (namespace, end, committed) = (self.namespace, self.query.end_key, self.state);
        let void = self.changes.voids.next_start(namespace, start);
        let mut pending = self.changes.between(namespace, start, end.as_bytes()).peekable();
        let mut flow = ControlFlow::Continue(());
        committed.range(namespace, start, end, &mut |key, version| {
            while let Some((before, change)) = pending.next_if(|(changed, _)| *changed < key) {
                flow = self.meet(before, change.version, void);
                if flow.is_break() {
                    return ControlFlow::Break(());
                }
            }
            let changed = pending.next_if(|(changed, _)| *changed == key);
            flow = self.meet(key, changed.map_or(Some(version), |(_, change)| change.version), void);
            if flow.is_break() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        while flow.is_continue()
            && let Some((behind, change)) = pending.next()
        {
            flow = self.meet(behind, change.version, void);
        }
        Ok(flow)
    }

    /// The next key and its version; `None`: the block deleted it.
    fn meet(&mut self, key: &[u8], version: Option<Height>, void: Option<&[u8]>) -> ControlFlow<Stop<'a>> {
        if void.is_some_and(|void| void <= key) {
            return ControlFlow::Break(Stop::Void);
        }
        if version.is_none() {
            self.dead += 1;
            return ControlFlow::Continue(());
        }
        if self.dead > 0 {
            self.close(Some(key.into()));
        }
        self.dead_from.clear();
        self.dead_from.extend_from_slice(key);
        self.dead_from.push(0);
        match self.seen.meet(key, version) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(difference) => ControlFlow::Break(Stop::Difference(difference)),
        }
    }

    /// Ends a run of deleted keys, and learns it where that is worth it.
    fn close(&mut self, end: End) {
        if self.dead >= LEAST_RUN {
            self.learned.push((self.dead_from.as_slice().into(), end));
        }
        self.dead = 0;
    }
}

/// The end key is a result of its own when the simulation stopped there; it comes last, even where it lies inside the
/// range (an empty end key does) or before its start.
fn end_key_version<R: StateReader>(
    namespace: &str,
    query: &RangeQueryInfo<'_>,
    state: &R,
    changes: &Changes<'_>,
) -> Result<Option<Height>, R::Error> {
    match changes.get(namespace, query.end_key.as_bytes()) {
        _ if query.itr_exhausted => Ok(None),
        Some(change) => Ok(change.version),
        None => state.version(StateKey { namespace, collection: "", key: query.end_key.as_bytes() }),
    }
}

/// What the simulation saw, met by what is there now.
enum Seen<'a> {
    /// Results, of which the next one is met.
    Results(std::slice::Iter<'a, KvRead<'a>>),
    /// A summary, which what is met makes again.
    Tree(MerkleTree),
}

impl<'a> Seen<'a> {
    /// The next key; one without a version is no result.
    fn meet(&mut self, key: &[u8], version: Option<Height>) -> ControlFlow<Difference<'a>> {
        let Some(version) = version else { return ControlFlow::Continue(()) };
        match self {
            Self::Results(reads) => {
                let expected = reads.next().map(|read| (read.key, read.version.as_ref().map(Height::from)));
                if expected.is_some_and(|(read, seen)| read.as_bytes() == key && seen == Some(version)) {
                    return ControlFlow::Continue(());
                }
                ControlFlow::Break(Difference::Result { expected, found: Some((Box::from(key), version)) })
            }
            Self::Tree(tree) => match std::str::from_utf8(key) {
                Ok(key) => {
                    tree.add(key, version);
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(Difference::Summary),
            },
        }
    }

    /// No more keys.
    fn finish(self) -> ControlFlow<Difference<'a>, Option<Summary>> {
        match self {
            Self::Results(mut reads) => match reads.next() {
                Some(read) => ControlFlow::Break(Difference::Result {
                    expected: Some((read.key, read.version.as_ref().map(Height::from))),
                    found: None,
                }),
                None => ControlFlow::Continue(None),
            },
            Self::Tree(tree) => ControlFlow::Continue(tree.finish()),
        }
    }
}

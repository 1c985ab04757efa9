// SPDX-License-Identifier: Apache-2.0
//! Whether a range query would give the same results again, found in one pass that keeps no results
//! (`rangequery_validator.go`, `combined_iterator.go`).

use std::ops::ControlFlow;

use fastledger_wire::Height;
use fastledger_wire::rwset::{KvRead, QueryReadsMerkleSummary, RangeQueryInfo, ReadsInfo};

use crate::conflict::{Conflict, Difference};
use crate::merkle::MerkleTree;
use crate::state::{StateKey, StateReader};

/// What the block's earlier transactions did to the keys of a range.
#[derive(Debug, Default)]
pub(crate) struct Changes<'c> {
    /// From start to end, in key order.
    pub(crate) inside: Vec<Change<'c>>,
    /// Of the end key, which is looked at when the simulation stopped there.
    pub(crate) end_key: Option<Change<'c>>,
}

/// A key that was written, and its version now; `None`: it was deleted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'c> {
    pub(crate) key: &'c [u8],
    pub(crate) version: Option<Height>,
}

impl Changes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.inside.is_empty() && self.end_key.is_none()
    }
}

/// Compares the results of `query` with those that committed state and `changes` give now.
pub(crate) fn check<'a, R: StateReader>(
    namespace: &'a str,
    query: &'a RangeQueryInfo<'a>,
    state: &R,
    changes: &Changes<'_>,
) -> Result<Option<Conflict<'a>>, R::Error> {
    let difference = match Expected::of(query) {
        Some(expected) => compare(namespace, query, state, changes, expected)?.break_value(),
        None => Some(Difference::Summary),
    };
    Ok(difference.map(|difference| conflict(namespace, query, difference)))
}

pub(crate) fn conflict<'a>(namespace: &'a str, query: &RangeQueryInfo<'a>, difference: Difference<'a>) -> Conflict<'a> {
    Conflict::Phantom { namespace, start_key: query.start_key, end_key: query.end_key, difference }
}

/// Merges committed state with the changes, which stand before it.
fn compare<'a, R: StateReader>(
    namespace: &'a str,
    query: &'a RangeQueryInfo<'a>,
    state: &R,
    changes: &Changes<'_>,
    mut expected: Expected<'a>,
) -> Result<ControlFlow<Difference<'a>>, R::Error> {
    let mut pending = changes.inside.iter().peekable();
    let mut flow = ControlFlow::Continue(());
    state.range(namespace, query.start_key, query.end_key, &mut |key, version| {
        while let Some(before) = pending.next_if(|change| change.key < key) {
            flow = expected.meet(before.key, before.version);
            if flow.is_break() {
                return ControlFlow::Break(());
            }
        }
        let version = pending.next_if(|change| change.key == key).map_or(Some(version), |change| change.version);
        flow = expected.meet(key, version);
        if flow.is_break() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if flow.is_break() {
        return Ok(flow);
    }
    for behind in pending {
        flow = expected.meet(behind.key, behind.version);
        if flow.is_break() {
            return Ok(flow);
        }
    }
    let flow = expected.meet(query.end_key.as_bytes(), end_key_version(namespace, query, state, changes)?);
    if flow.is_break() { Ok(flow) } else { Ok(expected.finish()) }
}

/// The end key is a result of its own when the simulation stopped there; it comes last, even where it lies inside the
/// range (an empty end key does) or before its start.
fn end_key_version<R: StateReader>(
    namespace: &str,
    query: &RangeQueryInfo<'_>,
    state: &R,
    changes: &Changes<'_>,
) -> Result<Option<Height>, R::Error> {
    match changes.end_key {
        _ if query.itr_exhausted => Ok(None),
        Some(end) => Ok(end.version),
        None => state.version(StateKey { namespace, collection: "", key: query.end_key.as_bytes() }),
    }
}

/// What the simulation saw, met by what is there now.
enum Expected<'a> {
    Results(std::slice::Iter<'a, KvRead<'a>>),
    Summary { tree: MerkleTree, summary: &'a QueryReadsMerkleSummary<'a> },
}

impl<'a> Expected<'a> {
    /// `None` when nothing can match. No results are those of a query that says nothing about them.
    fn of(query: &'a RangeQueryInfo<'a>) -> Option<Self> {
        match &query.reads_info {
            ReadsInfo::Unset => Some(Self::Results([].iter())),
            ReadsInfo::RawReads(reads) => Some(Self::Results(reads.kv_reads.iter())),
            ReadsInfo::ReadsMerkleHashes(summary) => {
                Some(Self::Summary { tree: MerkleTree::new(summary.max_degree)?, summary })
            }
        }
    }

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
            Self::Summary { tree, .. } => match std::str::from_utf8(key) {
                Ok(key) => {
                    tree.add(key, version);
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(Difference::Summary),
            },
        }
    }

    /// No more keys.
    fn finish(self) -> ControlFlow<Difference<'a>> {
        match self {
            Self::Results(mut reads) => match reads.next() {
                Some(read) => ControlFlow::Break(Difference::Result {
                    expected: Some((read.key, read.version.as_ref().map(Height::from))),
                    found: None,
                }),
                None => ControlFlow::Continue(()),
            },
            Self::Summary { tree, summary } => match tree.finish() {
                Some(found) if found.level == summary.max_level && found.hashes == summary.max_level_hashes => {
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Break(Difference::Summary),
            },
        }
    }
}

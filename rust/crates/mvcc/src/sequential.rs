// SPDX-License-Identifier: Apache-2.0
//! The judge: one transaction after the other, every read answered anew, every range query run again and its
//! results laid side by side.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fastledger_wire::hash::sha256;
use fastledger_wire::rwset::{KvRead, QueryReadsMerkleSummary, RangeQueryInfo, ReadsInfo};
use fastledger_wire::{Hash, Height};

use crate::checks::{Check, checks, read_of_nowhere};
use crate::conflict::{Conflict, Difference};
use crate::merkle::{self, Summary};
use crate::phantom;
use crate::state::{StateKey, StateReader, Update, UpdateBatch};
use crate::writes::{self, Effect, KeyWrite};
use crate::{MvccError, Transaction, Validated};

/// Judges the transactions in block order, and gathers the writes of those that are valid.
pub fn validate<'a, R: StateReader>(
    block_number: u64,
    txs: &[Transaction<'a>],
    state: &R,
) -> Result<Validated<'a>, MvccError<R::Error>> {
    let mut block = BlockState { state, updates: BTreeMap::new() };
    let mut conflicts = Vec::new();
    for tx in txs {
        let version = Height { block: block_number, tx: u64::from(tx.index) };
        if let Some(conflict) = block.commit(tx, version)? {
            conflicts.push((tx.index, conflict));
        }
    }
    Ok(Validated { conflicts, batch: UpdateBatch { updates: block.updates.into_values().collect() } })
}

/// A result of a range query: key and version.
type Found = (Box<[u8]>, Height);

/// Committed state with the updates of the block's valid transactions so far.
struct BlockState<'s, 'a, R> {
    state: &'s R,
    updates: BTreeMap<StateKey<'a>, Update<'a>>,
}

impl<'a, R: StateReader> BlockState<'_, 'a, R> {
    /// Applies a transaction's writes, unless it conflicts.
    fn commit(&mut self, tx: &Transaction<'a>, version: Height) -> Result<Option<Conflict<'a>>, R::Error> {
        for check in checks(tx.rwset) {
            let conflict = match check {
                Check::Read { key, expected } => self.read(key, expected)?,
                Check::ReadOfNowhere { key, expected } => read_of_nowhere(key, expected),
                Check::Range { namespace, query } => self.range(namespace, query)?,
            };
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        let mut writes = Vec::new();
        writes::collect(tx.rwset, &mut writes);
        let mut updates = Vec::new();
        for write in writes {
            match self.update(&write, version)? {
                Ok(update) => updates.extend(update),
                Err(conflict) => return Ok(Some(conflict)),
            }
        }
        self.updates.extend(updates.into_iter().map(|update| (update.key, update)));
        Ok(None)
    }

    fn read(&self, key: StateKey<'a>, expected: Option<Height>) -> Result<Option<Conflict<'a>>, R::Error> {
        let (found, in_block) = match self.updates.get(&key) {
            Some(update) => (update.state.is_some().then_some(update.version), Some(update.writer())),
            None => (self.state.version(key)?, None),
        };
        let conflict = in_block.is_some() || found != expected;
        Ok(conflict.then_some(Conflict::Read { key, expected, found, in_block }))
    }

    fn range(&self, namespace: &'a str, query: &'a RangeQueryInfo<'a>) -> Result<Option<Conflict<'a>>, R::Error> {
        let found = self.results(namespace, query)?;
        let difference = match &query.reads_info {
            ReadsInfo::Unset => first_difference(&[], found),
            ReadsInfo::RawReads(reads) => first_difference(&reads.kv_reads, found),
            ReadsInfo::ReadsMerkleHashes(expected) => (!is_summary(expected, &found)).then_some(Difference::Summary),
        };
        Ok(difference.map(|difference| phantom::conflict(namespace, query, difference)))
    }

    /// All results that the query gives now.
    fn results(&self, namespace: &str, query: &RangeQueryInfo<'_>) -> Result<Vec<Found>, R::Error> {
        let mut results = BTreeMap::new();
        self.state.range(namespace, query.start_key.as_bytes(), query.end_key, &mut |key, version| {
            results.insert(Box::from(key), version);
            ControlFlow::Continue(())
        })?;
        for update in self.updates.values().filter(|update| is_inside(update.key, namespace, query)) {
            match update.state {
                Some(_) => results.insert(Box::from(update.key.key), update.version),
                None => results.remove(update.key.key),
            };
        }
        let mut results: Vec<_> = results.into_iter().collect();
        if !query.itr_exhausted {
            let key = StateKey { namespace, collection: "", key: query.end_key.as_bytes() };
            let version = match self.updates.get(&key) {
                Some(update) => update.state.is_some().then_some(update.version),
                None => self.state.version(key)?,
            };
            results.extend(version.map(|version| (Box::from(key.key), version)));
        }
        Ok(results)
    }

    /// The update that a write makes: `Ok(None)` for one that does nothing, `Err` for one that cannot be.
    fn update(
        &self,
        write: &KeyWrite<'a>,
        version: Height,
    ) -> Result<Result<Option<Update<'a>>, Conflict<'a>>, R::Error> {
        let key = write.key;
        let earlier = self.updates.get(&key);
        let state = match write.effect() {
            Effect::Delete => None,
            Effect::Put { value, metadata } => Some((Cow::Borrowed(value), metadata)),
            Effect::PutValue(value) => {
                let metadata = match earlier {
                    Some(earlier) => earlier.state.as_ref().map_or(Cow::default(), |(_, metadata)| metadata.clone()),
                    None => self.state.metadata(key)?,
                };
                Some((Cow::Borrowed(value), metadata))
            }
            Effect::PutMetadata(metadata) => {
                let value = match earlier {
                    Some(Update { state: Some((value, _)), .. }) => value.clone(),
                    Some(deleted) => return Ok(Err(Conflict::Write { key, in_block: Some(deleted.writer()) })),
                    None => match self.state.get(key)? {
                        Some(found) => found.value,
                        None => return Ok(Ok(None)),
                    },
                };
                Some((value, metadata))
            }
            Effect::Void => return Ok(Err(Conflict::Write { key, in_block: None })),
        };
        Ok(Ok(Some(Update { key, version, state })))
    }
}

fn is_inside(key: StateKey<'_>, namespace: &str, query: &RangeQueryInfo<'_>) -> bool {
    key.namespace == namespace
        && key.collection.is_empty()
        && key.key >= query.start_key.as_bytes()
        && (query.end_key.is_empty() || key.key < query.end_key.as_bytes())
}

fn first_difference<'a>(expected: &'a [KvRead<'a>], found: Vec<Found>) -> Option<Difference<'a>> {
    let seen: Vec<_> = expected.iter().map(|read| (read.key, read.version.as_ref().map(Height::from))).collect();
    let same = |index: usize| match (seen.get(index), found.get(index)) {
        (Some((key, version)), Some((found, now))) => key.as_bytes() == &**found && *version == Some(*now),
        _ => false,
    };
    let index = (0..seen.len().max(found.len())).find(|index| !same(*index))?;
    Some(Difference::Result { expected: seen.get(index).copied(), found: found.into_iter().nth(index) })
}

fn is_summary(expected: &QueryReadsMerkleSummary<'_>, found: &[Found]) -> bool {
    summary(found, expected.max_degree)
        .is_some_and(|summary| summary.level == expected.max_level && summary.hashes == expected.max_level_hashes)
}

/// The merkle summary, level by level; `None` when there is none.
pub(crate) fn summary(results: &[Found], degree: u32) -> Option<Summary> {
    let degree = usize::try_from(degree).ok().filter(|degree| *degree >= merkle::MIN_DEGREE as usize)?;
    if results.len() <= degree {
        return None;
    }
    let mut encoded = Vec::new();
    for (key, version) in results {
        let mut result = Vec::new();
        merkle::encode_result(&mut result, std::str::from_utf8(key).ok()?, *version);
        encoded.push(result);
    }
    let mut level = 1;
    let mut hashes: Vec<Hash> = encoded.chunks(degree + 1).map(|results| sha256(&[&results.concat()])).collect();
    while hashes.len() > degree {
        level += 1;
        hashes = hashes
            .chunks(degree + 1)
            .map(|children| match children {
                [only] => *only,
                several => sha256(&[&several.concat()]),
            })
            .collect();
    }
    Some(Summary { level, hashes })
}

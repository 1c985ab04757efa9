// SPDX-License-Identifier: Apache-2.0
//! What committed state alone says: each transaction by itself, in any order, on any thread.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use crate::Transaction;
use crate::changes::Changes;
use crate::checks::{Check, checks, read_of_nowhere};
use crate::conflict::Conflict;
use crate::phantom;
use crate::state::{StateKey, StateReader};
use crate::summaries::Summaries;
use crate::writes::{self, Effect, KeyWrite};

/// Longest metadata that is kept: a policy of some ten principals fits. Longer ones, and values, are read when the
/// write's turn comes, lest a block that writes one big key many times be held in memory as often.
const KEPT_METADATA_BYTES: usize = 256;

/// What committed state alone says about a transaction, up to the first check that fails.
#[derive(Debug, Default)]
pub(super) struct Speculation<'a> {
    /// One for each check; only those of keys mean something.
    pub(super) hashes: Vec<u64>,
    /// How the last of them failed.
    pub(super) failure: Option<Conflict<'a>>,
    /// None where a check failed.
    pub(super) writes: Option<Vec<Write<'a>>>,
}

/// A write with what it keeps of its key if no earlier transaction of the block wrote that.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub(super) hash: u64,
    pub(super) key: StateKey<'a>,
    pub(super) effect: Effect<'a>,
    /// The key's metadata for [`Effect::PutValue`], unless it is too long to be kept until the write's turn.
    pub(super) metadata: Option<Cow<'static, [u8]>>,
}

/// What all speculations on a block share.
pub(super) struct Committed<'s, 'a, R> {
    pub(super) state: &'s R,
    pub(super) hasher: RandomState,
    summaries: Summaries<'a>,
}

impl<'s, 'a, R: StateReader> Committed<'s, 'a, R> {
    pub(super) fn new(state: &'s R) -> Self {
        // Random keys keep transactions from choosing keys that collide.
        Self { state, hasher: RandomState::new(), summaries: Summaries::default() }
    }

    /// The hash of a key that is read, and the conflict with committed state.
    pub(super) fn check(&self, check: Check<'a>) -> Result<(u64, Option<Conflict<'a>>), R::Error> {
        match check {
            Check::Read { key, expected } => {
                let found = self.state.version(key)?;
                let conflict = Conflict::Read { key, expected, found, in_block: None };
                Ok((self.hasher.hash_one(key), (found != expected).then_some(conflict)))
            }
            Check::ReadOfNowhere { key, expected } => Ok((0, read_of_nowhere(key, expected))),
            Check::Range { namespace, query } => {
                let conflict = phantom::check(namespace, query, self.state, &mut Changes::default(), &self.summaries)?;
                Ok((0, conflict))
            }
        }
    }

    fn prepare(&self, write: &KeyWrite<'a>) -> Result<Write<'a>, R::Error> {
        let key = write.key;
        let effect = write.effect();
        let metadata = match effect {
            Effect::PutValue(_) => self.state.metadata_up_to(KEPT_METADATA_BYTES, key)?,
            Effect::Delete | Effect::Put { .. } | Effect::PutMetadata(_) | Effect::Void => None,
        };
        Ok(Write { hash: self.hasher.hash_one(key), key, effect, metadata })
    }
}

/// Speculates on one transaction after the other.
pub(super) struct Speculator<'c, 's, 'a, R> {
    committed: &'c Committed<'s, 'a, R>,
    /// Empty between transactions.
    writes: Vec<KeyWrite<'a>>,
}

impl<'c, 's, 'a, R: StateReader> Speculator<'c, 's, 'a, R> {
    pub(super) fn new(committed: &'c Committed<'s, 'a, R>) -> Self {
        Self { committed, writes: Vec::new() }
    }

    pub(super) fn speculate(&mut self, tx: &Transaction<'a>) -> Result<Speculation<'a>, R::Error> {
        let mut speculation = Speculation::default();
        for check in checks(tx.rwset) {
            let (hash, failure) = self.committed.check(check)?;
            speculation.hashes.push(hash);
            if failure.is_some() {
                return Ok(Speculation { failure, ..speculation });
            }
        }
        speculation.writes = Some(self.writes(tx)?);
        Ok(speculation)
    }

    /// What a transaction writes.
    pub(super) fn writes(&mut self, tx: &Transaction<'a>) -> Result<Vec<Write<'a>>, R::Error> {
        writes::collect(tx.rwset, &mut self.writes);
        let mut prepared = Vec::with_capacity(self.writes.len());
        for write in self.writes.drain(..) {
            prepared.push(self.committed.prepare(&write)?);
        }
        Ok(prepared)
    }
}

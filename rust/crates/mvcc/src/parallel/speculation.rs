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
use crate::writes::{self, Effect, KeyWrite};

/// Longest metadata that is kept: a policy of some ten principals fits. Longer ones, and values, are read when the
/// write's turn comes, lest a block that writes one big key many times be held in memory as often.
const KEPT_METADATA_BYTES: usize = 256;

/// What committed state alone says about a transaction.
#[derive(Debug, Default)]
pub(super) struct Speculation<'a> {
    /// One for each check, up to the first read that fails; only those of keys mean something.
    pub(super) hashes: Vec<u64>,
    /// Failed checks by their number: range queries, and at the end perhaps a read.
    pub(super) failures: Vec<(usize, Conflict<'a>)>,
    /// Empty when a read failed.
    pub(super) writes: Vec<Write<'a>>,
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

/// Speculates on one transaction after the other.
pub(super) struct Speculator<'s, 'a, R> {
    state: &'s R,
    hasher: &'s RandomState,
    /// Empty between transactions.
    writes: Vec<KeyWrite<'a>>,
}

impl<'s, 'a, R: StateReader> Speculator<'s, 'a, R> {
    pub(super) fn new(state: &'s R, hasher: &'s RandomState) -> Self {
        Self { state, hasher, writes: Vec::new() }
    }

    pub(super) fn speculate(&mut self, tx: &Transaction<'a>) -> Result<Speculation<'a>, R::Error> {
        let mut speculation = Speculation::default();
        for (number, check) in checks(tx.rwset).enumerate() {
            let (hash, conflict) = self.check(check)?;
            speculation.hashes.push(hash);
            let Some(conflict) = conflict else { continue };
            let irredeemable = matches!(conflict, Conflict::Read { .. });
            speculation.failures.push((number, conflict));
            if irredeemable {
                return Ok(speculation);
            }
        }
        writes::collect(tx.rwset, &mut self.writes);
        speculation.writes.reserve_exact(self.writes.len());
        for write in self.writes.drain(..) {
            speculation.writes.push(prepare(&write, self.state, self.hasher)?);
        }
        Ok(speculation)
    }

    /// The hash of a key that is read, and the conflict with committed state.
    fn check(&self, check: Check<'a>) -> Result<(u64, Option<Conflict<'a>>), R::Error> {
        match check {
            Check::Read { key, expected } => {
                let found = self.state.version(key)?;
                let conflict = Conflict::Read { key, expected, found, in_block: None };
                Ok((self.hasher.hash_one(key), (found != expected).then_some(conflict)))
            }
            Check::ReadOfNowhere { key, expected } => Ok((0, read_of_nowhere(key, expected))),
            Check::Range { namespace, query } => {
                Ok((0, phantom::check(namespace, query, self.state, &mut Changes::default())?))
            }
        }
    }
}

fn prepare<'a, R: StateReader>(write: &KeyWrite<'a>, state: &R, hasher: &RandomState) -> Result<Write<'a>, R::Error> {
    let key = write.key;
    let effect = write.effect();
    let metadata = match effect {
        Effect::PutValue(_) => state.metadata_up_to(KEPT_METADATA_BYTES, key)?,
        Effect::Delete | Effect::Put { .. } | Effect::PutMetadata(_) | Effect::Void => None,
    };
    Ok(Write { hash: hasher.hash_one(key), key, effect, metadata })
}

// SPDX-License-Identifier: Apache-2.0
//! The product: most work on all workers at once, order only where it matters.
//!
//! # The algorithm
//!
//! A transaction's verdict depends on committed state, which is slow to read but the same for every transaction,
//! and on the writes of the block's earlier valid transactions, which need an order but are at hand. The two are
//! kept apart:
//!
//! 1. **Speculate**, on all workers, each transaction by itself: suppose that no earlier transaction of the block
//!    matters. Answer every check from committed state alone, hash every key, add up the writes, and fetch what they
//!    inherit (a value's old metadata, a metadata's old value).
//! 2. **Settle**, on one thread, in block order: where an earlier valid transaction has written a key that was read,
//!    or one inside a range, the supposition was wrong and the check is done again; everywhere else it stands. Then
//!    the writes of a valid transaction go to the [`Overlay`], which is what later transactions are settled against.
//!
//! # Why it agrees with the judge
//!
//! The judge answers a check from the overlay where that has the key, else from committed state. Take the checks of
//! a transaction in order.
//!
//! - A read whose key is in the overlay is a conflict, whatever committed state says. A read whose key is not gets
//!   the judge's answer from committed state, and that is the speculation.
//! - A range query that the overlay does not touch sees committed state only, and that is the speculation. One that
//!   it does touch is run again over both.
//! - Speculation stops at a read that contradicts committed state, because nothing redeems it: in the overlay it is a
//!   conflict, too. Settling needs no check behind it. A range query it does not stop at, because earlier writes
//!   may bring about just the results that a (strange) read-write set claims.
//!
//! So both find the same first conflict, hence the same valid transactions, and by induction over the block the
//! same overlay. An update takes what it inherits from the overlay where that has the key and from committed state
//! elsewhere, in both.
//!
//! # Why not conflict components
//!
//! Transactions that share no written key could be settled side by side. But finding the components takes the same
//! hash table operations as settling does, one for each key, so it would cost what it is meant to divide; and under
//! contention one component holds most of the block. Settling never reads committed state (save for a range query
//! that is run again), so its share of the time is small; `benches/validate.rs` shows it.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastledger_wire::Height;

use crate::checks::{Check, checks, read_of_nowhere};
use crate::conflict::Conflict;
use crate::overlay::Overlay;
use crate::phantom::{self, Changes};
use crate::state::{StateKey, StateReader, Update};
use crate::writes::{self, Effect, KeyWrite};
use crate::{MvccError, Outcome, Transaction};

/// Transactions that a worker takes at a time: enough to make taking cheap, few enough to share a block evenly.
const SHARE: usize = 32;

/// Transactions for which starting another thread pays.
const WORTH_A_THREAD: usize = 128;

/// Judges the transactions as [`crate::sequential::validate`] does, with up to `workers` threads.
pub fn validate<'a, R: StateReader>(
    block_number: u64,
    txs: &[Transaction<'a>],
    state: &R,
    workers: usize,
) -> Result<Outcome<'a>, MvccError<R::Error>> {
    // Random keys keep transactions from choosing keys that collide.
    let hasher = RandomState::new();
    let speculations = speculate_all(txs, state, &hasher, workers)?;
    let writes = speculations.iter().map(|speculation| speculation.writes.len()).sum();
    let overlay = Overlay::new(writes, txs.iter().any(has_range_queries));
    let mut settlement = Settlement { state, overlay, staged: Vec::new() };
    let mut conflicts = Vec::new();
    for (tx, speculation) in txs.iter().zip(speculations) {
        let version = Height { block: block_number, tx: u64::from(tx.index) };
        if let Some(conflict) = settlement.settle(tx, version, speculation)? {
            conflicts.push((tx.index, conflict));
        }
    }
    Ok(Outcome { conflicts, batch: settlement.overlay.into_batch() })
}

fn has_range_queries(tx: &Transaction<'_>) -> bool {
    tx.rwset.namespaces.iter().any(|namespace| !namespace.public.range_queries_info.is_empty())
}

/// What committed state alone says about a transaction.
#[derive(Debug, Default)]
struct Speculation<'a> {
    /// One for each check, up to the first read that fails; only those of keys mean something.
    hashes: Vec<u64>,
    /// Failed checks by their number: range queries, and at the end perhaps a read.
    failures: Vec<(usize, Conflict<'a>)>,
    /// Empty when a read failed.
    writes: Vec<Write<'a>>,
}

/// A write with what it inherits if no earlier transaction of the block wrote the key.
#[derive(Debug)]
struct Write<'a> {
    hash: u64,
    key: StateKey<'a>,
    effect: Effect<'a>,
    /// The key's metadata for [`Effect::PutValue`], its value, if there is one, for [`Effect::PutMetadata`].
    inherited: Option<Cow<'static, [u8]>>,
}

fn speculate_all<'a, R: StateReader>(
    txs: &[Transaction<'a>],
    state: &R,
    hasher: &RandomState,
    workers: usize,
) -> Result<Vec<Speculation<'a>>, R::Error> {
    let speculate = |share: &[Transaction<'a>]| -> Result<Vec<Speculation<'a>>, R::Error> {
        let mut speculator = Speculator { state, hasher, writes: Vec::new() };
        let mut speculations = Vec::with_capacity(share.len());
        for tx in share {
            speculations.push(speculator.speculate(tx)?);
        }
        Ok(speculations)
    };
    let helpers = workers.min(txs.len() / WORTH_A_THREAD).saturating_sub(1);
    if helpers == 0 {
        return speculate(txs);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            match txs.chunks(SHARE).nth(number) {
                Some(share) => done.push((number, speculate(share))),
                None => return done,
            }
        }
    };
    let mut shares = thread::scope(|scope| {
        // A thread that cannot be had is done without.
        let start = |_| thread::Builder::new().name("mvcc".to_owned()).spawn_scoped(scope, work).ok();
        let helpers: Vec<_> = (0..helpers).filter_map(start).collect();
        let mut shares = work();
        for helper in helpers {
            shares.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        shares
    });
    shares.sort_unstable_by_key(|(number, _)| *number);
    let mut speculations = Vec::with_capacity(txs.len());
    for (_, share) in shares {
        speculations.extend(share?);
    }
    Ok(speculations)
}

struct Speculator<'s, 'a, R> {
    state: &'s R,
    hasher: &'s RandomState,
    /// Empty between transactions.
    writes: Vec<KeyWrite<'a>>,
}

impl<'a, R: StateReader> Speculator<'_, 'a, R> {
    fn speculate(&mut self, tx: &Transaction<'a>) -> Result<Speculation<'a>, R::Error> {
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
                Ok((0, phantom::check(namespace, query, self.state, &Changes::default())?))
            }
        }
    }
}

fn prepare<'a, R: StateReader>(write: &KeyWrite<'a>, state: &R, hasher: &RandomState) -> Result<Write<'a>, R::Error> {
    let key = write.key;
    let effect = write.effect();
    let inherited = match effect {
        Effect::PutValue(_) => Some(state.metadata(key)?),
        Effect::PutMetadata(_) => state.get(key)?.map(|found| found.value),
        Effect::Delete | Effect::Put { .. } | Effect::Void => None,
    };
    Ok(Write { hash: hasher.hash_one(key), key, effect, inherited })
}

/// The block in order.
struct Settlement<'s, 'a, R> {
    state: &'s R,
    overlay: Overlay<'a>,
    /// Updates of one transaction, which take effect together.
    staged: Vec<(u64, Update<'a>)>,
}

impl<'a, R: StateReader> Settlement<'_, 'a, R> {
    /// Finds a transaction's conflict, or lets its writes take effect.
    fn settle(
        &mut self,
        tx: &Transaction<'a>,
        version: Height,
        speculation: Speculation<'a>,
    ) -> Result<Option<Conflict<'a>>, R::Error> {
        let mut failures = speculation.failures.into_iter().peekable();
        for ((number, check), hash) in checks(tx.rwset).enumerate().zip(speculation.hashes) {
            let speculated = failures.next_if(|(failed, _)| *failed == number).map(|(_, conflict)| conflict);
            let conflict = match check {
                Check::Read { key, expected } => match self.overlay.get(hash, key) {
                    Some(update) => Some(overwritten(update, expected)),
                    None => speculated,
                },
                Check::ReadOfNowhere { .. } => speculated,
                Check::Range { namespace, query } => {
                    let changes = self.overlay.changes(namespace, query);
                    if changes.is_empty() {
                        speculated
                    } else {
                        phantom::check(namespace, query, self.state, &changes)?
                    }
                }
            };
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(self.apply(speculation.writes, version).err())
    }

    /// Puts all updates that the writes make, or none if one of them cannot be.
    fn apply(&mut self, writes: Vec<Write<'a>>, version: Height) -> Result<(), Conflict<'a>> {
        self.staged.clear();
        for write in writes {
            let hash = write.hash;
            let update = update(write, version, &self.overlay)?;
            self.staged.extend(update.map(|update| (hash, update)));
        }
        for (hash, update) in self.staged.drain(..) {
            self.overlay.put(hash, update);
        }
        Ok(())
    }
}

fn overwritten<'a>(update: &Update<'a>, expected: Option<Height>) -> Conflict<'a> {
    let found = update.state.is_some().then_some(update.version);
    Conflict::Read { key: update.key, expected, found, in_block: Some(update.writer()) }
}

/// `Ok(None)` for a write that does nothing, `Err` for one that cannot be.
fn update<'a>(write: Write<'a>, version: Height, overlay: &Overlay<'a>) -> Result<Option<Update<'a>>, Conflict<'a>> {
    let Write { hash, key, effect, inherited } = write;
    let state = match effect {
        Effect::Delete => None,
        Effect::Put { value, metadata } => Some((Cow::Borrowed(value), metadata)),
        Effect::PutValue(value) => {
            let metadata = match overlay.get(hash, key) {
                Some(earlier) => earlier.state.as_ref().map(|(_, metadata)| metadata.clone()),
                None => inherited,
            };
            Some((Cow::Borrowed(value), metadata.unwrap_or_default()))
        }
        Effect::PutMetadata(metadata) => {
            let value = match overlay.get(hash, key).map(|earlier| (&earlier.state, earlier.writer())) {
                Some((Some((value, _)), _)) => value.clone(),
                Some((None, writer)) => return Err(Conflict::Write { key, in_block: Some(writer) }),
                None => match inherited {
                    Some(value) => value,
                    None => return Ok(None),
                },
            };
            Some((value, metadata))
        }
        Effect::Void => return Err(Conflict::Write { key, in_block: None }),
    };
    Ok(Some(Update { key, version, state }))
}

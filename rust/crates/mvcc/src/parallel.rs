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
//!    matters. Answer every check from committed state alone, hash every key, add up the writes, and fetch the metadata
//!    that a new value keeps.
//! 2. **Settle**, on one thread, in block order: where an earlier valid transaction has written a key that was read,
//!    or one inside a range, the supposition was wrong and the check is done again; everywhere else it stands. Then
//!    the writes of a valid transaction go to the overlay, which is what later transactions are settled against.
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
//! - Speculation stops at the first check that contradicts committed state: hardly anything behind it is ever asked
//!   for, and a transaction that names many large ranges must not have each of them walked. Nothing redeems a read: in
//!   the overlay it is a conflict, too. A range query may be redeemed, because earlier writes may bring about just the
//!   results that a (strange) read-write set claims; then settling does what is left.
//!
//! So both find the same first conflict, hence the same valid transactions, and by induction over the block the
//! same overlay. An update takes the value or metadata that it keeps from the overlay where that has the key and from
//! committed state elsewhere, in both.
//!
//! # Why not conflict components
//!
//! Transactions that share no written key could be settled side by side. But finding the components takes the same
//! hash table operations as settling does, one for each key, so it would cost what it is meant to divide; and under
//! contention one component holds most of the block. Settling reads committed state for rare things only (a range
//! query that is run again, the value that new metadata keeps); with all of state in memory it takes a fifth of the
//! time, and less where reading is slower.

mod overlay;
mod settlement;
mod speculation;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastledger_defect::{Defect, catch};

use crate::state::StateReader;
use crate::{MvccError, Transaction, Validated};
use settlement::Settlement;
use speculation::{Committed, Speculation, Speculator};

/// Transactions that a worker takes at a time: enough to make taking cheap, few enough to share a block evenly.
const SHARE: usize = 32;

/// Transactions for which another thread pays: starting one takes about as long as speculating on so many.
const WORTH_A_THREAD: usize = 128;

/// Judges the transactions as [`crate::sequential::validate`] does, with up to `workers` threads.
///
/// It may read more of committed state than the judge does, and so meet an error where the judge does not.
pub fn validate<'a, R: StateReader>(
    block_number: u64,
    txs: &[Transaction<'a>],
    state: &R,
    workers: usize,
) -> Result<Validated<'a>, MvccError<R::Error>> {
    let committed = Committed::new(state);
    let mut settlement = Settlement::new(block_number, txs, &committed);
    let helpers = workers.min(txs.len() / WORTH_A_THREAD).saturating_sub(1);
    if helpers == 0 {
        let mut speculator = Speculator::new(&committed);
        for tx in txs {
            settlement.settle(tx, speculator.speculate(tx)?)?;
        }
    } else {
        let speculations = speculate_side_by_side(txs, &committed, helpers)?;
        for (tx, speculation) in txs.iter().zip(speculations) {
            settlement.settle(tx, speculation)?;
        }
    }
    Ok(settlement.into_validated())
}

/// Speculates on all transactions, in this thread and `helpers` more.
fn speculate_side_by_side<'a, R: StateReader>(
    txs: &[Transaction<'a>],
    committed: &Committed<'_, 'a, R>,
    helpers: usize,
) -> Result<Vec<Speculation<'a>>, R::Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut speculator = Speculator::new(committed);
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(share) = txs.chunks(SHARE).nth(number) else { return done };
            let speculations: Result<Vec<_>, _> = share.iter().map(|tx| speculator.speculate(tx)).collect();
            done.push((number, speculations));
        }
    };
    let mut shares = thread::scope(|scope| {
        // A thread that cannot be had is done without.
        let start = |_| thread::Builder::new().name("mvcc".to_owned()).spawn_scoped(scope, || catch(work)).ok();
        let helpers: Vec<_> = (0..helpers).filter_map(start).collect();
        let mut shares = work();
        for helper in helpers {
            let done = helper.join().unwrap_or_else(|_| Err(Defect::new("a thread is gone")));
            shares.extend(done.unwrap_or_else(|defect| defect.resume()));
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

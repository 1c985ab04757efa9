// SPDX-License-Identifier: Apache-2.0
//! Which keys have a table.
//!
//! A table is worth building once its key has been used often enough that verifying without one has cost as much:
//! whatever the keys do after that, the whole costs at most twice what the best choice would have. Uses are counted
//! in a fixed number of counters, one key each at a time; a key that finds its counter taken takes one use off it
//! (Misra and Gries), so keys seen once never add up to a table and never push a frequent key out.
//!
//! Tables live in a ring of fixed size. When it is full, a hand goes round: it forgives a table that was used since
//! it last came by, and replaces the first that was not. Readers work on a snapshot of the ring, so nobody waits for
//! a verification to end; a replaced table is freed when the last batch that uses it is done.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::PublicKey;
use crate::p256::{Arithmetic, Table};

/// Keys whose uses can be counted at the same time.
const COUNTERS: usize = 1 << 14;
/// Most tables built in one go, so that a batch full of new keys is not held up for long.
const BUILDS_AT_ONCE: usize = 32;

/// Tables by the fingerprint of their key.
pub(crate) type Snapshot = HashMap<u64, Arc<Slot>, BuildHasherDefault<Fingerprint>>;

/// A key's table.
pub(crate) struct Slot {
    key: PublicKey,
    pub(crate) table: Table,
    /// Whether it was used since the hand last passed.
    used: AtomicBool,
}

/// Fingerprints are hashes already.
#[derive(Default)]
pub(crate) struct Fingerprint(u64);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// The tables of frequent keys.
pub(crate) struct Cache {
    snapshot: Mutex<Arc<Snapshot>>,
    growth: Mutex<Growth>,
}

/// What is needed to let tables in, and others out.
struct Growth {
    counters: Box<[Counter]>,
    /// Uses that pay for a table.
    worth: u32,
    /// Fingerprints of the keys that have tables, in the order in which the hand visits them.
    ring: Vec<u64>,
    /// Most tables.
    capacity: usize,
    hand: usize,
}

#[derive(Clone, Copy, Default)]
struct Counter {
    fingerprint: u64,
    uses: u32,
}

impl Cache {
    /// A cache of at most `capacity` tables, each built at the use of its key that `worth` counts.
    pub(crate) fn new(capacity: usize, worth: u32) -> Self {
        let counters = vec![Counter::default(); COUNTERS].into_boxed_slice();
        Self {
            snapshot: Mutex::default(),
            growth: Mutex::new(Growth { counters, worth, ring: Vec::new(), capacity, hand: 0 }),
        }
    }

    /// The tables as they are now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.snapshot))
    }

    /// Counts one use of each of these keys, and builds the tables that have become worth it. Answers whether any were.
    pub(crate) fn missed<'a>(&self, keys: impl Iterator<Item = &'a PublicKey>, arithmetic: &dyn Arithmetic) -> bool {
        let worthy = lock(&self.growth).count(keys);
        if worthy.is_empty() {
            return false;
        }
        let points: Vec<_> = worthy.iter().map(|key| *key.point()).collect();
        let tables = arithmetic.build(&points);
        let mut growth = lock(&self.growth);
        let mut snapshot = Snapshot::clone(&self.snapshot());
        for (key, table) in worthy.into_iter().zip(tables) {
            growth.admit(&mut snapshot, Slot { key, table, used: AtomicBool::new(true) });
        }
        *lock(&self.snapshot) = Arc::new(snapshot);
        true
    }
}

/// The table of a key, if it has one.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, key: &PublicKey) -> Option<&'a Table> {
    let slot = snapshot.get(&key.fingerprint())?;
    // Two keys of one fingerprint: the second has to do without.
    if slot.key != *key {
        return None;
    }
    // Written only when it changes: a line that many threads write is slow for all of them.
    if !slot.used.load(Ordering::Relaxed) {
        slot.used.store(true, Ordering::Relaxed);
    }
    Some(&slot.table)
}

impl Growth {
    /// Counts uses; answers the keys whose uses have paid for a table.
    fn count<'a>(&mut self, keys: impl Iterator<Item = &'a PublicKey>) -> Vec<PublicKey> {
        let mut worthy = Vec::new();
        if self.capacity == 0 {
            return worthy;
        }
        for key in keys {
            let fingerprint = key.fingerprint();
            #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the counter")]
            let counter = &mut self.counters[fingerprint as usize % COUNTERS];
            if counter.uses == 0 {
                *counter = Counter { fingerprint, uses: 1 };
            } else if counter.fingerprint == fingerprint {
                counter.uses += 1;
            } else {
                counter.uses -= 1;
            }
            if counter.uses >= self.worth && worthy.len() < BUILDS_AT_ONCE.min(self.capacity) {
                counter.uses = 0;
                worthy.push(key.clone());
            }
        }
        worthy
    }

    /// Puts a table in, in place of another if the ring is full.
    fn admit(&mut self, snapshot: &mut Snapshot, slot: Slot) {
        let fingerprint = slot.key.fingerprint();
        // Another thread may have been faster.
        if snapshot.contains_key(&fingerprint) {
            return;
        }
        if self.ring.len() < self.capacity {
            self.ring.push(fingerprint);
        } else {
            let place = self.place(snapshot);
            snapshot.remove(&self.ring[place]);
            self.ring[place] = fingerprint;
        }
        snapshot.insert(fingerprint, Arc::new(slot));
    }

    /// The place in the ring to give away.
    fn place(&mut self, snapshot: &Snapshot) -> usize {
        // After one round every table has been forgiven once, so the second finds one unless others use them meanwhile.
        for _ in 0..2 * self.ring.len() {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.ring.len();
            if !snapshot.get(&self.ring[place]).is_some_and(|slot| slot.used.swap(false, Ordering::Relaxed)) {
                return place;
            }
        }
        self.hand
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

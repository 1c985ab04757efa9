// SPDX-License-Identifier: Apache-2.0
//! Which keys have a table.
//!
//! A table is worth building once its key has been used often enough that verifying without one has cost as much:
//! whatever the keys do after that, the whole costs at most twice what the best choice would have. Uses are counted
//! in a fixed number of counters, one key each at a time; a key that finds its counters taken takes one use off the
//! lowest (after Misra and Gries), so keys seen once never add up to a table and never push a frequent key out.
//!
//! Tables live in a ring of fixed size. When it is full, a hand goes round: it forgives a table that was used since
//! it last came by, and replaces the first that was not. Readers work on a snapshot of the ring, so nobody waits for
//! a verification to end; a replaced table is freed when the last batch that uses it is done.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::PublicKey;

/// Keys whose uses can be counted at the same time.
const COUNTERS: usize = 1 << 14;
/// Counters that a key may have: of a thousand keys sixty share their only one, and would keep each other from a table.
const COUNTERS_OF_A_KEY: usize = 4;
/// Most tables built in one go, so that a batch full of new keys is not held up for long.
const BUILDS_AT_ONCE: usize = 32;

/// Tables by the fingerprint of their key.
pub(crate) struct Snapshot<T>(HashMap<u64, Arc<Slot<T>>, BuildHasherDefault<Fingerprint>>);

/// A key's table.
struct Slot<T> {
    key: PublicKey,
    table: T,
    /// Whether it was used since the hand last passed.
    used: AtomicBool,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct Fingerprint(u64);

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
pub(crate) struct Cache<T> {
    snapshot: Mutex<Arc<Snapshot<T>>>,
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

impl<T> Snapshot<T> {
    /// The table of a key, if it has one.
    pub(crate) fn find(&self, key: &PublicKey) -> Option<&T> {
        let slot = self.0.get(&key.fingerprint())?;
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
}

impl<T> Cache<T> {
    /// A cache of at most `capacity` tables, each built at the use of its key that `worth` counts.
    pub(crate) fn new(capacity: usize, worth: u32) -> Self {
        let counters = vec![Counter::default(); COUNTERS].into_boxed_slice();
        Self {
            snapshot: Mutex::new(Arc::new(Snapshot(HashMap::default()))),
            growth: Mutex::new(Growth { counters, worth, ring: Vec::new(), capacity, hand: 0 }),
        }
    }

    /// The tables as they are now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot<T>> {
        Arc::clone(&lock(&self.snapshot))
    }

    /// Counts one use of each of these keys, and has those tables built that have become worth it. Answers whether any
    /// were.
    pub(crate) fn missed<'a>(
        &self,
        keys: impl Iterator<Item = &'a PublicKey>,
        build: impl FnOnce(&[PublicKey]) -> Vec<T>,
    ) -> bool {
        let worthy = lock(&self.growth).count(keys);
        if worthy.is_empty() {
            return false;
        }
        // No lock is held meanwhile. Another thread may build the same table; the first to be done wins.
        let tables = build(&worthy);
        let mut growth = lock(&self.growth);
        let mut snapshot = Snapshot(self.snapshot().0.clone());
        for (key, table) in worthy.into_iter().zip(tables) {
            growth.admit(&mut snapshot, Slot { key, table, used: AtomicBool::new(false) });
        }
        *lock(&self.snapshot) = Arc::new(snapshot);
        true
    }
}

impl Growth {
    /// Counts uses; answers the keys whose uses have paid for a table.
    fn count<'a>(&mut self, keys: impl Iterator<Item = &'a PublicKey>) -> Vec<PublicKey> {
        let mut worthy = Vec::new();
        let most = BUILDS_AT_ONCE.min(self.capacity);
        for key in keys {
            let fingerprint = key.fingerprint();
            #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the counters")]
            let first = fingerprint as usize % (COUNTERS / COUNTERS_OF_A_KEY) * COUNTERS_OF_A_KEY;
            let counters = &mut self.counters[first..first + COUNTERS_OF_A_KEY];
            let own = |counter: &Counter| counter.uses > 0 && counter.fingerprint == fingerprint;
            let lowest = counters.iter_mut().min_by_key(|counter| (!own(counter), counter.uses));
            let Some(counter) = lowest else { continue };
            if own(counter) {
                counter.uses = counter.uses.saturating_add(1);
            } else if counter.uses == 0 {
                *counter = Counter { fingerprint, uses: 1 };
            } else {
                counter.uses -= 1;
            }
            if counter.uses >= self.worth && counter.fingerprint == fingerprint && worthy.len() < most {
                counter.uses = 0;
                worthy.push(key.clone());
            }
        }
        worthy
    }

    /// Puts a table in, in place of another if the ring is full.
    fn admit<T>(&mut self, snapshot: &mut Snapshot<T>, slot: Slot<T>) {
        let fingerprint = slot.key.fingerprint();
        if snapshot.0.contains_key(&fingerprint) {
            return;
        }
        if self.ring.len() < self.capacity {
            self.ring.push(fingerprint);
        } else {
            let place = self.place(snapshot);
            snapshot.0.remove(&self.ring[place]);
            self.ring[place] = fingerprint;
        }
        snapshot.0.insert(fingerprint, Arc::new(slot));
    }

    /// The place in the ring to give away.
    fn place<T>(&mut self, snapshot: &Snapshot<T>) -> usize {
        // After one round every table has been forgiven, so the second finds one unless others use them all meanwhile.
        for _ in 0..2 * self.ring.len() {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.ring.len();
            let used = snapshot.0.get(&self.ring[place]).is_some_and(|slot| slot.used.swap(false, Ordering::Relaxed));
            if !used {
                return place;
            }
        }
        self.hand
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    fn keys(count: usize) -> Vec<PublicKey> {
        let key = |_| {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            PublicKey::from_sec1(pair.public_key().as_ref()).unwrap()
        };
        (0..count).map(key).collect()
    }

    /// Uses the key; answers whether it has a table afterwards. A key's "table" is the key.
    fn use_key(cache: &Cache<PublicKey>, key: &PublicKey) -> bool {
        if cache.snapshot().find(key).is_none() {
            cache.missed([key].into_iter(), <[PublicKey]>::to_vec);
        }
        let snapshot = cache.snapshot();
        snapshot.find(key).inspect(|table| assert_eq!(*table, key)).is_some()
    }

    fn tables(cache: &Cache<PublicKey>) -> usize {
        cache.snapshot().0.len()
    }

    #[test]
    fn a_table_comes_with_the_use_that_pays_for_it() {
        let (cache, keys) = (Cache::new(10, 3), keys(2));
        assert_eq!([0, 1, 0, 1, 0].map(|i| use_key(&cache, &keys[i])), [false, false, false, false, true]);
        assert_eq!(tables(&cache), 1);
        // The same key, read again.
        assert!(use_key(&cache, &PublicKey::from_sec1(&keys[0].to_sec1()).unwrap()));
        // All uses of one batch count.
        assert!(cache.missed(std::iter::repeat_n(&keys[1], 2), <[PublicKey]>::to_vec));
        assert_eq!(tables(&cache), 2);
    }

    #[test]
    fn keys_of_the_same_counters_do_not_keep_each_other_from_a_table() {
        const WORTH: u32 = 24;
        let (cache, keys) = (Cache::new(1000, WORTH), keys(1000));
        // Where more keys share their counters than there are of these, some have to wait for others.
        for _ in 0..3 * WORTH {
            for key in &keys {
                use_key(&cache, key);
            }
        }
        assert_eq!(tables(&cache), keys.len());
    }

    #[test]
    fn keys_seen_once_never_get_a_table() {
        let cache = Cache::new(10, 2);
        for key in keys(300) {
            assert!(!use_key(&cache, &key));
        }
        assert_eq!(tables(&cache), 0);
    }

    #[test]
    fn the_ring_never_grows_beyond_its_capacity() {
        for capacity in [0, 1, 3] {
            let (cache, keys) = (Cache::new(capacity, 1), keys(8));
            for key in keys.iter().cycle().take(40) {
                assert_eq!(use_key(&cache, key), capacity > 0);
                assert!(tables(&cache) <= capacity);
            }
            assert_eq!(tables(&cache), capacity);
        }
    }

    #[test]
    fn the_hand_forgives_what_is_used_again() {
        let (cache, keys) = (Cache::new(4, 1), keys(60));
        let (frequent, rare) = keys.split_first().unwrap();
        let mut lost = 0;
        for key in rare {
            lost += usize::from(cache.snapshot().find(frequent).is_none());
            assert!(use_key(&cache, frequent));
            assert!(use_key(&cache, key));
        }
        // At first, and when the ring is full for the first time and all were used just now.
        assert!(lost <= 2, "{lost}");
    }

    #[test]
    fn one_go_builds_a_limited_number() {
        let (cache, keys) = (Cache::new(1000, 1), keys(BUILDS_AT_ONCE + 5));
        for left in [5, 0] {
            cache.missed(keys.iter().filter(|key| cache.snapshot().find(key).is_none()), <[PublicKey]>::to_vec);
            assert_eq!(tables(&cache), keys.len() - left);
        }
    }
}

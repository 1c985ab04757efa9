// SPDX-License-Identifier: Apache-2.0
//! A bounded cache of two generations: what the old one still gets asked for moves to the new one.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use ahash::RandomState;

/// Bytes that an entry is taken to need beside its key: the parsed certificate, its chain's verdict, the tables' slots.
const ENTRY_OVERHEAD: usize = 4096;

/// Values by content, at most `capacity` bytes of them by a rough count.
#[derive(Debug)]
pub(crate) struct GenerationCache<V> {
    half_capacity: usize,
    generations: RwLock<Generations<V>>,
}

#[derive(Debug)]
struct Generations<V> {
    new: HashMap<Box<[u8]>, V, RandomState>,
    old: HashMap<Box<[u8]>, V, RandomState>,
    new_bytes: usize,
}

impl<V: Clone> GenerationCache<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations { new: HashMap::default(), old: HashMap::default(), new_bytes: 0 };
        Self { half_capacity: capacity / 2, generations: RwLock::new(generations) }
    }

    /// The value of `key`, made by `make` where it is not there.
    pub(crate) fn get_or_insert_with(&self, key: &[u8], make: impl FnOnce() -> V) -> V {
        {
            let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = generations.new.get(key) {
                return value.clone();
            }
        }
        let old = self.generations.read().unwrap_or_else(PoisonError::into_inner).old.get(key).cloned();
        // Made without the lock: two threads may do the same work once, none waits for a certificate.
        let value = old.unwrap_or_else(make);
        self.insert(key, value.clone());
        value
    }

    fn insert(&self, key: &[u8], value: V) {
        let bytes = key.len() + ENTRY_OVERHEAD;
        if bytes > self.half_capacity {
            return;
        }
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if generations.new_bytes + bytes > self.half_capacity {
            generations.old = std::mem::take(&mut generations.new);
            generations.new_bytes = 0;
        }
        if generations.new.insert(key.into(), value).is_none() {
            generations.new_bytes += bytes;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for_and_stays_bounded() {
        let cache = GenerationCache::new(8 * (ENTRY_OVERHEAD + 2));
        for number in 0..1000u16 {
            assert_eq!(cache.get_or_insert_with(b"hot", || 0), 0);
            cache.get_or_insert_with(&number.to_be_bytes(), || number);
        }
        let mut is_made = false;
        cache.get_or_insert_with(b"hot", || {
            is_made = true;
            0
        });
        assert!(!is_made);
        let generations = cache.generations.read().unwrap();
        assert!(generations.new.len() + generations.old.len() <= 8);
    }
}

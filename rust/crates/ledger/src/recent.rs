// SPDX-License-Identifier: Apache-2.0
//! Tells which layer to look into, so that looking up a key takes one look however many layers there are.
//!
//! The index is one for all views. A view that is older than what the index knows, or than what it has forgotten, is
//! told so, and looks through its layers.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::changes::{Changes, Keep};
use crate::layer::{Kind, Layer};

/// Locks per store, so that readers seldom meet a writer.
const SHARDS: usize = 16;

/// The stores whose keys are looked up one by one.
const KINDS: [Kind; 3] = [Kind::State, Kind::TxIds, Kind::OtherTxIds];

/// A keyed hash: whoever chooses keys cannot choose which of them collide.
pub(crate) fn hash(key: &[u8]) -> u64 {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    KEYS.get_or_init(RandomState::new).hash_one(key)
}

/// The map's keys are hashes already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Goes by the high bits, as the maps go by the low ones.
fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize % SHARDS
}

fn by_shard(changes: &Changes) -> [Vec<u64>; SHARDS] {
    let mut shards: [Vec<u64>; SHARDS] = Default::default();
    for change in changes.all() {
        let hash = hash(change.key);
        shards[shard_of(hash)].push(hash);
    }
    shards
}

type Shard = RwLock<HashMap<u64, u64, BuildHasherDefault<Identity>>>;

/// The block that changed a key, by the key's [`hash`]: where the last change counts the last, else the first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    maps: [[Shard; SHARDS]; KINDS.len()],
    /// The first block that has not been forgotten.
    floor: AtomicU64,
}

/// Where to look for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In no layer.
    Nowhere,
    /// In the layer of this block; or, should two keys have one hash, in any.
    Block(u64),
    /// In all layers.
    Anywhere,
}

impl Recent {
    /// Learns the keys of a layer, before any view can have it.
    pub(crate) fn learn(&self, layer: &Layer) {
        for (kind, shards) in KINDS.into_iter().zip(&self.maps) {
            for (shard, hashes) in shards.iter().zip(by_shard(&layer[kind])) {
                let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
                shard.reserve(hashes.len());
                for hash in hashes {
                    let known = shard.entry(hash).or_insert(layer.last);
                    if kind.keep() == Keep::Last {
                        *known = layer.last;
                    }
                }
            }
        }
    }

    /// Forgets the keys of the oldest layer, which is in the stores.
    pub(crate) fn forget(&self, layer: &Layer) {
        // First, so that whoever misses a key that is forgotten below sees it.
        self.floor.store(layer.last + 1, Ordering::Release);
        for (kind, shards) in KINDS.into_iter().zip(&self.maps) {
            for (shard, hashes) in shards.iter().zip(by_shard(&layer[kind])) {
                let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
                for hash in hashes {
                    if shard.get(&hash).is_some_and(|block| *block <= layer.last) {
                        shard.remove(&hash);
                    }
                }
            }
        }
    }

    /// Where to look for a key in a view whose layers hold the blocks from `first` to `height`.
    pub(crate) fn place(&self, kind: Kind, hash: u64, first: u64, height: u64) -> Place {
        let Some(map) = KINDS.iter().position(|known| *known == kind) else { return Place::Anywhere };
        let block = self.maps[map][shard_of(hash)].read().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        match block {
            Some(block) if block >= height => Place::Anywhere,
            Some(block) if block >= first => Place::Block(block),
            _ if self.floor.load(Ordering::Acquire) > first => Place::Anywhere,
            _ => Place::Nowhere,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn layer(block: u64, keys: &[&str]) -> Layer {
        let mut stores: [Changes; Kind::ALL.len()] = Default::default();
        for key in keys {
            for kind in [Kind::State, Kind::TxIds] {
                stores[kind as usize].put(|out| out.extend_from_slice(key.as_bytes()), |_| ());
            }
        }
        Layer::new(block, stores).unwrap()
    }

    #[test]
    fn the_last_state_and_the_first_transaction_are_found() {
        let recent = Recent::default();
        let layers = [layer(5, &["a", "b"]), layer(6, &["b", "c"]), layer(7, &["d"])];
        for layer in &layers {
            recent.learn(layer);
        }
        let state = |key: &str, first, height| recent.place(Kind::State, hash(key.as_bytes()), first, height);
        let tx_id = |key: &str, first, height| recent.place(Kind::TxIds, hash(key.as_bytes()), first, height);
        assert_eq!(state("b", 5, 8), Place::Block(6));
        assert_eq!(tx_id("b", 5, 8), Place::Block(5));
        assert_eq!(state("x", 5, 8), Place::Nowhere);
        // A view of blocks 5 only must not be misled by block 6.
        assert_eq!(state("b", 5, 6), Place::Anywhere);
        assert_eq!(tx_id("c", 5, 6), Place::Anywhere);

        recent.forget(&layers[0]);
        // Views that still have the layer of block 5 must look for themselves, later ones need not.
        assert_eq!(state("a", 5, 8), Place::Anywhere);
        assert_eq!(state("a", 6, 8), Place::Nowhere);
        assert_eq!(state("b", 6, 8), Place::Block(6));
        assert_eq!(tx_id("b", 6, 8), Place::Nowhere);
    }
}

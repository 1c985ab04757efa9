// SPDX-License-Identifier: Apache-2.0
//! The merkle summary of a range query's results (`rwsetutil/query_results_helper.go`).
//!
//! A node is the hash of `degree + 1` children: of results at level 1, of hashes above. The summary is the lowest
//! level with at most `degree` nodes. On each level the last node may have fewer children; with a single hash below
//! it, it is that hash.

use fastledger_wire::hash::sha256;
use fastledger_wire::{Hash, Height, encode};
use sha2::{Digest, Sha256};

/// The least degree that Fabric accepts (`newMerkleTree`).
pub(crate) const MIN_DEGREE: u32 = 2;

/// Encoded results that are hashed together, in bytes.
const HASHED_AT_ONCE: usize = 4096;

/// The top of a finished tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// 1 for hashes over results.
    pub level: u32,
    /// At most `degree`.
    pub hashes: Vec<Hash>,
}

/// A tree that grows by one result at a time and keeps neither results nor finished nodes.
///
/// What it does keep, fewer than `degree + 2` hashes a level, is a fraction of the range that it was built from.
#[derive(Debug)]
pub struct MerkleTree {
    degree: u32,
    leaf: Sha256,
    leaf_results: u32,
    /// Nodes without a parent, level 1 first.
    levels: Vec<Vec<Hash>>,
    /// The leaf's last results, not hashed yet.
    encoded: Vec<u8>,
}

impl MerkleTree {
    /// `None` for a degree below [`MIN_DEGREE`].
    #[must_use]
    pub fn new(degree: u32) -> Option<Self> {
        (degree >= MIN_DEGREE).then(|| Self {
            degree,
            leaf: Sha256::new(),
            leaf_results: 0,
            levels: Vec::new(),
            encoded: Vec::new(),
        })
    }

    /// Counts one result in.
    pub fn add(&mut self, key: &str, version: Height) {
        encode_result(&mut self.encoded, key, version);
        if self.encoded.len() >= HASHED_AT_ONCE {
            self.hash_encoded();
        }
        self.leaf_results += 1;
        if self.leaf_results > self.degree {
            self.close_leaf();
        }
    }

    fn hash_encoded(&mut self) {
        self.leaf.update(&self.encoded);
        self.encoded.clear();
    }

    fn close_leaf(&mut self) {
        self.hash_encoded();
        let mut node: Hash = self.leaf.finalize_reset().into();
        self.leaf_results = 0;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            if nodes.len() <= self.degree as usize {
                return;
            }
            node = sha256(&[nodes.as_flattened()]);
            nodes.clear();
        }
    }

    /// `None` when there are too few results to hash.
    #[must_use]
    pub fn finish(mut self) -> Option<Summary> {
        if self.levels.is_empty() {
            return None;
        }
        if self.leaf_results > 0 {
            self.close_leaf();
        }
        let (mut level, mut nodes, mut carried) = (0, Vec::new(), None);
        for unparented in self.levels {
            level += 1;
            nodes = unparented;
            nodes.extend(carried);
            carried = parent(&nodes);
        }
        match carried {
            Some(root) if nodes.len() > self.degree as usize => Some(Summary { level: level + 1, hashes: vec![root] }),
            _ => Some(Summary { level, hashes: nodes }),
        }
    }
}

fn parent(nodes: &[Hash]) -> Option<Hash> {
    match nodes {
        [] => None,
        [only] => Some(*only),
        several => Some(sha256(&[several.as_flattened()])),
    }
}

/// Appends one `KVRead` of an encoded `QueryReads`.
pub fn encode_result(out: &mut Vec<u8>, key: &str, version: Height) {
    // Lengths first: to put each message together on its own takes longer than to hash it.
    let number = |value: u64| if value == 0 { 0 } else { 1 + encode::varint_len(value) };
    let height = number(version.block) + number(version.tx);
    let named = if key.is_empty() { 0 } else { encode::field_len(key.len()) };
    encode::field_head(out, 1, named + encode::field_len(height));
    encode::bytes_field(out, 1, key.as_bytes());
    encode::field_head(out, 2, height);
    encode::varint_field(out, 1, version.block);
    encode::varint_field(out, 2, version.tx);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use crate::sequential::summary;

    fn results(count: u64) -> Vec<(Box<[u8]>, Height)> {
        (0..count).map(|index| (format!("key{index:04}").into_bytes().into(), Height { block: index, tx: 1 })).collect()
    }

    fn grown(results: &[(Box<[u8]>, Height)], degree: u32) -> Option<Summary> {
        let mut tree = MerkleTree::new(degree)?;
        for (key, version) in results {
            tree.add(std::str::from_utf8(key).unwrap(), *version);
        }
        tree.finish()
    }

    #[test]
    fn growing_gives_what_building_level_by_level_gives() {
        for degree in [0, 1, 2, 3, 4, 7, 50] {
            for count in (0..130).chain([500, 2_601, 2_602]) {
                let results = results(count);
                assert_eq!(grown(&results, degree), summary(&results, degree), "degree {degree}, {count} results");
            }
        }
    }

    #[test]
    fn the_shape_is_fabrics() {
        let shape = |count, degree| grown(&results(count), degree).map(|summary| (summary.level, summary.hashes.len()));
        assert_eq!(shape(2, 2), None, "no more results than the degree are not hashed");
        assert_eq!(shape(3, 2), Some((1, 1)));
        assert_eq!(shape(6, 2), Some((1, 2)));
        assert_eq!(shape(7, 2), Some((2, 1)), "a third leaf, even with one result, closes a node above");
        assert_eq!(shape(60, 50), Some((1, 2)));
        assert_eq!(shape(120, 50), Some((1, 3)));
        assert_eq!(MerkleTree::new(1).map(|_| ()), None);
    }

    #[test]
    fn results_are_encoded_as_reads() {
        let mut encoded = Vec::new();
        encode_result(&mut encoded, "k", Height { block: 0, tx: 300 });
        // kv_reads (1) { key (1) "k", version (2) { tx_num (2) 300 } }
        assert_eq!(encoded, [0x0a, 8, 0x0a, 1, b'k', 0x12, 3, 0x10, 0xac, 0x02]);
        encoded.clear();
        encode_result(&mut encoded, "", Height::default());
        assert_eq!(encoded, [0x0a, 2, 0x12, 0]);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a transaction says of a range that it read (`rwsetutil/query_results_helper.go`).

use fastledger_mvcc::merkle::{MerkleTree, encode_result};
use fastledger_wire::{Height, encode};

/// Results that stand in a read-write set one by one; more are summed up (Fabric: `maxDegreeQueryReadsHashing`). It is
/// written into every summary.
const MAX_DEGREE: u32 = 50;

/// The results of one range query, in the order of their reading.
#[derive(Debug, Default)]
pub struct RangeResults {
    /// Encoded as `QueryReads`, while they are few.
    raw: Vec<u8>,
    count: u64,
    tree: Option<MerkleTree>,
}

impl RangeResults {
    /// Counts one result in.
    pub fn add(&mut self, key: &str, version: Height) {
        self.count += 1;
        if self.count <= u64::from(MAX_DEGREE) {
            encode_result(&mut self.raw, key, version);
        } else {
            self.raw.clear();
        }
        let tree = self.tree.take().or_else(|| MerkleTree::new(MAX_DEGREE));
        self.tree = tree.map(|mut tree| {
            tree.add(key, version);
            tree
        });
    }

    /// Appends what a `RangeQueryInfo` says of the results: nothing for none.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.tree.and_then(MerkleTree::finish) {
            Some(summary) => {
                let mut encoded = Vec::new();
                encode::varint_field(&mut encoded, 1, u64::from(MAX_DEGREE));
                encode::varint_field(&mut encoded, 2, u64::from(summary.level));
                for hash in &summary.hashes {
                    encode::present_field(&mut encoded, 3, hash);
                }
                encode::present_field(out, 5, &encoded);
            }
            None if self.count > 0 => encode::present_field(out, 4, &self.raw),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_results_are_summed_up() {
        let of = |count: u64| {
            let mut results = RangeResults::default();
            for number in 0..count {
                results.add(&format!("k{number:05}"), Height { block: 7, tx: number });
            }
            let mut out = Vec::new();
            results.finish(&mut out);
            out
        };
        assert_eq!(of(0), []);
        // kv_reads { key "k00000", version { block_num 7 } }
        assert_eq!(of(1), [&[0x22, 14, 0x0a, 12, 0x0a, 6][..], b"k00000", &[0x12, 2, 0x08, 7]].concat());
        assert_eq!(of(50)[0], 0x22);
        for (count, level, hashes) in [(51, 1, 1), (52, 1, 2), (2_550, 1, 50), (2_551, 2, 1), (2_602, 2, 2)] {
            let out = of(count);
            let length = 4 + hashes * 34;
            let mut head = vec![0x2a];
            encode::varint(&mut head, length as u64);
            head.extend([0x08, 50, 0x10, level]);
            assert_eq!((&out[..head.len()], out.len()), (&head[..], head.len() - 4 + length), "{count} results");
        }
    }
}

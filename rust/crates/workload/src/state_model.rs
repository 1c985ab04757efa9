// SPDX-License-Identifier: Apache-2.0
//! The generator's own idea of the state: the version of every key, as committed and as endorsers see it.
//!
//! It is the slow and obvious judge of what transactions will be: one after the other, every read compared.
//! Keys are never deleted here, so a range has other results exactly if one of its keys has another version.

use std::collections::VecDeque;
use std::ops::Range;

use fastledger_wire::{Height, TxValidationCode};

/// Bits of a packed version that hold the place in the block.
const PLACE_BITS: u32 = 24;

/// A key's version in eight bytes; 0 for a key that does not exist, as block 0 writes none.
type Packed = u64;

/// Versions of all keys, by their numbers.
#[derive(Debug)]
pub(crate) struct StateModel {
    committed: Vec<Packed>,
    /// The state that endorsers simulate on.
    seen: Vec<Packed>,
    /// What the blocks wrote that endorsers do not see yet, oldest first; the last is the current one.
    unseen: VecDeque<Vec<(u64, Packed)>>,
}

/// What a simulation claims about the state.
#[derive(Debug, Default)]
pub(crate) struct Claims<'c> {
    /// Keys and the versions that they had.
    pub(crate) reads: &'c [(u64, Option<Height>)],
    /// Keys that had the versions that endorsers see.
    pub(crate) range: Option<Range<u64>>,
}

impl StateModel {
    /// No key exists.
    pub(crate) fn new(keys: u64) -> Self {
        let keys = usize::try_from(keys).unwrap_or(usize::MAX);
        Self { committed: vec![0; keys], seen: vec![0; keys], unseen: VecDeque::from([Vec::new()]) }
    }

    /// The version that endorsers see.
    pub(crate) fn seen(&self, key: u64) -> Option<Height> {
        unpacked(self.seen[place(key)])
    }

    /// The verdict of concurrency control on the block's next transaction.
    pub(crate) fn judge(&self, claims: &Claims<'_>) -> TxValidationCode {
        let outdated = |(key, version): &(u64, Option<Height>)| unpacked(self.committed[place(*key)]) != *version;
        if claims.reads.iter().any(outdated) {
            return TxValidationCode::MvccReadConflict;
        }
        let range = claims.range.as_ref().map_or(0..0, |range| place(range.start)..place(range.end));
        if self.committed[range.clone()] != self.seen[range] {
            return TxValidationCode::PhantomReadConflict;
        }
        TxValidationCode::Valid
    }

    /// A valid transaction wrote these keys.
    pub(crate) fn commit(&mut self, height: Height, keys: &[u64]) {
        let version = height.block << PLACE_BITS | height.tx;
        for key in keys {
            self.committed[place(*key)] = version;
        }
        if let Some(current) = self.unseen.back_mut() {
            current.extend(keys.iter().map(|key| (*key, version)));
        }
    }

    /// The block is complete; endorsers are so many blocks behind the next one's predecessor.
    pub(crate) fn end_block(&mut self, lag: usize) {
        while self.unseen.len() > lag
            && let Some(writes) = self.unseen.pop_front()
        {
            for (key, version) in writes {
                self.seen[place(key)] = version;
            }
        }
        self.unseen.push_back(Vec::new());
    }
}

/// The version that stood in the chain before this one.
pub(crate) fn outdated(version: Option<Height>) -> Option<Height> {
    version.map(|Height { block, tx }| match tx {
        0 => Height { block: block - 1, tx: 0 },
        _ => Height { block, tx: tx - 1 },
    })
}

fn unpacked(version: Packed) -> Option<Height> {
    (version != 0).then_some(Height { block: version >> PLACE_BITS, tx: version & ((1 << PLACE_BITS) - 1) })
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a vector")]
fn place(key: u64) -> usize {
    key as usize
}

#[cfg(test)]
mod tests {
    use fastledger_wire::{Height, TxValidationCode};

    use super::{Claims, StateModel, outdated};

    fn height(block: u64, tx: u64) -> Height {
        Height { block, tx }
    }

    #[test]
    fn a_write_is_seen_after_its_block_and_conflicts_within_it() {
        let mut model = StateModel::new(3);
        model.commit(height(1, 0), &[0, 1, 2]);
        model.end_block(0);
        let before = [(1, model.seen(1))];
        assert_eq!(before, [(1, Some(height(1, 0)))]);
        let read = Claims { reads: &before, range: None };
        let ranged = |range| Claims { reads: &[], range: Some(range) };
        assert_eq!(model.judge(&read), TxValidationCode::Valid);
        model.commit(height(2, 5), &[1]);
        assert_eq!(model.seen(1), Some(height(1, 0)));
        assert_eq!(model.judge(&read), TxValidationCode::MvccReadConflict);
        assert_eq!(model.judge(&ranged(0..2)), TxValidationCode::PhantomReadConflict);
        assert_eq!(model.judge(&ranged(2..3)), TxValidationCode::Valid);
        model.end_block(0);
        assert_eq!(model.judge(&Claims { reads: &[(1, model.seen(1))], range: Some(0..3) }), TxValidationCode::Valid);
    }

    #[test]
    fn endorsers_may_be_behind() {
        let mut model = StateModel::new(1);
        let mut seen = Vec::new();
        for block in 1..6 {
            model.commit(height(block, 0), &[0]);
            model.end_block(2);
            seen.push(model.seen(0).map(|height| height.block));
        }
        assert_eq!(seen, [None, None, Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn an_outdated_version_is_another_one() {
        assert_eq!(outdated(Some(height(7, 3))), Some(height(7, 2)));
        assert_eq!(outdated(Some(height(7, 0))), Some(height(6, 0)));
        assert_eq!(outdated(None), None);
    }
}

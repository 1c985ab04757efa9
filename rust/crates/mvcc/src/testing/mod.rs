// SPDX-License-Identifier: Apache-2.0
//! State in memory and blocks made from arbitrary bytes, for tests, fuzzing and benches.

mod counting;
pub mod encode;
mod memory;
mod scenario;

pub use counting::Counting;
pub use memory::MemoryState;
pub use scenario::Scenario;

use fastledger_wire::rwset::TxRwSet;

use crate::Transaction;

/// Transactions at positions 0, 1, 2, … of a block.
#[must_use]
pub fn transactions<'a>(rwsets: &'a [TxRwSet<'a>]) -> Vec<Transaction<'a>> {
    (0..).zip(rwsets).map(|(index, rwset)| Transaction { rwset, index }).collect()
}

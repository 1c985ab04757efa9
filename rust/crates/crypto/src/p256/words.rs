// SPDX-License-Identifier: Apache-2.0
//! What arithmetic by IFMA asks of registers: lanes of 64-bit words, and the 52-bit multiply-add.
//!
//! The operations are a machine's instructions under safe names. Implementations are `inline(always)` and enable no
//! feature of their own: they become part of a caller compiled for the features.

use super::lanes::Mask;
use super::limbs::Limbs;

/// `LANES` lanes of 64 bits. Arithmetic wraps.
pub(crate) trait Words: Copy + Send {
    /// Lanes of one value: 8 or 4.
    const LANES: usize;

    /// The same word in all lanes.
    fn splat(word: u64) -> Self;

    /// Sums.
    fn add(self, other: Self) -> Self;

    /// Differences.
    fn sub(self, other: Self) -> Self;

    /// Common bits.
    fn and(self, other: Self) -> Self;

    /// All bits.
    fn or(self, other: Self) -> Self;

    /// Differing bits.
    fn xor(self, other: Self) -> Self;

    /// Towards the high end; by 64 or more nothing is left.
    fn shl(self, bits: u32) -> Self;

    /// Towards the low end, zeros coming in; by 64 or more nothing is left.
    fn shr(self, bits: u32) -> Self;

    /// Towards the low end, copies of the sign coming in; by less than 64.
    fn sar(self, bits: u32) -> Self;

    /// The low words of (high:self) >> `bits`, which are 1 to 63.
    fn funnel(self, high: Self, bits: u32) -> Self;

    /// self + the low 52 bits of a·b (of the low 52 bits of each).
    fn add_low(self, a: Self, b: Self) -> Self;

    /// self + the high 52 bits of a·b.
    fn add_high(self, a: Self, b: Self) -> Self;

    /// `chosen` where the mask says so, `other` elsewhere.
    fn select(mask: Mask, chosen: Self, other: Self) -> Self;

    /// Where the words are equal.
    fn equal(self, other: Self) -> Mask;

    /// Lane i becomes lane i ^ `distance`, a power of two below `LANES`.
    fn swap(self, distance: usize) -> Self;

    /// Loads a row of four words for each lane, and turns the rows into four columns.
    fn load_columns(rows: [&Limbs; 8]) -> [Self; 4];

    /// The lanes, lowest first; what is beyond them is zero.
    fn to_array(self) -> [u64; 8];
}

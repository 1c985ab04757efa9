// SPDX-License-Identifier: Apache-2.0
//! What arithmetic by doubles asks of registers: lanes of 64 bits, each an integer or a double as the operation takes it.
//!
//! The operations are a machine's instructions under safe names. Implementations are `inline(always)` and enable no
//! feature of their own: they become part of a caller compiled for the features.

use super::lanes::Mask;
use super::limbs::Limbs;

/// `LANES` lanes of 64 bits.
pub(crate) trait Doubles: Copy + Send {
    /// Lanes of one value; at most 8.
    const LANES: usize;

    /// The same bits in all lanes.
    fn splat(bits: u64) -> Self;

    /// Integer sums, which wrap.
    fn add(self, other: Self) -> Self;

    /// Integer differences, which wrap.
    fn sub(self, other: Self) -> Self;

    /// Common bits.
    fn and(self, other: Self) -> Self;

    /// All bits.
    fn or(self, other: Self) -> Self;

    /// Differing bits.
    fn xor(self, other: Self) -> Self;

    /// `self & mask | bits`.
    fn keep(self, mask: Self, bits: Self) -> Self;

    /// Towards the high end; by 64 or more nothing is left.
    fn shl(self, bits: u32) -> Self;

    /// Towards the low end, zeros coming in; by 64 or more nothing is left.
    fn shr(self, bits: u32) -> Self;

    /// a + b of doubles.
    fn plus(self, other: Self) -> Self;

    /// a − b of doubles.
    fn minus(self, other: Self) -> Self;

    /// a·b + c of doubles, rounded once, to nearest.
    fn multiply_add(a: Self, b: Self, c: Self) -> Self;

    /// a·b − c of doubles, rounded once, to nearest.
    fn multiply_sub(a: Self, b: Self, c: Self) -> Self;

    /// Doubles with the other sign where the mask says so.
    fn negate_where(self, mask: Mask) -> Self;

    /// `chosen` where the mask says so, `other` elsewhere.
    fn select(mask: Mask, chosen: Self, other: Self) -> Self;

    /// Lanes whose bits are the same.
    fn equal(self, other: Self) -> Mask;

    /// Lane i becomes lane i ^ `distance`, a power of two below `LANES`.
    fn swap(self, distance: usize) -> Self;

    /// Loads a row of four words for each lane, and turns the rows into four columns.
    fn load_columns(rows: [&Limbs; 8]) -> [Self; 4];

    /// The lanes, lowest first; what is beyond them is zero.
    fn to_array(self) -> [u64; 8];

    /// The other way.
    fn from_array(bits: &[u64; 8]) -> Self;
}

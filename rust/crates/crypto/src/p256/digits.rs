// SPDX-License-Identifier: Apache-2.0
//! Scalars as sums of odd signed digits.
//!
//! An odd k below 2^(w·t) is Σ dᵢ·2^(w·i) with every dᵢ odd and |dᵢ| < 2^w: with B = (k − 1)/2 + 2^(w·t − 1) and bᵢ
//! the plain digits of B in base 2^w, dᵢ = 2·bᵢ − (2^w − 1). No digit is zero, none carries into the next, and
//! every scalar has the same number of them. For an even k the digits of n − k, which is odd, are taken with the
//! opposite sign.

use super::lanes::Mask;
use super::limbs::Limbs;
use super::order;

/// How a scalar is cut: `count` digits of `bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Bits of a digit.
    pub(crate) bits: usize,
    /// Digits of a scalar; `bits * count` is at least 256.
    pub(crate) count: usize,
}

impl Window {
    /// The fewest digits of `bits` bits, 2 to 16, that cover a scalar.
    pub(crate) const fn of(bits: usize) -> Self {
        Self { bits, count: 256usize.div_ceil(bits) }
    }

    /// Odd positive values of a digit.
    pub(crate) const fn values(self) -> usize {
        1 << (self.bits - 1)
    }
}

/// The digits of one scalar for each lane.
pub(crate) trait Digits {
    /// The digits of weight 2^(bits·i): ±(2·index + 1) in each lane, and which are negative.
    fn get(&self, i: usize) -> ([u64; 8], Mask);
}

/// The digits of one scalar, in the first lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits1 {
    /// B above, one limb more than the scalar.
    pub(crate) bits: [u64; 5],
    /// Whether the digits are those of the negated scalar.
    pub(crate) negated: bool,
    window: Window,
}

impl Digits1 {
    /// Prepares k ≤ n.
    pub(crate) fn new(k: &Limbs, window: Window) -> Self {
        let negated = k[0] & 1 == 0;
        let k = if negated { order::negate(k) } else { *k };
        let mut bits = [k[0] >> 1 | k[1] << 63, k[1] >> 1 | k[2] << 63, k[2] >> 1 | k[3] << 63, k[3] >> 1, 0];
        let top = window.bits * window.count - 1;
        bits[top / 64] |= 1 << (top % 64);
        Self { bits, negated, window }
    }
}

impl Digits for Digits1 {
    #[inline(always)]
    fn get(&self, i: usize) -> ([u64; 8], Mask) {
        let Window { bits, .. } = self.window;
        let start = bits * i;
        let low = self.bits[start / 64] >> (start % 64);
        // Shifted in two steps: a shift by 64 is none.
        let high = self.bits.get(start / 64 + 1).map_or(0, |limb| limb << 1 << (63 - start % 64));
        let mask = (1u64 << (bits - 1)) - 1;
        let value = low | high;
        // The upper half of the values of b is positive; the lower half mirrors it.
        let negative = value >> (bits - 1) & 1 == 0;
        let index = (if negative { !value } else { value }) & mask;
        ([index, 0, 0, 0, 0, 0, 0, 0], Mask::from(negative != self.negated))
    }
}

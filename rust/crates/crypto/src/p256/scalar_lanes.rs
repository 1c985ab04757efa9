// SPDX-License-Identifier: Apache-2.0
//! Scalars side by side, worked on one after the other until their digits are cut.

use std::marker::PhantomData;

use super::digits::{Digits, Window};
use super::doubles::Doubles;
use super::lanes::Mask;
use super::limbs::Limbs;
use super::scalar::{Scalar1, Scalars};

/// As many scalars as `W` has lanes; what is beyond them means nothing.
#[derive(Clone, Copy)]
pub(crate) struct ScalarLanes<W>([Scalar1; 8], PhantomData<W>);

impl<W: Doubles> Scalars for ScalarLanes<W> {
    type Digits = DigitLanes<W>;

    #[inline(always)]
    fn gather(numbers: [&Limbs; 8]) -> Self {
        let mut lanes = [Scalar1::gather(numbers); 8];
        for i in 1..W::LANES {
            lanes[i] = Scalar1::gather([numbers[i]; 8]);
        }
        Self(lanes, PhantomData)
    }

    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for i in 0..W::LANES {
            self.0[i] = self.0[i].mul(other.0[i]);
        }
        self
    }

    fn invert(mut self) -> Option<Self> {
        let lanes = &mut self.0[..W::LANES];
        let mut before = *lanes.first()?;
        let mut products = [before; 8];
        for i in 1..lanes.len() {
            products[i] = before;
            before = before.mul(lanes[i]);
        }
        let mut inverse = before.invert()?;
        for i in (1..lanes.len()).rev() {
            let next = inverse.mul(lanes[i]);
            lanes[i] = inverse.mul(products[i]);
            inverse = next;
        }
        lanes[0] = inverse;
        Some(self)
    }

    #[inline(always)]
    fn digits(self, window: Window) -> DigitLanes<W> {
        let mut columns = [[0; 8]; 5];
        let mut negated = 0;
        for i in 0..W::LANES {
            let digits = self.0[i].digits(window);
            for (column, word) in columns.iter_mut().zip(digits.bits) {
                column[i] = word;
            }
            negated |= Mask::from(digits.negated) << i;
        }
        let [a, b, c, d, e] = &columns;
        let bits = [W::from_array(a), W::from_array(b), W::from_array(c), W::from_array(d), W::from_array(e)];
        DigitLanes { bits, negated, window }
    }
}

/// The digits of scalars side by side; what they are is told at [`super::digits`].
#[derive(Clone, Copy)]
pub(crate) struct DigitLanes<W> {
    /// B, one word more than the scalar.
    bits: [W; 5],
    /// Whose digits are those of the negated scalar.
    negated: Mask,
    window: Window,
}

impl<W: Doubles> Digits for DigitLanes<W> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "shifts are below 64")]
    fn get(&self, i: usize) -> ([u64; 8], Mask) {
        let Window { bits, .. } = self.window;
        let (word, shift) = (bits * i / 64, (bits * i % 64) as u32);
        let mut value = self.bits[word].shr(shift);
        if let Some(high) = self.bits.get(word + 1) {
            value = value.or(high.shl(64 - shift));
        }
        // The upper half of the values of b is positive; the lower half mirrors it.
        let sign = W::splat(1 << (bits - 1));
        let negative = value.and(sign).equal(W::splat(0));
        let mirror = value.shr(bits as u32 - 1).and(W::splat(1)).sub(W::splat(1));
        let index = value.xor(mirror).and(W::splat((1 << (bits - 1)) - 1));
        (index.to_array(), negative ^ self.negated)
    }
}

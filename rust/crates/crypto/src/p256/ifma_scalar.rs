// SPDX-License-Identifier: Apache-2.0
//! Scalars side by side, eight or four.

use super::digits::{Digits, Window};
use super::inverse::Modulus;
use super::lanes::Mask;
use super::limbs::{self, Limbs};
use super::limbs52::{LIMB_BITS, Limbs52, Reduction, split};
use super::order::ORDER;
use super::scalar::Scalars;
use super::words::Words;

/// Arithmetic modulo n.
struct N;

impl Reduction for N {
    const LIMBS: Limbs = ORDER;
    const MODULUS: Modulus = Modulus::new(&ORDER);

    /// n has no form to make use of: each quotient is a product, and multiplies all limbs.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn reduce<W: Words>(mut t: [W; 10]) -> Limbs52<W> {
        const LIMBS: [u64; 5] = split(&ORDER);
        const INVERSE: u64 = limbs::negated_inverse(ORDER[0]);
        let inverse = W::splat(INVERSE);
        for i in 0..5 {
            let quotient = W::splat(0).add_low(t[i], inverse);
            for j in 0..5 {
                let limb = W::splat(LIMBS[j]);
                t[i + j] = t[i + j].add_low(quotient, limb);
                t[i + j + 1] = t[i + j + 1].add_high(quotient, limb);
            }
            t[i + 1] = t[i + 1].add(t[i].shr(LIMB_BITS));
        }
        Limbs52([t[5], t[6], t[7], t[8], t[9]])
    }
}

/// A scalar in each lane, tight.
#[derive(Clone, Copy)]
pub(crate) struct IfmaScalars<W>(Limbs52<W>);

impl<W: Words> Scalars for IfmaScalars<W> {
    type Digits = IfmaDigits<W>;

    #[inline(always)]
    fn gather(numbers: [&Limbs; 8]) -> Self {
        Self(Limbs52::gather(numbers))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0.raw_mul::<N>(other.0, Limbs52::splat([0; 5])).carry())
    }

    #[inline(always)]
    fn invert(self) -> Option<Self> {
        self.0.invert::<N>().map(Self)
    }

    #[inline(always)]
    fn digits(self, window: Window) -> IfmaDigits<W> {
        let plain = self.0.canonical::<N>();
        let negated = plain.0[0].and(W::splat(1)).equal(W::splat(0));
        let odd = Limbs52::select(negated, Limbs52::multiple::<N>(1).raw_sub(plain).carry(), plain);
        let [a, b, c, d] = odd.columns();
        let mut bits = [a.funnel(b, 1), b.funnel(c, 1), c.funnel(d, 1), d.shr(1), W::splat(0)];
        let top = window.bits * window.count - 1;
        bits[top / 64] = bits[top / 64].or(W::splat(1 << (top % 64)));
        IfmaDigits { bits, negated, window }
    }
}

/// The digits of a scalar in each lane; what they are is told at [`super::digits`].
#[derive(Clone, Copy)]
pub(crate) struct IfmaDigits<W> {
    /// B, one limb more than the scalar.
    bits: [W; 5],
    /// Whose digits are those of the negated scalar.
    negated: Mask,
    window: Window,
}

impl<W: Words> Digits for IfmaDigits<W> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "shifts are below 64")]
    fn get(&self, i: usize) -> ([u64; 8], Mask) {
        let Window { bits, .. } = self.window;
        let (limb, shift) = (bits * i / 64, (bits * i % 64) as u32);
        let mut value = self.bits[limb].shr(shift);
        if let Some(high) = self.bits.get(limb + 1) {
            value = value.or(high.shl(64 - shift));
        }
        let sign = 1 << (bits - 1);
        let negative = value.and(W::splat(sign)).equal(W::splat(0));
        let mask = W::splat(sign - 1);
        let index = W::select(negative, value.xor(mask), value).and(mask);
        (index.to_array(), negative ^ self.negated)
    }
}

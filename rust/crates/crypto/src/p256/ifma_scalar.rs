// SPDX-License-Identifier: Apache-2.0
//! Eight scalars side by side.

use super::digits::{Digits, Window};
use super::inverse::Modulus;
use super::lanes::Mask;
use super::lanes8::{LIMB_BITS, Lanes8, Reduction, split};
use super::limbs::{self, Limbs};
use super::order::ORDER;
use super::scalar::Scalars;
use super::simd::Words;

/// Arithmetic modulo n.
struct N;

impl Reduction for N {
    const LIMBS: Limbs = ORDER;
    const MODULUS: Modulus = Modulus::new(&ORDER);

    /// n has no form to make use of: each quotient is a product, and multiplies all limbs.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn reduce(mut t: [Words; 10]) -> Lanes8 {
        const LIMBS: [u64; 5] = split(&ORDER);
        const INVERSE: u64 = limbs::negated_inverse(ORDER[0]);
        let inverse = Words::splat(INVERSE);
        for i in 0..5 {
            let quotient = Words::zero().add_low(t[i], inverse);
            for j in 0..5 {
                let limb = Words::splat(LIMBS[j]);
                t[i + j] = t[i + j].add_low(quotient, limb);
                t[i + j + 1] = t[i + j + 1].add_high(quotient, limb);
            }
            t[i + 1] = t[i + 1].add(t[i].shr::<LIMB_BITS>());
        }
        Lanes8([t[5], t[6], t[7], t[8], t[9]])
    }
}

/// Eight scalars, tight.
#[derive(Clone, Copy)]
pub(crate) struct Scalars8(Lanes8);

impl Scalars for Scalars8 {
    type Digits = Digits8;

    #[inline(always)]
    fn gather(numbers: [&Limbs; 8]) -> Self {
        Self(Lanes8::gather(numbers))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0.raw_mul::<N>(other.0, Lanes8::splat([0; 5])).carry())
    }

    #[inline(always)]
    fn invert(self) -> Option<Self> {
        self.0.invert::<N>().map(Self)
    }

    #[inline(always)]
    fn digits(self, window: Window) -> Digits8 {
        let plain = self.0.canonical::<N>();
        let negated = plain.0[0].lack(Words::splat(1));
        let odd = Lanes8::select(negated, Lanes8::multiple::<N>(1).raw_sub(plain).carry(), plain);
        let [a, b, c, d] = odd.columns();
        let mut bits = [a.funnel::<1>(b), b.funnel::<1>(c), c.funnel::<1>(d), d.shr::<1>(), Words::zero()];
        let top = window.bits * window.count - 1;
        bits[top / 64] = bits[top / 64].or(Words::splat(1 << (top % 64)));
        Digits8 { bits, negated, window }
    }
}

/// The digits of eight scalars; what they are is told at [`super::digits`].
#[derive(Clone, Copy)]
pub(crate) struct Digits8 {
    /// B, one limb more than the scalar.
    bits: [Words; 5],
    /// Whose digits are those of the negated scalar.
    negated: Mask,
    window: Window,
}

impl Digits for Digits8 {
    #[inline(always)]
    fn get(&self, i: usize) -> ([u64; 8], Mask) {
        let Window { bits, .. } = self.window;
        let (limb, shift) = (bits * i / 64, bits as u64 * i as u64 % 64);
        let mut value = self.bits[limb].shr_by(shift);
        if let Some(high) = self.bits.get(limb + 1) {
            value = value.or(high.shl_by(64 - shift));
        }
        let sign = 1 << (bits - 1);
        let negative = value.lack(Words::splat(sign));
        let mask = Words::splat(sign - 1);
        (value.xor_where(negative, mask).and(mask).to_array(), negative ^ self.negated)
    }
}

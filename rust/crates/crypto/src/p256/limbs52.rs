// SPDX-License-Identifier: Apache-2.0
//! Numbers of 260 bits side by side, modulo p or n, multiplied by IFMA's 52-bit multiply-add.
//!
//! A number is five limbs of 52 bits, one register per limb, in Montgomery form with radix 2^260. Both moduli m are
//! just below 2^256, so values below 16m fit: that is the room lazy reduction lives in. A product of a < A·m and
//! b < B·m leaves the Montgomery reduction below (A·B/16 + 1)·m: tight (2) times loose (8) is tight again.

// A few functions are not inlined in debug builds: without the optimizer's care for temporaries, all of them in one
// frame would be larger than a thread's stack.

use super::inverse::Modulus;
use super::lanes::Mask;
use super::limbs::{self, Limbs};
use super::words::Words;

pub(crate) const LIMB_BITS: u32 = 52;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// What is particular to a modulus.
pub(crate) trait Reduction {
    const LIMBS: Limbs;
    const MODULUS: Modulus;

    /// The Montgomery reduction of a product in ten columns, without the last carries.
    fn reduce<W: Words>(columns: [W; 10]) -> Limbs52<W>;
}

/// A number in each lane: limb i of all of them is word vector i.
#[derive(Clone, Copy)]
pub(crate) struct Limbs52<W>(pub(crate) [W; 5]);

/// 2^exponent modulo the reduction's modulus, in limbs of 52 bits.
pub(crate) const fn power_of_two<R: Reduction>(exponent: u32) -> [u64; 5] {
    split(&limbs::power_of_two(exponent, &R::LIMBS))
}

pub(crate) const fn split(value: &Limbs) -> [u64; 5] {
    [
        value[0] & LIMB_MASK,
        (value[0] >> 52 | value[1] << 12) & LIMB_MASK,
        (value[1] >> 40 | value[2] << 24) & LIMB_MASK,
        (value[2] >> 28 | value[3] << 36) & LIMB_MASK,
        value[3] >> 16,
    ]
}

impl<W: Words> Limbs52<W> {
    /// The same number in all lanes.
    #[inline(always)]
    pub(crate) fn splat(l: [u64; 5]) -> Self {
        Self([W::splat(l[0]), W::splat(l[1]), W::splat(l[2]), W::splat(l[3]), W::splat(l[4])])
    }

    /// Loads numbers of 64-bit limbs; those beyond the lanes are none.
    #[inline(always)]
    pub(crate) fn gather(rows: [&Limbs; 8]) -> Self {
        let [a, b, c, d] = W::load_columns(rows);
        let mask = W::splat(LIMB_MASK);
        Self([a.and(mask), a.funnel(b, 52).and(mask), b.funnel(c, 40).and(mask), c.funnel(d, 28).and(mask), d.shr(16)])
    }

    /// The other way: 64-bit limbs of numbers below 2^256.
    #[inline(always)]
    pub(crate) fn columns(self) -> [W; 4] {
        let [a, b, c, d, e] = self.0;
        [a.or(b.shl(52)), b.shr(12).or(c.shl(40)), c.shr(24).or(d.shl(28)), d.shr(36).or(e.shl(16))]
    }

    /// a + b limb by limb, without carries.
    #[inline(always)]
    pub(crate) fn raw_add(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].add(b[0]), a[1].add(b[1]), a[2].add(b[2]), a[3].add(b[3]), a[4].add(b[4])])
    }

    /// a − b limb by limb, without carries.
    #[inline(always)]
    pub(crate) fn raw_sub(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].sub(b[0]), a[1].sub(b[1]), a[2].sub(b[2]), a[3].sub(b[3]), a[4].sub(b[4])])
    }

    /// `times` the modulus, without carries.
    #[inline(always)]
    pub(crate) fn multiple<R: Reduction>(times: u64) -> Self {
        let m = const { split(&R::LIMBS) };
        Self::splat([m[0] * times, m[1] * times, m[2] * times, m[3] * times, m[4] * times])
    }

    /// Brings signed limbs of a number that is not negative back into 52 bits.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn carry(self) -> Self {
        let mask = W::splat(LIMB_MASK);
        let [a, b, c, d, e] = self.0;
        let b = b.add(a.sar(LIMB_BITS));
        let c = c.add(b.sar(LIMB_BITS));
        let d = d.add(c.sar(LIMB_BITS));
        let e = e.add(d.sar(LIMB_BITS));
        Self([a.and(mask), b.and(mask), c.and(mask), d.and(mask), e])
    }

    /// a·b/2^260 + plus, without the last carries; the limbs of `plus` may be signed.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn raw_mul<R: Reduction>(self, other: Self, plus: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let mut t = product_columns(plus);
        for i in 0..5 {
            for j in 0..5 {
                t[i + j] = t[i + j].add_low(a[i], b[j]);
                t[i + j + 1] = t[i + j + 1].add_high(a[i], b[j]);
            }
        }
        R::reduce(t)
    }

    /// a²/2^260 + plus, without the last carries; the limbs of `plus` may be signed.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn raw_square<R: Reduction>(self, plus: Self) -> Self {
        let a = self.0;
        let mut t = [W::splat(0); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                t[i + j] = t[i + j].add_low(a[i], a[j]);
                t[i + j + 1] = t[i + j + 1].add_high(a[i], a[j]);
            }
        }
        for column in &mut t[1..9] {
            *column = column.add(*column);
        }
        for (column, plus) in t[5..].iter_mut().zip(&plus.0) {
            *column = column.add(*plus);
        }
        for i in 0..5 {
            t[2 * i] = t[2 * i].add_low(a[i], a[i]);
            t[2 * i + 1] = t[2 * i + 1].add_high(a[i], a[i]);
        }
        R::reduce(t)
    }

    /// The same numbers below the modulus, from tight ones.
    #[inline(always)]
    pub(crate) fn canonical<R: Reduction>(self) -> Self {
        let reduced = self.raw_sub(Self::multiple::<R>(1)).carry();
        // The top limb of a negative number is negative.
        let negative = reduced.0[4].sar(63).equal(W::splat(u64::MAX));
        Self::select(negative, self, reduced)
    }

    #[inline(always)]
    pub(crate) fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        let (a, b) = (chosen.0, other.0);
        Self([
            W::select(mask, a[0], b[0]),
            W::select(mask, a[1], b[1]),
            W::select(mask, a[2], b[2]),
            W::select(mask, a[3], b[3]),
            W::select(mask, a[4], b[4]),
        ])
    }

    /// Lane i becomes lane i ^ `distance`.
    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let [a, b, c, d, e] = self.0;
        Self([a.swap(distance), b.swap(distance), c.swap(distance), d.swap(distance), e.swap(distance)])
    }

    /// The numbers, below 2^256, in 64-bit limbs; what is beyond the lanes means nothing.
    #[inline(always)]
    pub(crate) fn to_limbs(self) -> [Limbs; 8] {
        let [a, b, c, d] = self.columns();
        let [a, b, c, d] = [a.to_array(), b.to_array(), c.to_array(), d.to_array()];
        let mut out = [[0; 4]; 8];
        for (i, out) in out.iter_mut().enumerate() {
            *out = [a[i], b[i], c[i], d[i]];
        }
        out
    }

    /// The inverses of tight numbers in Montgomery form; `None` if one is zero.
    ///
    /// The lanes are multiplied together in levels, one number is inverted, and the way goes back down.
    #[inline(always)]
    pub(crate) fn invert<R: Reduction>(self) -> Option<Self> {
        const { assert!(W::LANES == 4 || W::LANES == 8) };
        let zero = Self::splat([0; 5]);
        let other1 = self.swap(1);
        let pairs = self.raw_mul::<R>(other1, zero).carry();
        let other2 = pairs.swap(2);
        let fours = pairs.raw_mul::<R>(other2, zero).carry();
        let (other4, total) = if W::LANES == 8 {
            let other4 = fours.swap(4);
            (other4, fours.raw_mul::<R>(other4, zero).carry())
        } else {
            (fours, fours)
        };
        // The inverse of a·2^260 is 1/(a·2^260); two factors 2^260 are missing to 2^260/a, and the product takes one.
        let inverse = R::MODULUS.invert(&total.canonical::<R>().to_limbs()[0])?;
        let cube = Self::splat(const { power_of_two::<R>(780) });
        let mut inverse = cube.raw_mul::<R>(Self::splat(split(&inverse)), zero).carry();
        if W::LANES == 8 {
            inverse = inverse.raw_mul::<R>(other4, zero).carry();
        }
        let inverse = inverse.raw_mul::<R>(other2, zero).carry();
        Some(inverse.raw_mul::<R>(other1, zero).carry())
    }
}

/// Ten columns of a product that will be shifted down by five, so far only what is to be added to the outcome.
#[inline(always)]
fn product_columns<W: Words>(plus: Limbs52<W>) -> [W; 10] {
    let zero = W::splat(0);
    let [a, b, c, d, e] = plus.0;
    [zero, zero, zero, zero, zero, a, b, c, d, e]
}

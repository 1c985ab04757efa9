// SPDX-License-Identifier: Apache-2.0
//! Field elements in four 64-bit limbs, Montgomery radix 2^256, always below p.

use super::field::{Field, PRIME};
use super::inverse::Modulus;
use super::lanes::{Entry, Mask};
use super::limbs::{self, Limbs, carrying_add, multiply_add};
use super::scalar::Scalar1;

const MODULUS: Modulus = Modulus::new(&PRIME);
const ONE: Limbs = limbs::power_of_two(256, &PRIME);
const SQUARED_RADIX: Limbs = limbs::power_of_two(512, &PRIME);
const CUBED_RADIX: Limbs = limbs::power_of_two(768, &PRIME);

/// One field element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field1(Limbs);

/// a·b/2^256 modulo p.
///
/// p ≡ −1 modulo 2^64, so the Montgomery quotient of each step is the lowest limb itself, and adding quotient·p
/// clears that limb by adding quotient·(p + 1): two shifts for 2^96, one product for 2^256 − 2^224 + 2^192.
#[inline(always)]
fn montgomery(a: &Limbs, b: &Limbs) -> Limbs {
    let mut t = [0; 5];
    add_row(&mut t, a[0], b);
    add_row(&mut t, a[1], b);
    add_row(&mut t, a[2], b);
    add_row(&mut t, a[3], b);
    let low = [t[0], t[1], t[2], t[3]];
    let (reduced, borrow) = limbs::sub(&low, &PRIME);
    limbs::select(borrow && t[4] == 0, &low, &reduced)
}

/// t = (t + a·b + quotient·p) / 2^64.
#[inline(always)]
fn add_row(t: &mut [u64; 5], a: u64, b: &Limbs) {
    let (quotient, carry) = multiply_add(a, b[0], t[0], 0);
    let (t1, carry) = multiply_add(a, b[1], t[1], carry);
    let (t2, carry) = multiply_add(a, b[2], t[2], carry);
    let (t3, carry) = multiply_add(a, b[3], t[3], carry);
    let (t4, t5) = t[4].overflowing_add(carry);
    let (low, high) = multiply_add(quotient, PRIME[3], 0, 0);
    let (r0, carry) = carrying_add(t1, quotient << 32, false);
    let (r1, carry) = carrying_add(t2, quotient >> 32, carry);
    let (r2, carry) = carrying_add(t3, low, carry);
    let (r3, carry) = carrying_add(t4, high, carry);
    *t = [r0, r1, r2, r3, u64::from(t5) + u64::from(carry)];
}

impl Field for Field1 {
    const LANES: usize = 1;
    type Scalars = Scalar1;

    #[inline(always)]
    fn one() -> Self {
        Self(ONE)
    }

    #[inline(always)]
    fn constant(value: &Limbs) -> Self {
        Self(*value).encode()
    }

    #[inline(always)]
    fn gather_x(entries: &[&Entry]) -> Self {
        Self(entries[0].x)
    }

    #[inline(always)]
    fn gather_y(entries: &[&Entry]) -> Self {
        Self(entries[0].y)
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, entries: &mut [Entry]) {
        entries[0] = Entry { x: x.0, y: y.0 };
    }

    #[inline(always)]
    fn encode(self) -> Self {
        Self(montgomery(&SQUARED_RADIX, &self.0))
    }

    #[inline(always)]
    fn mul(self, loose: Self) -> Self {
        Self(montgomery(&self.0, &loose.0))
    }

    #[inline(always)]
    fn square(self) -> Self {
        Self(montgomery(&self.0, &self.0))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(limbs::add_mod(&self.0, &other.0, &PRIME))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(limbs::sub_mod(&self.0, &other.0, &PRIME))
    }

    #[inline(always)]
    fn tighten(self) -> Self {
        self
    }

    #[inline(always)]
    fn scale<const SHIFT: u32>(self) -> Self {
        let mut scaled = self;
        for _ in 0..SHIFT {
            scaled = scaled.add(scaled);
        }
        scaled
    }

    #[inline(always)]
    fn triple(self) -> Self {
        self.add(self).add(self)
    }

    #[inline(always)]
    fn negate_where(self, mask: Mask) -> Self {
        let (negated, _) = limbs::sub(&PRIME, &self.0);
        Self(limbs::select(mask & 1 != 0, &negated, &self.0))
    }

    #[inline(always)]
    fn signed_sub(self, negative: Mask, other: Self) -> Self {
        self.negate_where(negative).sub(other)
    }

    #[inline(always)]
    fn chord(self, x: Self, difference: Self) -> Self {
        self.square_sub_twice(x, difference)
    }

    #[inline(always)]
    fn square_sub_twice(self, twice: Self, other: Self) -> Self {
        self.square().sub(twice).sub(twice).sub(other)
    }

    #[inline(always)]
    fn mul_sub(self, loose: Self, other: Self) -> Self {
        self.mul(loose).sub(other)
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        Mask::from(self.0 == [0; 4])
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        Self(limbs::select(mask & 1 != 0, &chosen.0, &other.0))
    }

    #[inline(always)]
    fn invert(self) -> Option<Self> {
        // The inverse of a·2^256 is 1/(a·2^256); two factors 2^256 are missing to 2^256/a, and the product takes one.
        MODULUS.invert(&self.0).map(|inverse| Self(montgomery(&CUBED_RADIX, &inverse)))
    }

    #[inline(always)]
    fn prefetch(entry: &Entry) {
        crate::prefetch::near(entry);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Scalars: numbers modulo the group order n.

use super::digits::{Digits, Digits1, Window};
use super::inverse::Modulus;
use super::limbs::{self, Limbs};
use super::order::ORDER;

/// One scalar for each lane, in Montgomery form where it says so: with the implementation's own radix R.
pub(crate) trait Scalars: Copy {
    type Digits: Digits;

    /// Gathers numbers below 2^256; the first `LANES` count.
    fn gather(numbers: [&Limbs; 8]) -> Self;

    /// a·b/R.
    fn mul(self, other: Self) -> Self;

    /// R²/a; `None` if any lane holds zero.
    fn invert(self) -> Option<Self>;

    /// The digits of plain numbers.
    fn digits(self, window: Window) -> Self::Digits;
}

/// Replaces each s by R/s, all for the price of one inversion (Montgomery's trick): the factor makes a product with a
/// plain x afterwards the plain x/s. No s may be zero.
#[inline(always)]
pub(crate) fn invert_all<S: Scalars>(scalars: &mut [S]) {
    // As Montgomery forms the scalars stand for s/R, and have inverses of form R²/s. Dividing the total inverse by R,
    // with a product with a plain 1, divides every one of them.
    let Some((first, rest)) = scalars.split_first_mut() else { return };
    let mut before = Vec::with_capacity(rest.len());
    let mut total = *first;
    for s in &*rest {
        before.push(total);
        total = total.mul(*s);
    }
    let Some(inverse) = total.invert() else { return };
    let mut inverse = inverse.mul(S::gather([&[1, 0, 0, 0]; 8]));
    for (s, before) in rest.iter_mut().zip(before).rev() {
        let next = inverse.mul(*s);
        *s = inverse.mul(before);
        inverse = next;
    }
    *first = inverse;
}

/// One scalar in four 64-bit limbs, with Montgomery radix 2^256.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar1(Limbs);

const MODULUS: Modulus = Modulus::new(&ORDER);
const CUBED_RADIX: Limbs = limbs::power_of_two(768, &ORDER);
const NEGATED_INVERSE: u64 = limbs::negated_inverse(ORDER[0]);

impl Scalars for Scalar1 {
    type Digits = Digits1;

    #[inline(always)]
    fn gather(numbers: [&Limbs; 8]) -> Self {
        Self(*numbers[0])
    }

    /// Below n if either is.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let mut t = [0; 6];
        for digit in self.0 {
            add_product(&mut t, digit, &other.0);
            let quotient = t[0].wrapping_mul(NEGATED_INVERSE);
            add_product(&mut t, quotient, &ORDER);
            t = [t[1], t[2], t[3], t[4], t[5], 0];
        }
        let low = [t[0], t[1], t[2], t[3]];
        let (reduced, borrow) = limbs::sub(&low, &ORDER);
        Self(limbs::select(borrow && t[4] == 0, &low, &reduced))
    }

    fn invert(self) -> Option<Self> {
        MODULUS.invert(&self.0).map(|inverse| Self(CUBED_RADIX).mul(Self(inverse)))
    }

    #[inline(always)]
    fn digits(self, window: Window) -> Digits1 {
        Digits1::new(&self.0, window)
    }
}

/// t += digit·b.
#[inline(always)]
fn add_product(t: &mut [u64; 6], digit: u64, b: &Limbs) {
    let mut carry = 0;
    for (t, &b) in t.iter_mut().zip(b) {
        (*t, carry) = limbs::multiply_add(digit, b, *t, carry);
    }
    let (sum, carry) = t[4].overflowing_add(carry);
    t[4] = sum;
    t[5] += u64::from(carry);
}

// SPDX-License-Identifier: Apache-2.0
//! Scalars: numbers modulo the group order n.

use super::inverse::Modulus;
use super::limbs::{self, Limbs};

/// The order of P-256's group (SP 800-186, 3.2.1.3).
pub(crate) const ORDER: Limbs =
    [0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000];

const MODULUS: Modulus = Modulus::new(&ORDER);
const SQUARED_RADIX: Limbs = limbs::power_of_two(512, &ORDER);
const NEGATED_INVERSE: u64 = limbs::negated_inverse(ORDER[0]);

/// Whether 0 < k < n.
pub(crate) fn in_range(k: &Limbs) -> bool {
    *k != [0; 4] && limbs::less(k, &ORDER)
}

/// n − k, for k up to n.
pub(crate) fn negate(k: &Limbs) -> Limbs {
    limbs::sub(&ORDER, k).0
}

/// a·b/2^256 modulo n, below n; `a` must be below n, `b` may be any.
pub(crate) fn montgomery(a: &Limbs, b: &Limbs) -> Limbs {
    let mut t = [0; 6];
    for &digit in a {
        add_product(&mut t, digit, b);
        let quotient = t[0].wrapping_mul(NEGATED_INVERSE);
        add_product(&mut t, quotient, &ORDER);
        t = [t[1], t[2], t[3], t[4], t[5], 0];
    }
    let low = [t[0], t[1], t[2], t[3]];
    let (reduced, borrow) = limbs::sub(&low, &ORDER);
    limbs::select(borrow && t[4] == 0, &low, &reduced)
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

/// Replaces each s by 2^256/s modulo n, all for the price of one inversion (Montgomery's trick): the factor
/// makes `montgomery(s, x)` afterwards the plain x/s. Every s must be in range.
pub(crate) fn invert_all(scalars: &mut [Limbs], scratch: &mut Vec<Limbs>) {
    // Taken as Montgomery forms of s/2^256, the scalars have inverses of Montgomery form 2^512/s. A total inverse
    // that is scaled down by 2^256 scales every one of them.
    scratch.clear();
    let Some((first, rest)) = scalars.split_first_mut() else { return };
    let mut total = *first;
    for s in &*rest {
        scratch.push(total);
        total = montgomery(&total, s);
    }
    let Some(inverse) = MODULUS.invert(&total) else { return };
    let mut inverse = montgomery(&inverse, &SQUARED_RADIX);
    for (s, before) in rest.iter_mut().zip(&*scratch).rev() {
        let next = montgomery(&inverse, s);
        *s = montgomery(&inverse, before);
        inverse = next;
    }
    *first = inverse;
}

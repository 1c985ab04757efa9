// SPDX-License-Identifier: Apache-2.0
//! 256-bit numbers as four 64-bit limbs, lowest first, and Montgomery products modulo an odd one.

/// A 256-bit number, lowest limb first.
pub(crate) type Limbs = [u64; 4];

/// The number that 32 big-endian bytes spell.
pub(crate) fn from_be_bytes(bytes: &[u8; 32]) -> Limbs {
    let (limbs, _) = bytes.as_chunks::<8>();
    [
        u64::from_be_bytes(limbs[3]),
        u64::from_be_bytes(limbs[2]),
        u64::from_be_bytes(limbs[1]),
        u64::from_be_bytes(limbs[0]),
    ]
}

/// a + b + carry, and whether it carried. (The standard library's own are younger than our oldest compiler.)
#[inline(always)]
pub(crate) const fn carrying_add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as u64);
    (sum, first | second)
}

/// The low and the high word of a·b + c + d.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
pub(crate) const fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let wide = a as u128 * b as u128 + c as u128 + d as u128;
    (wide as u64, (wide >> 64) as u64)
}

/// a − b − borrow, and whether it borrowed.
#[inline(always)]
const fn borrowing_sub(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow as u64);
    (difference, first | second)
}

/// a + b modulo 2^256, and whether it carried.
#[inline(always)]
pub(crate) const fn add(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, c) = carrying_add(a[0], b[0], false);
    let (r1, c) = carrying_add(a[1], b[1], c);
    let (r2, c) = carrying_add(a[2], b[2], c);
    let (r3, c) = carrying_add(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// a − b modulo 2^256, and whether it borrowed: a < b.
#[inline(always)]
pub(crate) const fn sub(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, c) = borrowing_sub(a[0], b[0], false);
    let (r1, c) = borrowing_sub(a[1], b[1], c);
    let (r2, c) = borrowing_sub(a[2], b[2], c);
    let (r3, c) = borrowing_sub(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a` or `b`, without a branch.
#[inline(always)]
pub(crate) const fn select(first: bool, a: &Limbs, b: &Limbs) -> Limbs {
    let mask = (first as u64).wrapping_neg();
    [b[0] ^ mask & (a[0] ^ b[0]), b[1] ^ mask & (a[1] ^ b[1]), b[2] ^ mask & (a[2] ^ b[2]), b[3] ^ mask & (a[3] ^ b[3])]
}

/// a < b.
pub(crate) const fn less(a: &Limbs, b: &Limbs) -> bool {
    sub(a, b).1
}

/// a + b modulo m, for a and b below m.
#[inline(always)]
pub(crate) const fn add_mod(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let (sum, carry) = add(a, b);
    let (reduced, borrow) = sub(&sum, m);
    select(borrow && !carry, &sum, &reduced)
}

/// a − b modulo m, for a and b below m.
#[inline(always)]
pub(crate) const fn sub_mod(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    let mask = (borrow as u64).wrapping_neg();
    add(&difference, &[m[0] & mask, m[1] & mask, m[2] & mask, m[3] & mask]).0
}

/// 2^exponent modulo m, for m above 2^255.
pub(crate) const fn power_of_two(exponent: u32, m: &Limbs) -> Limbs {
    let mut power = [1, 0, 0, 0];
    let mut i = 0;
    while i < exponent {
        power = add_mod(&power, &power, m);
        i += 1;
    }
    power
}

/// −1/m modulo 2^64, for odd m.
pub(crate) const fn negated_inverse(m: u64) -> u64 {
    // Newton: an odd number is its own inverse modulo 8, and each round doubles the correct bits.
    let mut inverse = m;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(inverse)));
        round += 1;
    }
    inverse.wrapping_neg()
}

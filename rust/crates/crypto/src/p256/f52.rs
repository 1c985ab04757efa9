// SPDX-License-Identifier: Apache-2.0
//! Field elements side by side, whose limbs are doubles.
//!
//! An element is a signed number of five limbs of 52 bits, one register per limb, in Montgomery form with radix 2^260.
//! *Tight* is a number between −p and p whose limbs, the top one aside, are between −2^51 and 2^51; *loose* is the sum or
//! the difference of two tight ones. No product of their limbs is above 2^103, which is what [`columns`] ask for, and
//! the Montgomery reduction leaves less than p²/2^259 + p/2 of a tight times a loose number: tight.

use super::columns::{HALF, LIMB_BITS, LIMB_MASK, Number, Products, SIGNED, SIGNED_HIGH, TOP, UNSIGNED, limb};
use super::field::{Field, PRIME};
use super::inverse::Modulus;
use super::lanes::{Entry, Mask};
use super::limbs::{self, Limbs};
use super::limbs52::split;
use super::scalar_lanes::ScalarLanes;

#[cfg(test)]
mod tests;

const MODULUS: Modulus = Modulus::new(&PRIME);

/// Field elements in the lanes of `W`.
#[derive(Clone, Copy)]
pub(crate) struct Field52<W>(Number<W>);

/// The number of unsigned limbs.
const fn join(l: [u64; 5]) -> Limbs {
    [l[0] | l[1] << 52, l[1] >> 12 | l[2] << 40, l[2] >> 24 | l[3] << 28, l[3] >> 36 | l[4] << 16]
}

/// 2^exponent modulo p in signed limbs, under [`SIGNED`]'s exponent.
const fn power_of_two(exponent: u32) -> [u64; 5] {
    let mut l = split(&limbs::power_of_two(exponent, &PRIME));
    let mut i = 0;
    while i < 4 {
        let carry = (l[i] + HALF) >> LIMB_BITS;
        l[i] = SIGNED + l[i] - (carry << LIMB_BITS);
        l[i + 1] += carry;
        i += 1;
    }
    l[4] += SIGNED;
    l
}

impl<W: Products> Field52<W> {
    /// The same number in all lanes, from limbs under an exponent.
    #[inline(always)]
    fn splat(l: [u64; 5], exponent: u64) -> Self {
        let exponent = W::splat(exponent);
        Self([
            W::splat(l[0]).minus(exponent),
            W::splat(l[1]).minus(exponent),
            W::splat(l[2]).minus(exponent),
            W::splat(l[3]).minus(exponent),
            W::splat(l[4]).minus(exponent),
        ])
    }

    /// Numbers as entries hold them, and less by [`Field::BALANCE`]: that makes their limbs signed.
    #[inline(always)]
    fn gather(rows: [&Limbs; 8]) -> Self {
        let [a, b, c, d] = W::load_columns(rows);
        Self([
            limb(a),
            limb(a.shr(52).or(b.shl(12))),
            limb(b.shr(40).or(c.shl(24))),
            limb(c.shr(28).or(d.shl(36))),
            d.shr(16).or(W::splat(UNSIGNED)).minus(W::splat(UNSIGNED)),
        ])
    }

    /// Unsigned limbs of the same element below p, as integers; from tight.
    #[inline(always)]
    fn canonical(self) -> Number<W> {
        const P: [u64; 5] = split(&PRIME);
        let signed = W::splat(SIGNED);
        let [a, b, c, d, e] = self.0;
        // The number plus p, for it may be negative.
        let above = carry_integers([
            a.plus(signed).add(W::splat(P[0].wrapping_sub(SIGNED))),
            b.plus(signed).add(W::splat(P[1].wrapping_sub(SIGNED))),
            c.plus(signed).add(W::splat(P[2].wrapping_sub(SIGNED))),
            d.plus(signed).add(W::splat(P[3].wrapping_sub(SIGNED))),
            e.plus(signed).add(W::splat(P[4].wrapping_sub(SIGNED))),
        ]);
        let [a, b, c, d, e] = above;
        let reduced = carry_integers([
            a.sub(W::splat(P[0])),
            b.sub(W::splat(P[1])),
            c.sub(W::splat(P[2])),
            d.sub(W::splat(P[3])),
            e.sub(W::splat(P[4])),
        ]);
        // The top limb of a negative number is negative.
        let negative = reduced[4].shr(63).equal(W::splat(1));
        select(negative, above, reduced)
    }

    /// Lane i becomes lane i ^ `distance`.
    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        let [a, b, c, d, e] = self.0;
        Self([a.swap(distance), b.swap(distance), c.swap(distance), d.swap(distance), e.swap(distance)])
    }

    /// Tight limbs of the same element, for limbs below 2^53.
    #[inline(always)]
    fn settle([a, b, c, d, e]: Number<W>) -> Self {
        // Less the multiple of p that is next to the number: p = 2^256 − 2^224 + 2^192 + 2^96 − 1.
        let multiple =
            W::multiply_add(e, double(1.0 / 281_474_976_710_656.0), W::splat(SIGNED)).minus(W::splat(SIGNED));
        let a = a.plus(multiple);
        let b = W::multiply_add(multiple, double(-17_592_186_044_416.0), b);
        let d = W::multiply_add(multiple, double(-68_719_476_736.0), d);
        let e = W::multiply_add(multiple, double(-TOP), e);
        let (a, b) = carry_double(a, b);
        let (b, c) = carry_double(b, c);
        let (c, d) = carry_double(c, d);
        let (d, e) = carry_double(d, e);
        Self([a, b, c, d, e])
    }
}

/// Some bits where a limb is not zero; minus zero has none either.
#[inline(always)]
fn significant<W: Products>(limb: W) -> W {
    let zero = W::splat(SIGNED);
    limb.plus(zero).xor(zero)
}

/// Leaves of a limb what is between −2^51 and 2^51; the rest goes to the next one.
#[inline(always)]
fn carry_double<W: Products>(limb: W, next: W) -> (W, W) {
    let high = W::splat(SIGNED_HIGH);
    let carry = limb.plus(high).minus(high);
    (limb.minus(carry), W::multiply_add(carry, double(1.0 / 4_503_599_627_370_496.0), next))
}

/// Brings signed integers below 2^62 into 52 bits; the top limb takes what is over.
#[inline(always)]
fn carry_integers<W: Products>([a, b, c, d, e]: Number<W>) -> Number<W> {
    let mask = W::splat(LIMB_MASK);
    let b = b.add(carry_of(a));
    let c = c.add(carry_of(b));
    let d = d.add(carry_of(c));
    let e = e.add(carry_of(d));
    [a.and(mask), b.and(mask), c.and(mask), d.and(mask), e]
}

/// What a signed integer below 2^62 has above 52 bits. Shifted with a bias, which is as good as shifting with the sign.
#[inline(always)]
fn carry_of<W: Products>(integer: W) -> W {
    const BIAS: u64 = 1 << 62;
    integer.add(W::splat(BIAS)).shr(LIMB_BITS).sub(W::splat(BIAS >> LIMB_BITS))
}

/// The same double in all lanes.
#[inline(always)]
fn double<W: Products>(value: f64) -> W {
    W::splat(value.to_bits())
}

#[inline(always)]
fn select<W: Products>(mask: Mask, x: Number<W>, y: Number<W>) -> Number<W> {
    [
        W::select(mask, x[0], y[0]),
        W::select(mask, x[1], y[1]),
        W::select(mask, x[2], y[2]),
        W::select(mask, x[3], y[3]),
        W::select(mask, x[4], y[4]),
    ]
}

/// The numbers of unsigned limbs, lane by lane.
#[inline(always)]
fn to_limbs<W: Products>([a, b, c, d, e]: Number<W>) -> [Limbs; 8] {
    let columns = [a.or(b.shl(52)), b.shr(12).or(c.shl(40)), c.shr(24).or(d.shl(28)), d.shr(36).or(e.shl(16))];
    let [a, b, c, d] = [columns[0].to_array(), columns[1].to_array(), columns[2].to_array(), columns[3].to_array()];
    let mut out = [[0; 4]; 8];
    for (i, out) in out.iter_mut().enumerate().take(W::LANES) {
        *out = [a[i], b[i], c[i], d[i]];
    }
    out
}

/// Tight numbers as entries hold them.
#[inline(always)]
fn stored<W: Products>(value: Field52<W>) -> [Limbs; 8] {
    let [a, b, c, d, e] = value.canonical();
    let balance = split(&Field52::<W>::BALANCE);
    to_limbs(carry_integers([
        a.add(W::splat(balance[0])),
        b.add(W::splat(balance[1])),
        c.add(W::splat(balance[2])),
        d.add(W::splat(balance[3])),
        e,
    ]))
}

impl<W: Products> Field for Field52<W> {
    const LANES: usize = W::LANES;
    /// 2^51 in all limbs but the top one.
    const BALANCE: Limbs = join([HALF, HALF, HALF, HALF, 0]);
    type Scalars = ScalarLanes<W>;

    #[inline(always)]
    fn one() -> Self {
        Self::splat(const { power_of_two(260) }, SIGNED)
    }

    #[inline(always)]
    fn constant(value: &Limbs) -> Self {
        Self::gather([value; 8]).encode()
    }

    #[inline(always)]
    fn gather_x(entries: &[&Entry]) -> Self {
        let e = &entries[..W::LANES];
        let x = |i: usize| &e[i.min(W::LANES - 1)].x;
        Self::gather([x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)])
    }

    #[inline(always)]
    fn gather_y(entries: &[&Entry]) -> Self {
        let e = &entries[..W::LANES];
        let y = |i: usize| &e[i.min(W::LANES - 1)].y;
        Self::gather([y(0), y(1), y(2), y(3), y(4), y(5), y(6), y(7)])
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, entries: &mut [Entry]) {
        for ((entry, x), y) in entries[..W::LANES].iter_mut().zip(stored(x)).zip(stored(y)) {
            *entry = Entry { x, y };
        }
    }

    #[inline(always)]
    fn encode(self) -> Self {
        let half = double(2_251_799_813_685_248.0);
        let [a, b, c, d, e] = self.0;
        let plain = Self([a.plus(half), b.plus(half), c.plus(half), d.plus(half), e]);
        Self::splat(const { power_of_two(520) }, SIGNED).mul(plain)
    }

    #[inline(always)]
    fn mul(self, loose: Self) -> Self {
        Self(W::mul(&self.0, &loose.0))
    }

    #[inline(always)]
    fn square(self) -> Self {
        Self(W::square(&self.0))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].plus(b[0]), a[1].plus(b[1]), a[2].plus(b[2]), a[3].plus(b[3]), a[4].plus(b[4])])
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].minus(b[0]), a[1].minus(b[1]), a[2].minus(b[2]), a[3].minus(b[3]), a[4].minus(b[4])])
    }

    #[inline(always)]
    fn tighten(self) -> Self {
        Self::settle(self.0)
    }

    #[inline(always)]
    fn scale<const SHIFT: u32>(self) -> Self {
        let [a, b, c, d, e] = self.times(W::splat(f64::from(1 << SHIFT).to_bits()));
        // Four times a limb and a carry may be too much for a double: what is above 2^52 goes up first.
        let (d, e) = carry_double(d, e);
        let (c, d) = carry_double(c, d);
        let (b, c) = carry_double(b, c);
        let (a, b) = carry_double(a, b);
        Self::settle([a, b, c, d, e])
    }

    #[inline(always)]
    fn triple(self) -> Self {
        Self::settle(self.times(double(3.0)))
    }

    #[inline(always)]
    fn negate_where(self, mask: Mask) -> Self {
        let [a, b, c, d, e] = self.0;
        Self([
            a.negate_where(mask),
            b.negate_where(mask),
            c.negate_where(mask),
            d.negate_where(mask),
            e.negate_where(mask),
        ])
    }

    #[inline(always)]
    fn signed_sub(self, negative: Mask, other: Self) -> Self {
        self.negate_where(negative).sub(other)
    }

    #[inline(always)]
    fn chord(self, x: Self, difference: Self) -> Self {
        // The sum is exactly the tight number that x was subtracted from.
        Self(W::square_sub(&self.0, &x.0, &x.add(difference).0))
    }

    #[inline(always)]
    fn mul_sub(self, loose: Self, other: Self) -> Self {
        Self(W::mul_sub(&self.0, &loose.0, &other.0))
    }

    #[inline(always)]
    fn square_sub_twice(self, twice: Self, other: Self) -> Self {
        Self(W::square_sub_twice(&self.0, &twice.0, &other.0))
    }

    #[inline(always)]
    fn squares_tripled(self, other: Self) -> Self {
        Self(W::squares_tripled(&self.0, &other.0))
    }

    #[inline(always)]
    fn twice_mul_sub_square(self, loose: Self, other: Self) -> Self {
        Self(W::twice_mul_sub_square(&self.0, &loose.0, &other.0))
    }

    #[inline(always)]
    fn twice_mul_sub_mul(self, loose: Self, c: Self, d: Self) -> Self {
        Self(W::twice_mul_sub_mul(&self.0, &loose.0, &c.0, &d.0))
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        let [a, b, c, d, e] = self.0;
        significant(a).or(significant(b)).or(significant(c)).or(significant(d)).or(significant(e)).equal(W::splat(0))
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        Self(select(mask, chosen.0, other.0))
    }

    /// The lanes are multiplied together level by level, one number is inverted, and the way goes back down.
    #[inline(always)]
    fn invert(self) -> Option<Self> {
        let other1 = self.swap(1);
        let pairs = self.mul(other1);
        let other2 = pairs.swap(2);
        let fours = pairs.mul(other2);
        let other4 = fours.swap(W::LANES / 2);
        let total = if W::LANES > 4 { fours.mul(other4) } else { fours };
        // The inverse of a·2^260 is 1/(a·2^260); two factors 2^260 are missing to 2^260/a, and the product takes one.
        let inverse = MODULUS.invert(&to_limbs(total.canonical())[0])?;
        let cube = Self::splat(const { power_of_two(780) }, SIGNED);
        let limbs = split(&inverse);
        let unsigned = |i: usize| limbs[i] + UNSIGNED;
        let plain = Self::splat([unsigned(0), unsigned(1), unsigned(2), unsigned(3), unsigned(4)], UNSIGNED);
        let inverse = cube.mul(plain);
        let inverse = if W::LANES > 4 { inverse.mul(other4) } else { inverse };
        Some(inverse.mul(other2).mul(other1))
    }

    #[inline(always)]
    fn prefetch(entry: &Entry) {
        crate::prefetch::near(entry);
    }
}

impl<W: Products> Field52<W> {
    /// All limbs times a factor.
    #[inline(always)]
    fn times(self, factor: W) -> Number<W> {
        let zero = W::splat(0);
        let [a, b, c, d, e] = self.0;
        [
            W::multiply_add(a, factor, zero),
            W::multiply_add(b, factor, zero),
            W::multiply_add(c, factor, zero),
            W::multiply_add(d, factor, zero),
            W::multiply_add(e, factor, zero),
        ]
    }
}

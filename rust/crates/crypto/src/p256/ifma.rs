// SPDX-License-Identifier: Apache-2.0
//! Eight field elements side by side, multiplied by AVX-512 IFMA's 52-bit multiply-add.
//!
//! An element is five limbs of 52 bits, Montgomery radix 2^260, one register per limb. Values below 16p fit: that is
//! the room lazy reduction lives in. A product of a < A·p and b < B·p leaves the Montgomery reduction below
//! (A·B/16 + 1)·p, so tight (2) times loose (8) is tight again.

// A few functions are not inlined in debug builds: without the optimizer's care for temporaries, all of them in one
// frame would be larger than a thread's stack.

use super::field::{Field, Mask, PRIME};
use super::inverse::Modulus;
use super::limbs::{self, Limbs};
use super::simd::{self, Words};
use super::table::Entry;

const LIMB_BITS: u32 = 52;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;
const MODULUS: Modulus = Modulus::new(&PRIME);
const ONE: [u64; 5] = split(&limbs::power_of_two(260, &PRIME));
const SQUARED_RADIX: [u64; 5] = split(&limbs::power_of_two(520, &PRIME));
const CUBED_RADIX: [u64; 5] = split(&limbs::power_of_two(780, &PRIME));
const PRIME_LIMBS: [u64; 5] = split(&PRIME);

/// Eight field elements: limb i of all of them is word vector i.
#[derive(Clone, Copy)]
pub(crate) struct Lanes8([Words; 5]);

const fn split(value: &Limbs) -> [u64; 5] {
    [
        value[0] & LIMB_MASK,
        (value[0] >> 52 | value[1] << 12) & LIMB_MASK,
        (value[1] >> 40 | value[2] << 24) & LIMB_MASK,
        (value[2] >> 28 | value[3] << 36) & LIMB_MASK,
        value[3] >> 16,
    ]
}

const fn join(limbs: &[u64; 5]) -> Limbs {
    [
        limbs[0] | limbs[1] << 52,
        limbs[1] >> 12 | limbs[2] << 40,
        limbs[2] >> 24 | limbs[3] << 28,
        limbs[3] >> 36 | limbs[4] << 16,
    ]
}

impl Lanes8 {
    #[inline(always)]
    fn splat(l: [u64; 5]) -> Self {
        Self([Words::splat(l[0]), Words::splat(l[1]), Words::splat(l[2]), Words::splat(l[3]), Words::splat(l[4])])
    }

    /// Splits numbers of 64-bit limbs into limbs of 52 bits.
    #[inline(always)]
    fn from_columns([a, b, c, d]: [Words; 4]) -> Self {
        let mask = Words::splat(LIMB_MASK);
        Self([
            a.and(mask),
            a.funnel::<52>(b).and(mask),
            b.funnel::<40>(c).and(mask),
            c.funnel::<28>(d).and(mask),
            d.shr::<16>(),
        ])
    }

    #[inline(always)]
    fn gather(rows: [&Limbs; 8]) -> Self {
        Self::from_columns(Words::load_columns(rows))
    }

    /// a + times·p − b limb by limb, without carries.
    #[inline(always)]
    fn raw_sub<const TIMES: u64>(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let p = PRIME_LIMBS;
        Self([
            a[0].add(Words::splat(p[0] * TIMES)).sub(b[0]),
            a[1].add(Words::splat(p[1] * TIMES)).sub(b[1]),
            a[2].sub(b[2]),
            a[3].add(Words::splat(p[3] * TIMES)).sub(b[3]),
            a[4].add(Words::splat(p[4] * TIMES)).sub(b[4]),
        ])
    }

    /// a + b limb by limb, without carries.
    #[inline(always)]
    fn raw_add(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].add(b[0]), a[1].add(b[1]), a[2].add(b[2]), a[3].add(b[3]), a[4].add(b[4])])
    }

    /// Brings signed limbs of a number that is not negative back into 52 bits.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn carry(self) -> Self {
        let mask = Words::splat(LIMB_MASK);
        let [a, b, c, d, e] = self.0;
        let b = b.add(a.sar::<LIMB_BITS>());
        let c = c.add(b.sar::<LIMB_BITS>());
        let d = d.add(c.sar::<LIMB_BITS>());
        let e = e.add(d.sar::<LIMB_BITS>());
        Self([a.and(mask), b.and(mask), c.and(mask), d.and(mask), e])
    }

    /// Subtracts ⌊value/2^256⌋·p (or one p less), without carries: what was below 16p becomes less than 2^256 + 2^229.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn raw_tighten(self) -> Self {
        let [a, b, c, d, e] = self.0;
        let quotient = e.sar::<48>();
        // p = 2^256 − 2^224 + 2^192 + 2^96 − 1, and limb i weighs 2^52i.
        Self([
            a.add(quotient),
            b.sub(quotient.shl::<44>()),
            c,
            d.sub(quotient.shl::<36>()),
            e.and(Words::splat((1 << 48) - 1)).add(quotient.shl::<16>()),
        ])
    }

    /// The Montgomery reduction of a product in ten columns, without the last carries.
    ///
    /// p ≡ −1 modulo 2^52, so the quotient of each step is the lowest column itself, and adding quotient·p clears it
    /// by adding quotient·(p + 1), where p + 1 = 2^44·2^52 + 2^36·2^156 + top·2^208.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn reduce(mut t: [Words; 10]) -> Self {
        let low = Words::splat(1 << 44);
        let middle = Words::splat(PRIME_LIMBS[3]);
        let top = Words::splat(PRIME_LIMBS[4]);
        for i in 0..5 {
            let quotient = t[i];
            t[i + 1] = t[i + 1].add(quotient.shr::<LIMB_BITS>()).add_low(quotient, low);
            t[i + 2] = t[i + 2].add_high(quotient, low);
            t[i + 3] = t[i + 3].add_low(quotient, middle);
            t[i + 4] = t[i + 4].add_high(quotient, middle).add_low(quotient, top);
            t[i + 5] = t[i + 5].add_high(quotient, top);
        }
        Self([t[5], t[6], t[7], t[8], t[9]])
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn raw_mul(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let mut t = [Words::zero(); 10];
        for i in 0..5 {
            for j in 0..5 {
                t[i + j] = t[i + j].add_low(a[i], b[j]);
                t[i + j + 1] = t[i + j + 1].add_high(a[i], b[j]);
            }
        }
        Self::reduce(t)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn raw_square(self) -> Self {
        let a = self.0;
        let mut t = [Words::zero(); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                t[i + j] = t[i + j].add_low(a[i], a[j]);
                t[i + j + 1] = t[i + j + 1].add_high(a[i], a[j]);
            }
        }
        for column in &mut t[1..9] {
            *column = column.add(*column);
        }
        for i in 0..5 {
            t[2 * i] = t[2 * i].add_low(a[i], a[i]);
            t[2 * i + 1] = t[2 * i + 1].add_high(a[i], a[i]);
        }
        Self::reduce(t)
    }

    /// The same elements below p. Takes tight.
    #[inline(always)]
    fn canonical(self) -> Self {
        let tight = self.raw_tighten().carry();
        let reduced = tight.raw_sub::<0>(Self::splat(PRIME_LIMBS)).carry();
        // The top limb of a negative number is negative.
        let negative = reduced.0[4].sar::<63>().equal(Words::splat(u64::MAX));
        Self::select(negative, tight, reduced)
    }

    #[inline(always)]
    fn permute(self, order: &[u64; 8]) -> Self {
        let a = self.0;
        Self([a[0].permute(order), a[1].permute(order), a[2].permute(order), a[3].permute(order), a[4].permute(order)])
    }

    #[inline(always)]
    fn to_arrays(self) -> [[u64; 8]; 5] {
        let [a, b, c, d, e] = self.0;
        [a.to_array(), b.to_array(), c.to_array(), d.to_array(), e.to_array()]
    }
}

/// One element, of limbs with all lanes each.
#[inline(always)]
fn lane(limbs: &[[u64; 8]; 5], i: usize) -> Limbs {
    join(&[limbs[0][i], limbs[1][i], limbs[2][i], limbs[3][i], limbs[4][i]])
}

/// Eight references out of a slice of at least eight.
#[inline(always)]
fn eight<'a>(entries: &[&'a Entry], part: impl Fn(&'a Entry) -> &'a Limbs) -> [&'a Limbs; 8] {
    let e: &[&Entry; 8] = entries.first_chunk().expect("eight lanes");
    [part(e[0]), part(e[1]), part(e[2]), part(e[3]), part(e[4]), part(e[5]), part(e[6]), part(e[7])]
}

impl Field for Lanes8 {
    const LANES: usize = 8;

    #[inline(always)]
    fn one() -> Self {
        Self::splat(ONE)
    }

    #[inline(always)]
    fn constant(value: &Limbs) -> Self {
        Self::splat(split(value)).encode()
    }

    #[inline(always)]
    fn gather_x(entries: &[&Entry]) -> Self {
        Self::gather(eight(entries, |entry| &entry.x))
    }

    #[inline(always)]
    fn gather_y(entries: &[&Entry]) -> Self {
        Self::gather(eight(entries, |entry| &entry.y))
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, entries: &mut [Entry]) {
        let x = x.canonical().to_arrays();
        let y = y.canonical().to_arrays();
        for (i, entry) in entries[..8].iter_mut().enumerate() {
            *entry = Entry { x: lane(&x, i), y: lane(&y, i) };
        }
    }

    #[inline(always)]
    fn encode(self) -> Self {
        Self::splat(SQUARED_RADIX).mul(self)
    }

    #[inline(always)]
    fn mul(self, loose: Self) -> Self {
        self.raw_mul(loose).carry()
    }

    #[inline(always)]
    fn square(self) -> Self {
        self.raw_square().carry()
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.raw_add(other).carry()
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.raw_sub::<2>(other).carry()
    }

    #[inline(always)]
    fn tighten(self) -> Self {
        self.raw_tighten().carry()
    }

    #[inline(always)]
    fn scale<const SHIFT: u32>(self) -> Self {
        let [a, b, c, d, e] = self.0;
        Self([a.shl::<SHIFT>(), b.shl::<SHIFT>(), c.shl::<SHIFT>(), d.shl::<SHIFT>(), e.shl::<SHIFT>()])
            .raw_tighten()
            .carry()
    }

    #[inline(always)]
    fn triple(self) -> Self {
        self.raw_add(self).raw_add(self).raw_tighten().carry()
    }

    #[inline(always)]
    fn negate_where(self, mask: Mask) -> Self {
        let negated = Self::splat([0; 5]).raw_sub::<1>(self);
        Self::select(mask, negated, self).carry()
    }

    #[inline(always)]
    fn signed_sub(self, negative: Mask, other: Self) -> Self {
        let a = self.0;
        let signed = [
            a[0].negate_where(negative),
            a[1].negate_where(negative),
            a[2].negate_where(negative),
            a[3].negate_where(negative),
            a[4].negate_where(negative),
        ];
        Self(signed).raw_sub::<4>(other).carry()
    }

    #[inline(always)]
    fn square_sub(self, doubled: Self, other: Self) -> Self {
        let subtrahend = doubled.raw_add(doubled).raw_add(other);
        self.raw_square().raw_sub::<8>(subtrahend).raw_tighten().carry()
    }

    #[inline(always)]
    fn mul_sub(self, loose: Self, other: Self) -> Self {
        self.raw_mul(loose).raw_sub::<2>(other).raw_tighten().carry()
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        let zero = Words::zero();
        let [a, b, c, d, e] = self.canonical().0;
        a.or(b).or(c).or(d).or(e).equal(zero)
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        let (a, b) = (chosen.0, other.0);
        Self([
            Words::select(mask, a[0], b[0]),
            Words::select(mask, a[1], b[1]),
            Words::select(mask, a[2], b[2]),
            Words::select(mask, a[3], b[3]),
            Words::select(mask, a[4], b[4]),
        ])
    }

    /// Multiplies the lanes together in three levels, inverts one number, and goes back down.
    #[inline(always)]
    fn invert(self) -> Option<Self> {
        const SWAP1: [u64; 8] = [1, 0, 3, 2, 5, 4, 7, 6];
        const SWAP2: [u64; 8] = [2, 3, 0, 1, 6, 7, 4, 5];
        const SWAP4: [u64; 8] = [4, 5, 6, 7, 0, 1, 2, 3];
        let other1 = self.permute(&SWAP1);
        let pairs = self.mul(other1);
        let other2 = pairs.permute(&SWAP2);
        let fours = pairs.mul(other2);
        let other4 = fours.permute(&SWAP4);
        let total = fours.mul(other4);
        // The inverse of a·2^260 is 1/(a·2^260); two factors 2^260 are missing to 2^260/a, and the product takes one.
        let inverse = MODULUS.invert(&lane(&total.canonical().to_arrays(), 0))?;
        let inverse = Self::splat(CUBED_RADIX).mul(Self::splat(split(&inverse)));
        Some(inverse.mul(other4).mul(other2).mul(other1))
    }

    #[inline(always)]
    fn prefetch(entry: &Entry) {
        simd::prefetch(entry);
    }
}

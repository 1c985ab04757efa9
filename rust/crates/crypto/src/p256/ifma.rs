// SPDX-License-Identifier: Apache-2.0
//! Field elements side by side, eight or four.

use super::field::{Field, PRIME};
use super::ifma_scalar::IfmaScalars;
use super::inverse::Modulus;
use super::lanes::{Entry, Mask};
use super::limbs::Limbs;
use super::limbs52::{LIMB_BITS, Limbs52, Reduction, power_of_two, split};
use super::words::Words;

/// Arithmetic modulo p.
struct P;

impl Reduction for P {
    const LIMBS: Limbs = PRIME;
    const MODULUS: Modulus = Modulus::new(&PRIME);

    /// p ≡ −1 modulo 2^52, so the quotient of each step is the lowest column itself, and adding quotient·p clears it by
    /// adding quotient·(p + 1), where p + 1 = 2^44·2^52 + 2^36·2^156 + top·2^208.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn reduce<W: Words>(mut t: [W; 10]) -> Limbs52<W> {
        const LIMBS: [u64; 5] = split(&PRIME);
        let low = W::splat(1 << 44);
        let middle = W::splat(LIMBS[3]);
        let top = W::splat(LIMBS[4]);
        for i in 0..5 {
            let quotient = t[i];
            t[i + 1] = t[i + 1].add(quotient.shr(LIMB_BITS)).add_low(quotient, low);
            t[i + 2] = t[i + 2].add_high(quotient, low);
            t[i + 3] = t[i + 3].add_low(quotient, middle);
            t[i + 4] = t[i + 4].add_high(quotient, middle).add_low(quotient, top);
            t[i + 5] = t[i + 5].add_high(quotient, top);
        }
        Limbs52([t[5], t[6], t[7], t[8], t[9]])
    }
}

/// A field element in each lane.
#[derive(Clone, Copy)]
pub(crate) struct IfmaField<W>(Limbs52<W>);

/// Subtracts ⌊value/2^256⌋·p (or one p less), without carries: what was below 16p becomes less than 2^256 + 2^229.
#[cfg_attr(not(debug_assertions), inline(always))]
fn raw_tighten<W: Words>(value: Limbs52<W>) -> Limbs52<W> {
    let [a, b, c, d, e] = value.0;
    let quotient = e.sar(48);
    // p = 2^256 − 2^224 + 2^192 + 2^96 − 1, and limb i weighs 2^52i.
    Limbs52([
        a.add(quotient),
        b.sub(quotient.shl(44)),
        c,
        d.sub(quotient.shl(36)),
        e.and(W::splat((1 << 48) - 1)).add(quotient.shl(16)),
    ])
}

#[inline(always)]
fn zero<W: Words>() -> Limbs52<W> {
    Limbs52::splat([0; 5])
}

impl<W: Words> Field for IfmaField<W> {
    const LANES: usize = W::LANES;
    type Scalars = IfmaScalars<W>;

    #[inline(always)]
    fn one() -> Self {
        Self(Limbs52::splat(const { power_of_two::<P>(260) }))
    }

    #[inline(always)]
    fn constant(value: &Limbs) -> Self {
        Self(Limbs52::splat(split(value))).encode()
    }

    #[inline(always)]
    fn gather_x(entries: &[&Entry]) -> Self {
        let x = |i: usize| &entries[i % W::LANES].x;
        Self(Limbs52::gather([x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)]))
    }

    #[inline(always)]
    fn gather_y(entries: &[&Entry]) -> Self {
        let y = |i: usize| &entries[i % W::LANES].y;
        Self(Limbs52::gather([y(0), y(1), y(2), y(3), y(4), y(5), y(6), y(7)]))
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, entries: &mut [Entry]) {
        let (x, y) = (x.0.canonical::<P>().to_limbs(), y.0.canonical::<P>().to_limbs());
        for ((entry, x), y) in entries[..W::LANES].iter_mut().zip(x).zip(y) {
            *entry = Entry { x, y };
        }
    }

    #[inline(always)]
    fn encode(self) -> Self {
        Self(Limbs52::splat(const { power_of_two::<P>(520) })).mul(self)
    }

    #[inline(always)]
    fn mul(self, loose: Self) -> Self {
        Self(self.0.raw_mul::<P>(loose.0, zero()).carry())
    }

    #[inline(always)]
    fn square(self) -> Self {
        Self(self.0.raw_square::<P>(zero()).carry())
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0.raw_add(other.0).carry())
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0.raw_add(Limbs52::multiple::<P>(2)).raw_sub(other.0).carry())
    }

    #[inline(always)]
    fn tighten(self) -> Self {
        Self(raw_tighten(self.0).carry())
    }

    #[inline(always)]
    fn scale<const SHIFT: u32>(self) -> Self {
        let [a, b, c, d, e] = self.0.0;
        let scaled = [a.shl(SHIFT), b.shl(SHIFT), c.shl(SHIFT), d.shl(SHIFT), e.shl(SHIFT)];
        Self(raw_tighten(Limbs52(scaled)).carry())
    }

    #[inline(always)]
    fn triple(self) -> Self {
        Self(raw_tighten(self.0.raw_add(self.0).raw_add(self.0)).carry())
    }

    #[inline(always)]
    fn negate_where(self, mask: Mask) -> Self {
        let negated = Limbs52::multiple::<P>(1).raw_sub(self.0);
        Self(Limbs52::select(mask, negated, self.0).carry())
    }

    #[inline(always)]
    fn signed_sub(self, negative: Mask, other: Self) -> Self {
        let signed = Limbs52::select(negative, zero().raw_sub(self.0), self.0);
        Self(signed.raw_add(Limbs52::multiple::<P>(4)).raw_sub(other.0).carry())
    }

    #[inline(always)]
    fn chord(self, x: Self, difference: Self) -> Self {
        self.square_sub_twice(x, difference)
    }

    /// `other` may be loose.
    #[inline(always)]
    fn square_sub_twice(self, twice: Self, other: Self) -> Self {
        let plus = Limbs52::multiple::<P>(8).raw_sub(twice.0).raw_sub(twice.0).raw_sub(other.0);
        Self(raw_tighten(self.0.raw_square::<P>(plus)).carry())
    }

    #[inline(always)]
    fn mul_sub(self, loose: Self, other: Self) -> Self {
        let plus = Limbs52::multiple::<P>(2).raw_sub(other.0);
        Self(raw_tighten(self.0.raw_mul::<P>(loose.0, plus)).carry())
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        let [a, b, c, d, e] = self.0.canonical::<P>().0;
        a.or(b).or(c).or(d).or(e).equal(W::splat(0))
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        Self(Limbs52::select(mask, chosen.0, other.0))
    }

    #[inline(always)]
    fn invert(self) -> Option<Self> {
        self.0.invert::<P>().map(Self)
    }

    #[inline(always)]
    fn prefetch(entry: &Entry) {
        crate::prefetch::near(entry);
    }
}

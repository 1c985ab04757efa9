// SPDX-License-Identifier: Apache-2.0
//! What the algorithms above ask of arithmetic modulo p, one element or several side by side.

use super::lanes::{Entry, Mask};
use super::limbs::{self, Limbs};
use super::scalar::Scalars;

/// The prime of P-256 (SP 800-186, 3.2.1.3): 2^256 − 2^224 + 2^192 + 2^96 − 1.
pub(crate) const PRIME: Limbs = [0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001];

/// The digits of as many scalars as a field value has lanes.
pub(crate) type DigitsOf<F> = <<F as Field>::Scalars as Scalars>::Digits;

/// `LANES` elements of the field modulo p, in Montgomery form.
///
/// Reductions are lazy. An element is *tight* or *loose*, which each implementation defines by its bounds: the sum or the
/// difference of two tight ones is loose, and tight is loose as well. Every operation says what it takes and gives. An
/// implementation may keep everything below p.
pub(crate) trait Field: Copy + Send {
    /// Elements in one value; at most 8.
    const LANES: usize;

    /// What entries hold besides each coordinate.
    const BALANCE: Limbs = [0; 4];

    /// As many scalars.
    type Scalars: Scalars;

    /// One, in all lanes.
    fn one() -> Self;

    /// The same plain number in all lanes.
    fn constant(value: &Limbs) -> Self;

    /// Gathers the x halves of `LANES` entries that were scattered to or hold plain numbers. Tight.
    fn gather_x(entries: &[&Entry]) -> Self;

    /// Gathers the y halves.
    fn gather_y(entries: &[&Entry]) -> Self;

    /// Writes one x and one y to each of `LANES` entries, below p. Takes tight.
    fn scatter(x: Self, y: Self, entries: &mut [Entry]);

    /// Brings plain numbers below 2^256, just gathered, into Montgomery form. Tight.
    fn encode(self) -> Self;

    /// a·b: tight from a tight and a loose one.
    fn mul(self, loose: Self) -> Self;

    /// a²: tight from tight.
    fn square(self) -> Self;

    /// a + b: loose from tight ones.
    fn add(self, other: Self) -> Self;

    /// a − b: loose from tight ones.
    fn sub(self, other: Self) -> Self;

    /// The same element, tight from loose.
    fn tighten(self) -> Self;

    /// 2^SHIFT·a for SHIFT up to 3: tight, from tight.
    fn scale<const SHIFT: u32>(self) -> Self;

    /// 3·a: tight, from tight.
    fn triple(self) -> Self;

    /// −a where the mask says so: tight, from just gathered.
    fn negate_where(self, mask: Mask) -> Self;

    /// ±a − b, minus where the mask says so: loose, from a just gathered and b tight.
    fn signed_sub(self, negative: Mask, other: Self) -> Self;

    /// a² − x₁ − x₂, where the latter is given as what `sub` made of x₂ − x₁: tight, all from tight.
    fn chord(self, x: Self, difference: Self) -> Self;

    /// a·b − c: tight, from a and c tight and b loose.
    fn mul_sub(self, loose: Self, other: Self) -> Self;

    /// a² − 2·b − c: tight, all from tight.
    fn square_sub_twice(self, twice: Self, other: Self) -> Self;

    /// 3·(a² − b²): tight, from tight.
    #[inline(always)]
    fn squares_tripled(self, other: Self) -> Self {
        self.sub(other).tighten().mul(self.add(other)).triple()
    }

    /// 2·a·b − c²: tight, from a and c tight and b loose.
    #[inline(always)]
    fn twice_mul_sub_square(self, loose: Self, other: Self) -> Self {
        self.scale::<1>().mul_sub(loose, other.square())
    }

    /// 2·(a·b − c·d): tight, from b loose and the others tight.
    #[inline(always)]
    fn twice_mul_sub_mul(self, loose: Self, c: Self, d: Self) -> Self {
        self.mul_sub(loose, c.mul(d)).scale::<1>()
    }

    /// Lanes that hold zero. Takes tight.
    fn zeros(self) -> Mask;

    /// `self` where the mask says so, `other` elsewhere.
    fn select(mask: Mask, chosen: Self, other: Self) -> Self;

    /// The inverses of all lanes, tight from tight; `None` if any lane holds zero.
    fn invert(self) -> Option<Self>;

    /// Brings an entry's cache line near.
    fn prefetch(entry: &Entry);

    /// Lanes that exist.
    fn all_lanes() -> Mask {
        u8::MAX >> (8 - Self::LANES)
    }
}

/// Whether four limbs spell a number below p.
pub(crate) fn is_canonical(value: &Limbs) -> bool {
    limbs::less(value, &PRIME)
}

// SPDX-License-Identifier: Apache-2.0
//! Points in Jacobian coordinates, for doublings; where many points wait to be added, [`super::sum`] is cheaper.

use super::field::{Field, is_canonical};
use super::lanes::{Entry, Mask};

/// The curve's b (SP 800-186, 3.2.1.3); its a is −3.
pub(crate) const B: super::limbs::Limbs =
    [0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7];

/// One half modulo p.
const HALF: super::limbs::Limbs = [0, 0x8000_0000, 0x8000_0000_0000_0000, 0x7fff_ffff_8000_0000];

/// Whether plain coordinates are below p and satisfy y² = x³ − 3x + b.
pub(crate) fn is_on_curve<F: Field>(point: &Entry) -> bool {
    let entries = [point; 8];
    let (x, y) = (F::gather_x(&entries).encode(), F::gather_y(&entries).encode());
    let right = x.square().mul(x).sub(x.triple()).tighten().add(F::constant(&B)).tighten();
    let equal = y.square().sub(right).tighten().zeros() == F::all_lanes();
    is_canonical(&point.x) && is_canonical(&point.y) && equal
}

/// (x/z², y/z³), all tight, y kept twice: that is what both formulas want most.
#[derive(Clone, Copy)]
pub(crate) struct Jacobian<F> {
    x: F,
    y2: F,
    z: F,
}

impl<F: Field> Jacobian<F> {
    /// A point by its affine coordinates, tight.
    #[inline(always)]
    pub(crate) fn new(x: F, y: F) -> Self {
        Self { x, y2: y.scale::<1>(), z: F::one() }
    }

    /// Twice the point.
    #[inline(always)]
    pub(crate) fn double(self) -> Self {
        let mut point = [self];
        double_each(&mut point);
        point[0]
    }

    /// The sum with the affine point of a table's entries, negated where the mask says so (madd-2007-bl of the
    /// Explicit-Formulas Database). Neither may be infinity, nor may they be equal or opposite.
    #[inline(always)]
    pub(crate) fn add(self, entries: &[&Entry], negative: Mask) -> Self {
        let Self { x, y2, z } = self;
        let zz = z.square();
        let h = zz.mul_sub(F::gather_x(entries), x);
        let zzz = zz.mul(z);
        let h2 = h.add(h);
        let y = F::gather_y(entries).negate_where(negative);
        let r = zzz.mul_sub(y.add(y), y2);
        let hh2 = h.mul(h2);
        let j = hh2.mul(h2);
        let v = hh2.mul(x.add(x));
        let x3 = r.square_sub_twice(v, j);
        Self { x: x3, y2: r.twice_mul_sub_mul(v.sub(x3), y2, j), z: z.mul(h2) }
    }
}

/// Most points that are doubled side by side.
pub(crate) const SIDE_BY_SIDE: usize = 4;

/// Doubles points, [`SIDE_BY_SIDE`] at most, for a = −3 (dbl-2001-b of the Explicit-Formulas Database, with y kept twice).
/// The curve's order is odd, so no point of it doubles to infinity.
///
/// The products of one doubling wait for each other; so those of all points are taken together, step by step.
#[inline(always)]
pub(crate) fn double_each<F: Field>(points: &mut [Jacobian<F>]) {
    let one = [F::one(); SIDE_BY_SIDE];
    let zero = one[0].sub(one[0]).tighten();
    let (mut gamma, mut alpha, mut beta) = (one, one, one);
    for (i, point) in points.iter().enumerate() {
        alpha[i] = point.z.square();
        gamma[i] = point.y2.square();
    }
    for (i, point) in points.iter().enumerate() {
        alpha[i] = point.x.squares_tripled(alpha[i]);
        beta[i] = point.x.mul(gamma[i]);
    }
    for (i, point) in points.iter_mut().enumerate() {
        point.z = point.y2.mul(point.z);
        point.x = alpha[i].square_sub_twice(beta[i], zero);
    }
    for (i, point) in points.iter_mut().enumerate() {
        point.y2 = alpha[i].twice_mul_sub_square(beta[i].sub(point.x), gamma[i]);
    }
}

/// The entries of points, one for each lane. One inversion for all (Montgomery's trick).
#[inline(always)]
pub(crate) fn entries<F: Field>(points: &[Jacobian<F>]) -> Vec<Entry> {
    let mut entries = vec![Entry::default(); points.len() * F::LANES];
    let mut before = Vec::with_capacity(points.len());
    let mut total = F::one();
    for point in points {
        before.push(total);
        total = total.mul(point.z);
    }
    // No point is infinity: no z is zero.
    let Some(mut inverse) = total.invert() else { return entries };
    let half = F::constant(&HALF);
    for ((point, before), entries) in points.iter().zip(before).zip(entries.chunks_exact_mut(F::LANES)).rev() {
        let z = inverse.mul(before);
        inverse = inverse.mul(point.z);
        let zz = z.square();
        F::scatter(point.x.mul(zz), point.y2.mul(zz).mul(z.mul(half)), entries);
    }
    entries
}

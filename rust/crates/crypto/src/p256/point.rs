// SPDX-License-Identifier: Apache-2.0
//! Points in Jacobian coordinates, for doublings; where many points wait to be added, [`super::sum`] is cheaper.

use super::field::{Field, is_canonical};
use super::lanes::{Entry, Mask};

/// The curve's b (SP 800-186, 3.2.1.3); its a is −3.
pub(crate) const B: super::limbs::Limbs =
    [0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7];

/// Whether plain coordinates are below p and satisfy y² = x³ − 3x + b.
pub(crate) fn is_on_curve<F: Field>(point: &Entry) -> bool {
    let entries = [point; 8];
    let (x, y) = (F::gather_x(&entries).encode(), F::gather_y(&entries).encode());
    let right = x.square().mul(x).sub(x.triple()).tighten().add(F::constant(&B)).tighten();
    let equal = y.square().sub(right).tighten().zeros() == F::all_lanes();
    is_canonical(&point.x) && is_canonical(&point.y) && equal
}

/// (x/z², y/z³), all tight.
#[derive(Clone, Copy)]
pub(crate) struct Jacobian<F> {
    pub(crate) x: F,
    pub(crate) y: F,
    pub(crate) z: F,
}

impl<F: Field> Jacobian<F> {
    /// Twice the point.
    #[inline(always)]
    pub(crate) fn double(self) -> Self {
        let mut point = [self];
        double_each(&mut point);
        point[0]
    }

    /// The sum with the affine point of a table's entries, negated where the mask says so (madd-2004-hmv). Neither may
    /// be infinity, nor may they be equal or opposite.
    #[inline(always)]
    pub(crate) fn add(self, entries: &[&Entry], negative: Mask) -> Self {
        let Self { x, y, z } = self;
        let z2 = z.square();
        let z3 = z2.mul(z);
        let h = F::gather_x(entries).mul(z2).sub(x).tighten();
        let slope = F::gather_y(entries).negate_where(negative).mul(z3).sub(y).tighten();
        let h2 = h.square();
        let h3 = h2.mul(h);
        let v = h2.mul(x);
        let x3 = slope.mul_sub(slope, h3).sub(v.scale::<1>()).tighten();
        let y3 = slope.mul_sub(v.sub(x3), h3.mul(y));
        Self { x: x3, y: y3, z: z.mul(h) }
    }
}

/// Most points that are doubled side by side.
pub(crate) const SIDE_BY_SIDE: usize = 4;

/// Doubles points, [`SIDE_BY_SIDE`] at most, for a = −3 (dbl-2001-b of the Explicit-Formulas Database). The curve's order
/// is odd, so no point of it doubles to infinity.
///
/// The products of one doubling wait for each other; so those of all points are taken together, step by step.
#[inline(always)]
pub(crate) fn double_each<F: Field>(points: &mut [Jacobian<F>]) {
    let one = [F::one(); SIDE_BY_SIDE];
    let (mut gamma, mut alpha, mut beta4) = (one, one, one);
    for (i, point) in points.iter().enumerate() {
        alpha[i] = point.z.square();
        gamma[i] = point.y.square();
    }
    for (i, point) in points.iter().enumerate() {
        let delta = alpha[i];
        alpha[i] = point.x.sub(delta).tighten().mul(point.x.add(delta)).triple();
        beta4[i] = point.x.mul(gamma[i]).scale::<2>();
    }
    for (i, point) in points.iter_mut().enumerate() {
        point.z = point.y.mul(point.z).scale::<1>();
        point.x = alpha[i].square().sub(beta4[i].scale::<1>()).tighten();
        gamma[i] = gamma[i].square().scale::<3>();
    }
    for (i, point) in points.iter_mut().enumerate() {
        point.y = alpha[i].mul_sub(beta4[i].sub(point.x), gamma[i]);
    }
}

/// Brings points to z = 1: their affine x and y. One inversion for all (Montgomery's trick).
#[inline(always)]
pub(crate) fn normalize<F: Field>(points: &mut [Jacobian<F>]) {
    // Each y waits beside the product of all z before it.
    let mut before = Vec::with_capacity(points.len());
    let mut total = F::one();
    for point in &*points {
        before.push(total);
        total = total.mul(point.z);
    }
    let Some(mut inverse) = total.invert() else { return };
    for (point, before) in points.iter_mut().zip(before).rev() {
        let z = inverse.mul(before);
        inverse = inverse.mul(point.z);
        let z2 = z.square();
        *point = Jacobian { x: point.x.mul(z2), y: point.y.mul(z2).mul(z), z: F::one() };
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Multiples of points that have no table: doublings and additions in turn, every lane its own point.

use super::digits::{Digits, Window};
use super::field::{DigitsOf, Field};
use super::lanes::{Entry, Mask};
use super::point::{self, Jacobian, SIDE_BY_SIDE};

/// Digits of a scalar here: 8 odd multiples of each point are built for it.
pub(crate) const WINDOW: Window = Window::of(4);

/// Climbs from each scalar's highest digit to its second lowest: double four times, add a multiple. The multiples are
/// the odd ones of each point, one after the other; the answer is the sum of each scalar's digits but the lowest.
///
/// No addition on the way meets equal or opposite points. The sum before it is ±16·m·Q with m odd (every digit is),
/// positive (the highest digit is, before the scalar's own sign) and 16·m < 2^252, less than the order of Q; the addend is at most 15·Q. After the
/// last four doublings 16·m may be any multiple but zero, so the lowest digit is left to a complete addition.
#[inline(always)]
pub(crate) fn climb<F: Field>(multiples: &[Entry], scalars: &[DigitsOf<F>]) -> Vec<Entry> {
    let mut sums = Vec::with_capacity(scalars.len());
    for (v, digits) in scalars.iter().enumerate() {
        let (entries, negative) = pick::<F>(multiples, v, digits.get(WINDOW.count - 1));
        let y = F::gather_y(&entries).negate_where(negative);
        sums.push(Jacobian::new(F::gather_x(&entries), y));
    }
    for (group, sums) in sums.chunks_mut(SIDE_BY_SIDE).enumerate() {
        for position in (0..WINDOW.count - 1).rev() {
            for _ in 0..WINDOW.bits {
                point::double_each(sums);
            }
            if position > 0 {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let v = group * SIDE_BY_SIDE + i;
                    let (entries, negative) = pick::<F>(multiples, v, scalars[v].get(position));
                    *sum = sum.add(&entries, negative);
                }
            }
        }
    }
    point::entries(&sums)
}

/// The entries of the lowest digits of a vector, and their signs.
#[inline(always)]
pub(crate) fn lowest<'a, F: Field>(multiples: &'a [Entry], v: usize, digits: &DigitsOf<F>) -> ([&'a Entry; 8], Mask) {
    pick::<F>(multiples, v, digits.get(0))
}

/// The entries of one digit of each scalar of a vector, and their signs.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a digit's index is below 8")]
fn pick<F: Field>(multiples: &[Entry], v: usize, (indices, negative): ([u64; 8], Mask)) -> ([&Entry; 8], Mask) {
    let mut entries = [&multiples[0]; 8];
    let points = multiples.len() / WINDOW.values();
    for (lane, (entry, index)) in entries.iter_mut().zip(indices).enumerate().take(F::LANES) {
        // Lanes left over repeat the last point.
        let point = (v * F::LANES + lane).min(points - 1);
        *entry = &multiples[point * WINDOW.values() + index as usize];
    }
    (entries, negative)
}

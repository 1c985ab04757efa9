// SPDX-License-Identifier: Apache-2.0
//! Multiples of points that have no table: doublings and additions in turn, every lane its own point.

use super::digits::{Digits, Window};
use super::field::{Field, Mask};
use super::point::{self, Jacobian};
use super::table::Entry;

/// Digits of a scalar here: 8 odd multiples of each point are built for it.
pub(crate) const WINDOW: Window = Window::of(4);

/// Climbs from each scalar's highest digit to its second lowest: double four times, add a multiple. The multiples are
/// the odd ones of each point, one after the other; the answer is the sum of each scalar's digits but the lowest.
///
/// No addition on the way meets equal or opposite points. The sum before it is ±16·m·Q with m odd (every digit is),
/// positive (the highest digit is, before the scalar's own sign) and 16·m < 2^252, less than the order of Q; the addend is at most 15·Q. After the
/// last four doublings 16·m may be any multiple but zero, so the lowest digit is left to a complete addition.
#[inline(always)]
pub(crate) fn climb<F: Field>(multiples: &[Entry], scalars: &[Digits]) -> Vec<Entry> {
    let mut sums = Vec::with_capacity(scalars.len().div_ceil(F::LANES));
    for (multiples, scalars) in multiples.chunks(F::LANES * WINDOW.values()).zip(scalars.chunks(F::LANES)) {
        let (entries, negative) = digits(multiples, scalars, WINDOW.count - 1);
        let y = F::gather_y(&entries).negate_where(negative);
        let mut sum = Jacobian { x: F::gather_x(&entries), y, z: F::one() };
        for position in (0..WINDOW.count - 1).rev() {
            for _ in 0..WINDOW.bits {
                sum = sum.double();
            }
            if position > 0 {
                let (entries, negative) = digits(multiples, scalars, position);
                sum = sum.add(&entries, negative);
            }
        }
        sums.push(sum);
    }
    point::normalize(&mut sums);
    let mut entries = vec![Entry::default(); sums.len() * F::LANES];
    for (sum, entries) in sums.iter().zip(entries.chunks_exact_mut(F::LANES)) {
        F::scatter(sum.x, sum.y, entries);
    }
    entries
}

/// The entries of one digit of up to eight scalars, and their signs.
fn digits<'a>(multiples: &'a [Entry], scalars: &[Digits], position: usize) -> ([&'a Entry; 8], Mask) {
    let mut entries = [&multiples[0]; 8];
    let mut negative = 0;
    for (lane, entry) in entries.iter_mut().enumerate() {
        // Lanes left over repeat the last scalar.
        let i = lane.min(scalars.len() - 1);
        let digit = scalars[i].get(position);
        *entry = &multiples[i * WINDOW.values() + digit.index];
        negative |= Mask::from(digit.negative) << lane;
    }
    (entries, negative)
}

// SPDX-License-Identifier: Apache-2.0
//! Multiples of points that have no table: doublings, every lane its own point.

use super::digits::{Digits, Window};
use super::field::{Field, Mask};
use super::point::{self, Jacobian};
use super::sum::Sums;
use super::table::{self, Entry};

/// Digits of a scalar here: 8 odd multiples of the point are built for it.
pub(crate) const WINDOW: Window = Window::of(4);

/// What is left of each multiple: all digits but the lowest summed up, and the lowest one's entry.
pub(crate) struct Ladders {
    /// The sum of digits 1 and up, one for each point.
    pub(crate) sums: Vec<Entry>,
    /// The odd multiples, `WINDOW.values()` for each point.
    multiples: Vec<Entry>,
}

impl Ladders {
    /// The entry of the lowest digit of point `i`.
    pub(crate) fn lowest(&self, i: usize, index: usize) -> &Entry {
        &self.multiples[i * WINDOW.values() + index]
    }
}

/// Climbs from the highest digit to the second lowest: double four times, add a multiple.
///
/// No addition on the way meets equal or opposite points. The sum before it is ±16·m·Q with m odd (every digit is),
/// positive (the highest digit is, before the scalar's own sign) and 16·m < 2^252, less than the order of Q; the addend is at most 15·Q. After the
/// last four doublings 16·m may be any multiple but zero, so the lowest digit is left to a complete addition.
#[inline(always)]
pub(crate) fn climb<F: Field>(points: &[Entry], scalars: &[Digits], sums: &mut Sums<F>) -> Ladders {
    let mut multiples = vec![Entry::default(); points.len() * WINDOW.values()];
    let mut rows: Vec<&mut [Entry]> = multiples.chunks_exact_mut(WINDOW.values()).collect();
    table::fill(points, Window { count: 1, ..WINDOW }, &mut rows, sums);

    let mut ladders = Vec::with_capacity(points.len().div_ceil(F::LANES));
    for (multiples, scalars) in multiples.chunks(F::LANES * WINDOW.values()).zip(scalars.chunks(F::LANES)) {
        let (entries, negative) = digits(multiples, scalars, WINDOW.count - 1);
        let y = F::gather_y(&entries).negate_where(negative);
        let mut sum = Jacobian { x: F::gather_x(&entries), y, z: F::one() };
        for position in (1..WINDOW.count - 1).rev() {
            for _ in 0..WINDOW.bits {
                sum = sum.double();
            }
            let (entries, negative) = digits(multiples, scalars, position);
            sum = sum.add(&entries, negative);
        }
        for _ in 0..WINDOW.bits {
            sum = sum.double();
        }
        ladders.push(sum);
    }
    point::normalize(&mut ladders);
    let mut sums = vec![Entry::default(); ladders.len() * F::LANES];
    for (ladder, sums) in ladders.iter().zip(sums.chunks_exact_mut(F::LANES)) {
        F::scatter(ladder.x, ladder.y, sums);
    }
    Ladders { sums, multiples }
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

// SPDX-License-Identifier: Apache-2.0
//! A batch of signatures, from scalars to verdicts.

use std::marker::PhantomData;

use super::digits::{Digits, Window};
use super::field::{DigitsOf, Field, PRIME};
use super::ladder;
use super::lanes::{Entry, Mask, vector};
use super::limbs::{self, Limbs};
use super::order::{self, ORDER};
use super::scalar::{self, Scalars};
use super::sum::{Entries, Source, Sums};
use super::table::Table;

/// Digits of the generator's scalars: its one table of 5 MiB serves every signature.
pub(crate) const GENERATOR_WINDOW: Window = Window::of(13);
/// Digits of the scalars of a key that has a table: 256 KiB a key.
pub(crate) const KEY_WINDOW: Window = Window::of(8);
/// Most signatures worked on together: enough to make inversions cheap, few enough for the second-level cache.
pub(crate) const CHUNK: usize = 256;

/// The generator (SP 800-186, 3.2.1.3), in plain coordinates.
pub(crate) const GENERATOR: Entry = Entry {
    x: [0xf4a1_3945_d898_c296, 0x7703_7d81_2deb_33a0, 0xf8bc_e6e5_63a4_40f2, 0x6b17_d1f2_e12c_4247],
    y: [0xcbb6_4068_37bf_51f5, 0x2bce_3357_6b31_5ece, 0x8ee7_eb4a_7c0f_9e16, 0x4fe3_42e2_fe1a_7f9b],
};

/// A digest and a signature whose r and s are in range, as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) e: Limbs,
    pub(crate) r: Limbs,
    pub(crate) s: Limbs,
}

impl Claim {
    /// Reads big-endian numbers; `None` if r or s is zero or not below the group order.
    pub(crate) fn new(digest: &[u8; 32], r: &[u8; 32], s: &[u8; 32]) -> Option<Self> {
        let [e, r, s] = [digest, r, s].map(limbs::from_be_bytes);
        (order::in_range(&r) && order::in_range(&s)).then_some(Self { e, r, s })
    }
}

/// u₁ = e/s and u₂ = r/s of all claims, by vectors.
pub(crate) struct Multipliers<F: Field> {
    pub(crate) u1: Vec<DigitsOf<F>>,
    pub(crate) u2: Vec<DigitsOf<F>>,
}

/// Divides by s and cuts the quotients: for the generator, and for the keys by their window.
#[inline(always)]
pub(crate) fn multipliers<F: Field>(claims: &[Claim], key_window: Window) -> Multipliers<F> {
    let vectors = claims.len().div_ceil(F::LANES);
    let mut inverses = Vec::with_capacity(vectors);
    for claims in claims.chunks(F::LANES) {
        inverses.push(F::Scalars::gather(vector(claims).map(|claim| &claim.s)));
    }
    scalar::invert_all(&mut inverses);
    let mut multipliers = Multipliers { u1: Vec::with_capacity(vectors), u2: Vec::with_capacity(vectors) };
    for (claims, inverse) in claims.chunks(F::LANES).zip(inverses) {
        let claims = vector(claims);
        let u1 = inverse.mul(F::Scalars::gather(claims.map(|claim| &claim.e)));
        let u2 = inverse.mul(F::Scalars::gather(claims.map(|claim| &claim.r)));
        multipliers.u1.push(u1.digits(GENERATOR_WINDOW));
        multipliers.u2.push(u2.digits(key_window));
    }
    multipliers
}

/// The points that are to be summed for each signature. Row t holds point t of every one.
pub(crate) struct Rows<'a, F> {
    count: usize,
    vectors: usize,
    /// Lanes without a claim hold points too: any that are not equal or opposite.
    entries: Vec<&'a Entry>,
    /// The signs of a vector's lanes.
    negative: Vec<Mask>,
    field: PhantomData<F>,
}

impl<'a, F: Field> Rows<'a, F> {
    /// Room for `count` points of each claim.
    pub(crate) fn new(count: usize, claims: usize) -> Self {
        let vectors = claims.div_ceil(F::LANES);
        let entries = vec![&GENERATOR; count * vectors * F::LANES];
        Self { count, vectors, entries, negative: vec![0; count * vectors], field: PhantomData }
    }

    fn lanes(&self) -> usize {
        self.vectors * F::LANES
    }

    /// The lanes of a vector and their signs, to be written.
    #[inline(always)]
    fn vector_mut(&mut self, row: usize, vector: usize) -> (&mut [&'a Entry], &mut Mask) {
        let start = row * self.lanes() + vector * F::LANES;
        let sign = row * self.vectors + vector;
        (&mut self.entries[start..start + F::LANES], &mut self.negative[sign])
    }

    /// Rows `first..end`.
    fn entries(&self, first: usize, end: usize) -> Entries<'_> {
        let lanes = self.lanes();
        Entries {
            lanes: &self.entries[first * lanes..end * lanes],
            negative: &self.negative[first * self.vectors..end * self.vectors],
        }
    }
}

/// Puts the points of all digits into the rows from `first` on. The tables are those of the claims, or one for all.
#[inline(always)]
pub(crate) fn place_digits<'a, F: Field>(
    rows: &mut Rows<'a, F>,
    first: usize,
    digits: &[DigitsOf<F>],
    tables: &[&'a Table],
) {
    for (v, digits) in digits.iter().enumerate() {
        let tables = vector(&tables[(v * F::LANES).min(tables.len() - 1)..]);
        for position in 0..tables[0].positions() {
            let (lanes, signs) = rows.vector_mut(first + position, v);
            let (indices, negative) = digits.get(position);
            *signs = negative;
            for ((entry, table), index) in lanes.iter_mut().zip(&tables).zip(indices) {
                *entry = table.entry(position, index);
            }
        }
    }
}

/// Puts what a ladder leaves to be added into the first two rows: all digits but the lowest, summed up, and the lowest.
#[inline(always)]
pub(crate) fn place_ladder<'a, F: Field>(
    rows: &mut Rows<'a, F>,
    sums: &'a [Entry],
    multiples: &'a [Entry],
    digits: &[DigitsOf<F>],
) {
    for (v, (sums, digits)) in sums.chunks(F::LANES).zip(digits).enumerate() {
        let (lanes, _positive) = rows.vector_mut(0, v);
        lanes.copy_from_slice(&vector(sums)[..F::LANES]);
        let (entries, negative) = ladder::lowest::<F>(multiples, v, digits);
        let (lanes, signs) = rows.vector_mut(1, v);
        lanes.copy_from_slice(&entries[..F::LANES]);
        *signs = negative;
    }
}

/// Sums each column of points: the x of the sum must be r modulo n.
#[inline(always)]
pub(crate) fn conclude<F: Field>(rows: &Rows<'_, F>, claims: &[Claim], valid: &mut [bool], sums: &mut Sums<F>) {
    let vectors = rows.vectors;
    let accumulators = accumulators(rows.count, claims.len(), F::LANES);
    let mut done = accumulators;
    sums.start(rows.entries(0, done));
    let mut left = accumulators;
    while done < rows.count || left > 2 {
        let (count, source) = if done < rows.count {
            let (first, end) = (done, rows.count.min(done + accumulators));
            done = end;
            (end - first, Source::Entries(rows.entries(first, end)))
        } else {
            let (all, half) = (left, left.div_ceil(2));
            left = half;
            (all - half, Source::Fold(half * vectors))
        };
        // In one place alone: all of an addition's code is inlined here.
        sums.add(count * vectors, source);
    }
    for vector in 0..vectors {
        let first = vector * F::LANES;
        let end = claims.len().min(first + F::LANES);
        let good = matches(sums, vector, vector + vectors, &claims[first..end]);
        for (i, valid) in valid[first..end].iter_mut().enumerate() {
            *valid = good >> i & 1 != 0;
        }
    }
}

/// Sums kept for each signature: more of them take fewer rounds, each with its inversion, but more memory.
///
/// An inversion takes about as long for one lane as for eight, while all else takes a time for each vector.
pub(super) fn accumulators(points: usize, signatures: usize, lanes: usize) -> usize {
    if signatures > 16.max(2 * lanes * lanes) { points.div_ceil(4) } else { points.div_ceil(2) }
}

/// Lanes in which the x of point `a` + point `b` is r modulo n: r, or r + n where that is a coordinate. Nobody's r is
/// small enough for that by chance.
#[inline(always)]
fn matches<F: Field>(sums: &Sums<F>, a: usize, b: usize, claims: &[Claim]) -> Mask {
    let claims = vector(claims);
    let mut good = 0;
    for expected in [claims.map(|claim| Some(claim.r)), claims.map(r_plus_n)] {
        let lanes = (0..F::LANES).fold(0, |lanes, i| lanes | Mask::from(expected[i].is_some()) << i);
        if lanes != 0 {
            good |= lanes & meets(sums, a, b, expected.map(Option::unwrap_or_default));
        }
    }
    good
}

/// r + n, where that is below p, and a coordinate.
fn r_plus_n(claim: &Claim) -> Option<Limbs> {
    let (sum, carry) = limbs::add(&claim.r, &ORDER);
    (!carry && limbs::less(&sum, &PRIME)).then_some(sum)
}

/// Lanes in which the x of point `a` + point `b` is the given one. No need of the sum itself: its x is r exactly when
/// (y₂ − y₁)² = (r + x₁ + x₂)·(x₂ − x₁)².
#[inline(always)]
fn meets<F: Field>(sums: &Sums<F>, a: usize, b: usize, expected: [Limbs; 8]) -> Mask {
    let (x1, y1, x2, y2) = (sums.x[a], sums.y[a], sums.x[b], sums.y[b]);
    let expected = expected.map(|x| Entry { x, y: x });
    let r = F::gather_x(&expected.each_ref()).encode();

    let difference = x2.sub(x1).tighten();
    let numerator = y2.sub(y1).tighten();
    let same_x = difference.zeros();
    let doubled = same_x & numerator.zeros();
    let (mut denominator, mut slope) = (difference, numerator);
    if doubled != 0 {
        let tangent = x1.square().sub(F::one()).tighten().triple();
        denominator = F::select(doubled, y1.scale::<1>(), difference);
        slope = F::select(doubled, tangent, numerator);
    }
    let sum_of_x = x1.add(x2).tighten();
    let hit = denominator.square().mul(sum_of_x.add(r)).sub(slope.square()).tighten().zeros();
    let finite = hit & (!same_x | doubled);

    let (infinite1, infinite2) = (sums.infinite(a), sums.infinite(b));
    if infinite1 | infinite2 == 0 {
        return finite;
    }
    let (equal1, equal2) = (x1.sub(r).tighten().zeros(), x2.sub(r).tighten().zeros());
    infinite1 & !infinite2 & equal2 | infinite2 & !infinite1 & equal1 | finite & !(infinite1 | infinite2)
}

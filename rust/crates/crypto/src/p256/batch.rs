// SPDX-License-Identifier: Apache-2.0
//! A batch of signatures, from scalars to verdicts.

use super::digits::{Digit, Digits, Window};
use super::field::{Field, Mask, PRIME};
use super::ladder;
use super::limbs::{self, Limbs};
use super::scalar;
use super::sum::{Signed, Sums};
use super::table::{Entry, Table};

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
        (scalar::in_range(&r) && scalar::in_range(&s)).then_some(Self { e, r, s })
    }
}

/// The buffers of a batch, kept from one to the next.
pub(crate) struct Workspace<F> {
    pub(crate) sums: Sums<F>,
    inverses: Vec<Limbs>,
    scratch: Vec<Limbs>,
}

impl<F: Field> Workspace<F> {
    pub(crate) fn new() -> Self {
        Self { sums: Sums::new(), inverses: Vec::new(), scratch: Vec::new() }
    }
}

/// The points that are to be summed for each signature. Row t holds point t of every one.
struct Rows<'a> {
    count: usize,
    lanes: usize,
    vectors: usize,
    entries: Vec<&'a Entry>,
    /// The signs of a vector's lanes.
    negative: Vec<Mask>,
}

impl<'a> Rows<'a> {
    fn new<F: Field>(count: usize, claims: usize) -> Self {
        let vectors = claims.div_ceil(F::LANES);
        let lanes = vectors * F::LANES;
        let entries = vec![&GENERATOR; count * lanes];
        Self { count, lanes, vectors, entries, negative: vec![0; count * vectors] }
    }

    #[inline(always)]
    fn put<F: Field>(&mut self, row: usize, lane: usize, entry: &'a Entry, negative: bool) {
        self.entries[row * self.lanes + lane] = entry;
        self.negative[row * self.vectors + lane / F::LANES] |= Mask::from(negative) << (lane % F::LANES);
    }

    /// Puts all digits of a scalar from `row` on.
    #[inline(always)]
    fn put_digits<F: Field>(&mut self, row: usize, lane: usize, digits: &Digits, table: &'a Table) {
        for position in 0..digits.window().count {
            let Digit { index, negative } = digits.get(position);
            self.put::<F>(row + position, lane, table.entry(position, index), negative);
        }
    }

    fn signed(&self, first: usize, end: usize, next_end: usize) -> Signed<'_> {
        Signed {
            entries: &self.entries[first * self.lanes..end * self.lanes],
            negative: &self.negative[first * self.vectors..end * self.vectors],
            next: &self.entries[end * self.lanes..next_end * self.lanes],
        }
    }
}

/// Verifies up to `CHUNK` claims of keys that have tables.
#[inline(always)]
pub(crate) fn verify_tabled<F: Field>(
    generator: &Table,
    claims: &[Claim],
    tables: &[&Table],
    valid: &mut [bool],
    work: &mut Workspace<F>,
) {
    invert(claims, work);
    let mut rows = Rows::new::<F>(KEY_WINDOW.count + GENERATOR_WINDOW.count, claims.len());
    for lane in 0..rows.lanes {
        // Lanes left over repeat the last claim.
        let i = lane.min(claims.len() - 1);
        let (u1, u2) = multipliers(&claims[i], &work.inverses[i]);
        rows.put_digits::<F>(0, lane, &Digits::new(&u2, KEY_WINDOW), tables[i]);
        rows.put_digits::<F>(KEY_WINDOW.count, lane, &Digits::new(&u1, GENERATOR_WINDOW), generator);
    }
    conclude(&rows, claims, valid, &mut work.sums);
}

/// Verifies up to `CHUNK` claims of keys that have no table, given by their points in plain coordinates.
#[inline(always)]
pub(crate) fn verify_untabled<F: Field>(
    generator: &Table,
    claims: &[Claim],
    points: &[Entry],
    valid: &mut [bool],
    work: &mut Workspace<F>,
) {
    invert(claims, work);
    let mut generator_digits = Vec::with_capacity(claims.len());
    let mut key_digits = Vec::with_capacity(claims.len());
    for (claim, inverse) in claims.iter().zip(&work.inverses) {
        let (u1, u2) = multipliers(claim, inverse);
        generator_digits.push(Digits::new(&u1, GENERATOR_WINDOW));
        key_digits.push(Digits::new(&u2, ladder::WINDOW));
    }
    let ladders = ladder::climb(points, &key_digits, &mut work.sums);
    let mut rows = Rows::new::<F>(2 + GENERATOR_WINDOW.count, claims.len());
    for lane in 0..rows.lanes {
        let i = lane.min(claims.len() - 1);
        rows.put::<F>(0, lane, &ladders.sums[i], false);
        let lowest = key_digits[i].get(0);
        rows.put::<F>(1, lane, ladders.lowest(i, lowest.index), lowest.negative);
        rows.put_digits::<F>(2, lane, &generator_digits[i], generator);
    }
    conclude(&rows, claims, valid, &mut work.sums);
}

/// Inverts the s of all claims.
fn invert<F>(claims: &[Claim], work: &mut Workspace<F>) {
    work.inverses.clear();
    work.inverses.extend(claims.iter().map(|claim| claim.s));
    scalar::invert_all(&mut work.inverses, &mut work.scratch);
}

/// u₁ = e/s and u₂ = r/s.
fn multipliers(claim: &Claim, inverse: &Limbs) -> (Limbs, Limbs) {
    (scalar::montgomery(inverse, &claim.e), scalar::montgomery(inverse, &claim.r))
}

/// Sums each column of points: the x of the sum must be r modulo n.
#[inline(always)]
fn conclude<F: Field>(rows: &Rows<'_>, claims: &[Claim], valid: &mut [bool], sums: &mut Sums<F>) {
    let vectors = rows.vectors;
    let accumulators = accumulators(rows.count, vectors);
    sums.reset(accumulators * vectors);
    let mut end = accumulators;
    let mut next_end = rows.count.min(end + accumulators);
    sums.load(accumulators * vectors, &rows.signed(0, end, next_end));
    while end < rows.count {
        let first = end;
        end = next_end;
        next_end = rows.count.min(end + accumulators);
        sums.add((end - first) * vectors, &rows.signed(first, end, next_end));
    }
    let mut left = accumulators;
    while left > 2 {
        let half = left.div_ceil(2);
        sums.fold(half * vectors, (left - half) * vectors);
        left = half;
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
fn accumulators(points: usize, vectors: usize) -> usize {
    if vectors > 16 { points.div_ceil(4) } else { points.div_ceil(2) }
}

/// Lanes in which the x of point `a` + point `b` is r modulo n. No need of the sum itself: its x is r exactly when
/// (y₂ − y₁)² = (r + x₁ + x₂)·(x₂ − x₁)².
#[inline(always)]
fn matches<F: Field>(sums: &Sums<F>, a: usize, b: usize, claims: &[Claim]) -> Mask {
    let (x1, y1, x2, y2) = (sums.x[a], sums.y[a], sums.x[b], sums.y[b]);
    let candidates = candidates(claims);
    let lanes = candidates.each_ref();
    let (r, r_plus_n) = (F::gather_x(&lanes).encode(), F::gather_y(&lanes).encode());

    let difference = x2.sub(x1).tighten();
    let numerator = y2.sub(y1).tighten();
    let same_x = difference.zeros();
    let doubled = same_x & numerator.zeros();
    let tangent = x1.square().sub(F::one()).tighten().triple();
    let denominator = F::select(doubled, y1.scale::<1>(), difference).square();
    let numerator = F::select(doubled, tangent, numerator).square();
    let sum_of_x = x1.add(x2).tighten();
    let hit = denominator.mul(sum_of_x.add(r)).sub(numerator).tighten().zeros();
    let hit_plus_n = denominator.mul(sum_of_x.add(r_plus_n)).sub(numerator).tighten().zeros();
    let finite = (hit | hit_plus_n) & (!same_x | doubled);

    let (infinite1, infinite2) = (sums.infinite(a), sums.infinite(b));
    let equal1 = x1.sub(r).tighten().zeros() | x1.sub(r_plus_n).tighten().zeros();
    let equal2 = x2.sub(r).tighten().zeros() | x2.sub(r_plus_n).tighten().zeros();
    infinite1 & !infinite2 & equal2 | infinite2 & !infinite1 & equal1 | finite & !(infinite1 | infinite2)
}

/// The coordinates that are r modulo n: r itself, and r + n where that is below p (r again where not).
fn candidates(claims: &[Claim]) -> [Entry; 8] {
    let mut candidates = [GENERATOR; 8];
    for (candidate, claim) in candidates.iter_mut().zip(claims) {
        let (sum, carry) = limbs::add(&claim.r, &scalar::ORDER);
        let exists = !carry && limbs::less(&sum, &PRIME);
        *candidate = Entry { x: claim.r, y: if exists { sum } else { claim.r } };
    }
    candidates
}

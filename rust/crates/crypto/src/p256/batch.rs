// SPDX-License-Identifier: Apache-2.0
//! A batch of signatures, from scalars to verdicts.

use std::marker::PhantomData;

use super::digits::{Digit, Digits, Window};
use super::field::{Field, Mask, PRIME};
use super::limbs::{self, Limbs};
use super::scalar;
use super::sum::{Entries, Source, Sums};
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

/// 1/s of the claims of a batch.
#[derive(Default)]
pub(crate) struct Inverses {
    /// 2^256/s modulo n.
    scaled: Vec<Limbs>,
    scratch: Vec<Limbs>,
}

impl Inverses {
    pub(crate) fn invert(&mut self, claims: &[Claim]) {
        self.scaled.clear();
        self.scaled.extend(claims.iter().map(|claim| claim.s));
        scalar::invert_all(&mut self.scaled, &mut self.scratch);
    }

    /// u₁ = e/s and u₂ = r/s of a claim.
    pub(crate) fn multipliers(&self, claims: &[Claim], i: usize) -> (Limbs, Limbs) {
        let (claim, inverse) = (&claims[i], &self.scaled[i]);
        (scalar::montgomery(inverse, &claim.e), scalar::montgomery(inverse, &claim.r))
    }
}

/// The points that are to be summed for each signature. Row t holds point t of every one.
pub(crate) struct Rows<'a, F> {
    count: usize,
    vectors: usize,
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

    /// Lanes of all vectors together. Those without a claim must hold points too: any that are not equal or opposite.
    pub(crate) fn lanes(&self) -> usize {
        self.vectors * F::LANES
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, row: usize, lane: usize, entry: &'a Entry, negative: bool) {
        let (lanes, vector, bit) = (self.lanes(), lane / F::LANES, lane % F::LANES);
        self.entries[row * lanes + lane] = entry;
        self.negative[row * self.vectors + vector] |= Mask::from(negative) << bit;
    }

    /// Puts all digits of a scalar from `row` on.
    #[inline(always)]
    pub(crate) fn put_digits(&mut self, row: usize, lane: usize, digits: &Digits, table: &'a Table) {
        for position in 0..digits.window().count {
            let Digit { index, negative } = digits.get(position);
            self.put(row + position, lane, table.entry(position, index), negative);
        }
    }

    /// Rows `first..end`, and up to `ahead` rows that come next.
    fn entries(&self, first: usize, end: usize, ahead: usize) -> Entries<'_> {
        let (lanes, next_end) = (self.lanes(), self.count.min(end + ahead));
        Entries {
            lanes: &self.entries[first * lanes..end * lanes],
            negative: &self.negative[first * self.vectors..end * self.vectors],
            next: &self.entries[end * lanes..next_end * lanes],
        }
    }
}

/// Sums each column of points: the x of the sum must be r modulo n.
#[inline(always)]
pub(crate) fn conclude<F: Field>(rows: &Rows<'_, F>, claims: &[Claim], valid: &mut [bool], sums: &mut Sums<F>) {
    let vectors = rows.vectors;
    let accumulators = accumulators(rows.count, vectors);
    let mut done = accumulators;
    sums.start(rows.entries(0, done, accumulators));
    let mut left = accumulators;
    loop {
        if done < rows.count {
            let end = rows.count.min(done + accumulators);
            sums.add((end - done) * vectors, Source::Entries(rows.entries(done, end, accumulators)));
            done = end;
        } else if left > 2 {
            let half = left.div_ceil(2);
            sums.add((left - half) * vectors, Source::Fold(half * vectors));
            left = half;
        } else {
            break;
        }
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
pub(super) fn accumulators(points: usize, vectors: usize) -> usize {
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

// SPDX-License-Identifier: Apache-2.0
//! Affine additions, many at a time.
//!
//! Adding two affine points takes one division: λ = (y₂ − y₁)/(x₂ − x₁), x₃ = λ² − x₁ − x₂, y₃ = λ·(x₁ − x₃) − y₁. For
//! many independent additions Montgomery's trick turns all divisions into one, for three more multiplications each:
//! walk forward multiplying the denominators together and keeping each partial product, invert the total, walk back.
//! That makes five multiplications and one squaring for an addition; projective coordinates take eleven.
//!
//! A denominator is zero when two points are equal or opposite. Then the total is zero, which is how it is noticed:
//! for free. The round is then done again by complete formulas, which give such additions, and those that meet
//! infinity, other denominators. Whoever crafts signatures to get there makes a round cost about twice as much.

use super::field::Field;
use super::lanes::{Entry, Mask};

/// Chains of partial products that are multiplied side by side: one chain alone would wait for itself.
const CHAINS: usize = 4;

/// Vectors between a vector of entries and the one that is brought near meanwhile: far enough for memory to answer.
const AHEAD: usize = 12;

/// Vectors of points, and what additions to them need. Buffers are kept from batch to batch.
pub(crate) struct Sums<F> {
    pub(crate) x: Vec<F>,
    pub(crate) y: Vec<F>,
    /// Lanes that hold infinity; their x and y mean nothing.
    infinite: Vec<Mask>,
    /// Whether any lane may hold infinity.
    some_infinite: bool,
    scratch: Scratch<F>,
}

struct Scratch<F> {
    /// x₂ − x₁, or what stands for it.
    denominators: Vec<F>,
    /// Going forward, element i is the product of denominators i−4, i−8, …; going back, elements from i on are the
    /// inverses of what they were.
    products: Vec<F>,
    /// Lanes that add a point to itself.
    doubled: Vec<Mask>,
    /// Lanes whose result is infinity or one of the two points.
    trivial: Vec<Mask>,
}

/// Entries of tables, `LANES` for each vector.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a> {
    pub(crate) lanes: &'a [&'a Entry],
    /// The lanes of each vector whose entries are negated.
    pub(crate) negative: &'a [Mask],
}

/// What a round adds to the points.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// One vector of entries to each.
    Entries(Entries<'a>),
    /// The points from this one on.
    Fold(usize),
}

enum Addends<'a, F> {
    Entries(Entries<'a>),
    Points { x: &'a [F], y: &'a [F], infinite: &'a [Mask] },
}

/// The points of one round of additions, and the scratch for it.
struct Round<'a, F> {
    x: &'a mut [F],
    y: &'a mut [F],
    infinite: &'a mut [Mask],
    scratch: &'a mut Scratch<F>,
}

impl<F: Field> Sums<F> {
    pub(crate) fn new() -> Self {
        Self {
            x: Vec::new(),
            y: Vec::new(),
            infinite: Vec::new(),
            some_infinite: false,
            scratch: Scratch {
                denominators: Vec::new(),
                products: Vec::new(),
                doubled: Vec::new(),
                trivial: Vec::new(),
            },
        }
    }

    /// Starts from one vector of entries for each point.
    #[inline(always)]
    pub(crate) fn start(&mut self, entries: Entries<'_>) {
        let count = entries.negative.len();
        if self.x.len() < count {
            let one = F::one();
            self.x.resize(count, one);
            self.y.resize(count, one);
            self.infinite.resize(count, 0);
            self.scratch.denominators.resize(count, one);
            self.scratch.products.resize(count + CHAINS, one);
            self.scratch.doubled.resize(count, 0);
            self.scratch.trivial.resize(count, 0);
        }
        self.infinite.fill(0);
        self.some_infinite = false;
        let addends = Addends::Entries(entries);
        for i in 0..count {
            addends.prefetch(i + AHEAD);
            self.x[i] = addends.x(i);
            self.y[i] = addends.y(i);
        }
    }

    /// Adds to each of the first `count` vectors of points.
    #[inline(always)]
    pub(crate) fn add(&mut self, count: usize, source: Source<'_>) {
        let others = if let Source::Fold(from) = source { from } else { count };
        let (x, other_x) = self.x.split_at_mut(others);
        let (y, other_y) = self.y.split_at_mut(others);
        let (infinite, other_infinite) = self.infinite.split_at_mut(others);
        let addends = match source {
            Source::Entries(entries) => Addends::Entries(entries),
            Source::Fold(_) => Addends::Points { x: other_x, y: other_y, infinite: other_infinite },
        };
        let mut round = Round {
            x: &mut x[..count],
            y: &mut y[..count],
            infinite: &mut infinite[..count],
            scratch: &mut self.scratch,
        };
        let mut complete = self.some_infinite;
        loop {
            if complete {
                round.multiply_complete(&addends);
            } else {
                round.multiply(&addends);
            }
            // Complete formulas have no zero denominators: no point of the curve has y = 0.
            if invert_chains(&mut round.scratch.products[count..count + CHAINS]) || complete {
                break;
            }
            complete = true;
        }
        if complete {
            self.some_infinite |= round.conclude_complete(&addends);
        } else {
            round.conclude(&addends);
        }
    }

    /// Lanes of vector `i` that are infinity.
    #[inline(always)]
    pub(crate) fn infinite(&self, i: usize) -> Mask {
        self.infinite[i]
    }
}

impl<F: Field> Round<'_, F> {
    /// The way forward, where all points are finite.
    #[inline(always)]
    fn multiply(&mut self, addends: &Addends<'_, F>) {
        let Scratch { denominators, products, .. } = &mut *self.scratch;
        products[..CHAINS].fill(F::one());
        for i in 0..self.x.len() {
            addends.prefetch(i + AHEAD);
            let denominator = addends.x(i).sub(self.x[i]);
            denominators[i] = denominator;
            products[i + CHAINS] = products[i].mul(denominator);
        }
    }

    /// The way back, where no two points are equal or opposite either.
    ///
    /// One addition is a row of products that wait for each other, too long for the processor to look past it. So the
    /// additions of all chains are taken together, product by product.
    #[inline(always)]
    fn conclude(&mut self, addends: &Addends<'_, F>) {
        let Scratch { denominators, products, .. } = &mut *self.scratch;
        let count = self.x.len();
        let mut slopes = [F::one(); CHAINS];
        let mut end = count;
        while end > 0 {
            // The first group takes the odd ones, so that all others are full.
            let start = (end - 1) / CHAINS * CHAINS;
            for i in start..end {
                let inverse = products[i + CHAINS];
                slopes[i - start] = inverse.mul(products[i]);
                products[i] = inverse.mul(denominators[i]);
            }
            for i in start..end {
                slopes[i - start] = slopes[i - start].mul(addends.y_minus(i, self.y[i]));
            }
            for i in start..end {
                denominators[i] = slopes[i - start].chord(self.x[i], denominators[i]);
            }
            for i in start..end {
                let x3 = denominators[i];
                self.y[i] = slopes[i - start].mul_sub(self.x[i].sub(x3), self.y[i]);
                self.x[i] = x3;
            }
            end = start;
        }
    }

    /// The way forward for any points.
    #[inline(always)]
    fn multiply_complete(&mut self, addends: &Addends<'_, F>) {
        let Scratch { denominators, products, doubled, trivial } = &mut *self.scratch;
        let one = F::one();
        products[..CHAINS].fill(one);
        for i in 0..self.x.len() {
            let (x1, y1) = (self.x[i], self.y[i]);
            let one_infinite = self.infinite[i] | addends.infinite(i);
            let difference = addends.x(i).sub(x1);
            let same_x = difference.tighten().zeros() & !one_infinite;
            let equal = same_x & addends.y_minus(i, y1).tighten().zeros();
            doubled[i] = equal;
            trivial[i] = one_infinite | same_x & !equal;
            let denominator = F::select(equal, y1.scale::<1>(), F::select(trivial[i], one, difference));
            denominators[i] = denominator;
            products[i + CHAINS] = products[i].mul(denominator);
        }
    }

    /// The way back for any points; answers whether some sum is infinity.
    #[inline(always)]
    fn conclude_complete(&mut self, addends: &Addends<'_, F>) -> bool {
        let Scratch { denominators, products, doubled, trivial } = &mut *self.scratch;
        let mut some_infinite = 0;
        for i in (0..self.x.len()).rev() {
            let (x1, y1) = (self.x[i], self.y[i]);
            let (x2, y2) = (addends.x(i), addends.y(i));
            let inverse = products[i + CHAINS].mul(products[i]);
            products[i] = products[i + CHAINS].mul(denominators[i]);
            let tangent = x1.square().sub(F::one()).tighten().triple();
            let numerator = F::select(doubled[i], tangent, addends.y_minus(i, y1));
            let lambda = inverse.mul(numerator);
            let x3 = lambda.square().sub(x1).tighten().sub(x2).tighten();
            let y3 = lambda.mul_sub(x1.sub(x3), y1);
            let (infinite1, infinite2) = (self.infinite[i], addends.infinite(i));
            // Trivial sums: the other point where one is infinity, infinity where both are or the points are opposite.
            self.x[i] = F::select(trivial[i], F::select(infinite1, x2, x1), x3);
            self.y[i] = F::select(trivial[i], F::select(infinite1, y2, y1), y3);
            self.infinite[i] = infinite1 & infinite2 | trivial[i] & !(infinite1 | infinite2);
            some_infinite |= self.infinite[i];
        }
        some_infinite & F::all_lanes() != 0
    }
}

impl<F: Field> Addends<'_, F> {
    /// Their x, tight.
    #[inline(always)]
    fn x(&self, i: usize) -> F {
        match self {
            Self::Entries(rows) => F::gather_x(&rows.lanes[i * F::LANES..]),
            Self::Points { x, .. } => x[i],
        }
    }

    /// Their y, tight.
    #[inline(always)]
    fn y(&self, i: usize) -> F {
        match self {
            Self::Entries(rows) => F::gather_y(&rows.lanes[i * F::LANES..]).negate_where(rows.negative[i]),
            Self::Points { y, .. } => y[i],
        }
    }

    /// Their y minus another one: loose from tight.
    #[inline(always)]
    fn y_minus(&self, i: usize, other: F) -> F {
        match self {
            Self::Entries(rows) => F::gather_y(&rows.lanes[i * F::LANES..]).signed_sub(rows.negative[i], other),
            Self::Points { y, .. } => y[i].sub(other),
        }
    }

    /// Lanes that are infinity.
    #[inline(always)]
    fn infinite(&self, i: usize) -> Mask {
        match self {
            Self::Entries(_) => 0,
            Self::Points { infinite, .. } => infinite[i],
        }
    }

    /// Brings the entries of a vector near, if there are any.
    #[inline(always)]
    fn prefetch(&self, i: usize) {
        if let Self::Entries(rows) = self
            && let Some(entries) = rows.lanes.get(i * F::LANES..(i + 1) * F::LANES)
        {
            for entry in entries {
                F::prefetch(entry);
            }
        }
    }
}

/// Replaces the products of all chains by their inverses; false if one is zero in any lane.
#[inline(always)]
fn invert_chains<F: Field>(totals: &mut [F]) -> bool {
    let [a, b, c, d]: &mut [F; CHAINS] = totals.try_into().expect("four chains");
    let (ab, cd) = (a.mul(*b), c.mul(*d));
    let Some(inverse) = ab.mul(cd).invert() else { return false };
    let (ab, cd) = (inverse.mul(cd), inverse.mul(ab));
    (*a, *b) = (ab.mul(*b), ab.mul(*a));
    (*c, *d) = (cd.mul(*d), cd.mul(*c));
    true
}

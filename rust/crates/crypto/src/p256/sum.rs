// SPDX-License-Identifier: Apache-2.0
//! Affine additions, many at a time.
//!
//! Adding two affine points takes one division: λ = (y₂ − y₁)/(x₂ − x₁), x₃ = λ² − x₁ − x₂, y₃ = λ·(x₁ − x₃) − y₁. For
//! many independent additions Montgomery's trick turns all divisions into one, for three more multiplications each:
//! walk forward multiplying the denominators together and keeping each partial product, invert the total, walk back.
//! That makes five multiplications and one squaring for an addition; projective coordinates take eleven.
//!
//! A denominator is zero when two points are equal or opposite. Then the total is zero, which is how it is noticed:
//! for free. The step is then done again by [`Step::add_complete`], which gives such additions, and those that meet
//! infinity, other denominators. Whoever crafts signatures to get there makes a step cost about twice as much.

use super::field::{Field, Mask};
use super::table::Entry;

/// Chains of partial products that are multiplied side by side: one chain alone would wait for itself.
const CHAINS: usize = 4;

/// Vectors of points, and what additions to them need. Buffers are kept from batch to batch.
pub(crate) struct Sums<F> {
    pub(crate) x: Vec<F>,
    pub(crate) y: Vec<F>,
    /// Lanes that hold infinity; their x and y mean nothing. Valid only while `some_infinite`.
    infinite: Vec<Mask>,
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

/// What is added to the points: one vector of affine points for each.
pub(crate) trait Addends<F> {
    /// Their x, tight.
    fn x(&self, i: usize) -> F;
    /// Their y, tight.
    fn y(&self, i: usize) -> F;
    /// Their y minus another one: loose from tight.
    fn y_minus(&self, i: usize, y: F) -> F;
    /// Lanes that are infinity.
    fn infinite(&self, i: usize) -> Mask;
    /// Called once for each vector, on the way back.
    fn prefetch(&self, i: usize);
}

/// Entries of tables, `LANES` for each vector, with a sign for each lane.
pub(crate) struct Signed<'a> {
    pub(crate) entries: &'a [&'a Entry],
    pub(crate) negative: &'a [Mask],
    /// The entries of the next step, brought near meanwhile.
    pub(crate) next: &'a [&'a Entry],
}

impl<F: Field> Addends<F> for Signed<'_> {
    #[inline(always)]
    fn x(&self, i: usize) -> F {
        F::gather_x(&self.entries[i * F::LANES..])
    }

    #[inline(always)]
    fn y(&self, i: usize) -> F {
        F::gather_y(&self.entries[i * F::LANES..]).negate_where(self.negative[i])
    }

    #[inline(always)]
    fn y_minus(&self, i: usize, y: F) -> F {
        F::gather_y(&self.entries[i * F::LANES..]).signed_sub(self.negative[i], y)
    }

    #[inline(always)]
    fn infinite(&self, _: usize) -> Mask {
        0
    }

    #[inline(always)]
    fn prefetch(&self, i: usize) {
        if let Some(entries) = self.next.get(i * F::LANES..(i + 1) * F::LANES) {
            for entry in entries {
                F::prefetch(entry);
            }
        }
    }
}

/// Other points of the same kind.
struct Others<'a, F> {
    x: &'a [F],
    y: &'a [F],
    infinite: &'a [Mask],
}

impl<F: Field> Addends<F> for Others<'_, F> {
    #[inline(always)]
    fn x(&self, i: usize) -> F {
        self.x[i]
    }

    #[inline(always)]
    fn y(&self, i: usize) -> F {
        self.y[i]
    }

    #[inline(always)]
    fn y_minus(&self, i: usize, y: F) -> F {
        self.y[i].sub(y)
    }

    #[inline(always)]
    fn infinite(&self, i: usize) -> Mask {
        self.infinite[i]
    }

    #[inline(always)]
    fn prefetch(&self, _: usize) {}
}

/// The points of one round of additions, and the scratch for it.
struct Step<'a, F> {
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

    /// Makes room for `count` vectors of points, none infinite; their coordinates are whatever was there.
    #[inline(always)]
    pub(crate) fn reset(&mut self, count: usize) {
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
        self.infinite[..count].fill(0);
        self.some_infinite = false;
    }

    /// Starts from the addends themselves.
    #[inline(always)]
    pub(crate) fn load(&mut self, count: usize, addends: &impl Addends<F>) {
        for i in 0..count {
            self.x[i] = addends.x(i);
            self.y[i] = addends.y(i);
            addends.prefetch(i);
        }
    }

    /// Adds one vector of addends to each of the first `count` vectors of points.
    #[inline(always)]
    pub(crate) fn add(&mut self, count: usize, addends: &impl Addends<F>) {
        let mut step = Step {
            x: &mut self.x[..count],
            y: &mut self.y[..count],
            infinite: &mut self.infinite[..count],
            scratch: &mut self.scratch,
        };
        if self.some_infinite || !step.add(addends) {
            self.some_infinite = step.add_complete(addends) || self.some_infinite;
        }
    }

    /// Adds vectors `from..from + count` to vectors `0..count`.
    #[inline(always)]
    pub(crate) fn fold(&mut self, from: usize, count: usize) {
        let (x, other_x) = self.x.split_at_mut(from);
        let (y, other_y) = self.y.split_at_mut(from);
        let (infinite, other_infinite) = self.infinite.split_at_mut(from);
        let addends = Others { x: other_x, y: other_y, infinite: other_infinite };
        let mut step = Step {
            x: &mut x[..count],
            y: &mut y[..count],
            infinite: &mut infinite[..count],
            scratch: &mut self.scratch,
        };
        if self.some_infinite || !step.add(&addends) {
            self.some_infinite = step.add_complete(&addends) || self.some_infinite;
        }
    }

    /// Lanes of vector `i` that are infinity.
    #[inline(always)]
    pub(crate) fn infinite(&self, i: usize) -> Mask {
        self.infinite[i]
    }
}

impl<F: Field> Step<'_, F> {
    /// Adds where all points are finite and no two are equal or opposite; otherwise leaves them as they are and
    /// answers false.
    #[inline(always)]
    fn add(&mut self, addends: &impl Addends<F>) -> bool {
        let Scratch { denominators, products, .. } = &mut *self.scratch;
        let count = self.x.len();
        products[..CHAINS].fill(F::one());
        for i in 0..count {
            let denominator = addends.x(i).sub(self.x[i]);
            denominators[i] = denominator;
            products[i + CHAINS] = products[i].mul(denominator);
        }
        if !invert_chains(&mut products[count..count + CHAINS]) {
            return false;
        }
        for i in (0..count).rev() {
            addends.prefetch(i);
            let (x1, y1, denominator) = (self.x[i], self.y[i], denominators[i]);
            let inverse = products[i + CHAINS].mul(products[i]);
            products[i] = products[i + CHAINS].mul(denominator);
            let lambda = inverse.mul(addends.y_minus(i, y1));
            // x₁ + x₂ is 2x₁ plus the denominator.
            let x3 = lambda.square_sub(x1, denominator);
            self.y[i] = lambda.mul_sub(x1.sub(x3), y1);
            self.x[i] = x3;
        }
        true
    }

    /// Adds any points; answers whether some sum is infinity.
    #[inline(always)]
    fn add_complete(&mut self, addends: &impl Addends<F>) -> bool {
        let count = self.x.len();
        let one = F::one();
        self.scratch.products[..CHAINS].fill(one);
        for i in 0..count {
            let Scratch { denominators, products, doubled, trivial } = &mut *self.scratch;
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
        // No denominator is zero: no point of the curve has y = 0.
        invert_chains(&mut self.scratch.products[count..count + CHAINS]);
        let mut some_infinite = 0;
        for i in (0..count).rev() {
            let Scratch { denominators, products, doubled, trivial } = &mut *self.scratch;
            addends.prefetch(i);
            let (x1, y1) = (self.x[i], self.y[i]);
            let (x2, y2) = (addends.x(i), addends.y(i));
            let inverse = products[i + CHAINS].mul(products[i]);
            products[i] = products[i + CHAINS].mul(denominators[i]);
            let tangent = x1.square().sub(one).tighten().triple();
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

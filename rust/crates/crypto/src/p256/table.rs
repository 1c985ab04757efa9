// SPDX-License-Identifier: Apache-2.0
//! Tables of a point's multiples: every digit's point, ready to add.

use fastledger_pages::{Piece, Slabs};

use super::digits::Window;
use super::field::Field;
use super::lanes::{Entry, vector};
use super::point::{self, Jacobian};
use super::sum::{Entries, Source, Sums};

/// Most vectors of additions that share an inversion while a table is filled: enough to make it cheap, few enough
/// for the second-level cache.
const VECTORS_AT_ONCE: usize = 256;

/// The odd multiples (2j + 1)·2^(w·i)·Q of a point Q, for every digit position i and every odd value.
pub(crate) struct Table {
    window: Window,
    /// Position by position.
    entries: Piece<Entry>,
}

/// A kind of tables, and where their memory comes from.
///
/// Verification reads entries from all over the tables. Each is a line of the caches, which are asked for it in time; but
/// where tables lie on small pages, nearly each is on another, whose place has to be found first.
pub(crate) struct Tables {
    window: Window,
    memory: Slabs<Entry>,
}

impl Tables {
    pub(crate) const fn of(window: Window) -> Self {
        Self { window, memory: Slabs::new(window.count * window.values()) }
    }
}

impl Table {
    /// The entry of a digit, its sign aside.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "digits have 16 bits at most")]
    pub(crate) fn entry(&self, position: usize, index: u64) -> &Entry {
        &self.entries[position * self.window.values() + index as usize]
    }

    /// Digit positions.
    pub(crate) fn positions(&self) -> usize {
        self.window.count
    }

    /// What a table with this window takes.
    pub(crate) const fn bytes(window: Window) -> usize {
        window.count * window.values() * size_of::<Entry>()
    }
}

/// Builds the tables of so many points, with some engine's [`fill`].
pub(crate) fn build(count: usize, kind: &'static Tables, fill: impl FnOnce(Window, &mut [&mut [Entry]])) -> Vec<Table> {
    let window = kind.window;
    let mut tables: Vec<Table> = (0..count).map(|_| Table { window, entries: kind.memory.take() }).collect();
    let mut rows: Vec<&mut [Entry]> =
        tables.iter_mut().flat_map(|table| table.entries.chunks_exact_mut(window.values())).collect();
    fill(window, &mut rows);
    tables
}

/// Fills one row for each position of each point: row i·count + k gets the odd multiples of 2^(w·k)·Qᵢ.
///
/// The first of a row is a power of two times Q; each round adds the next power of two to the odd multiples known so
/// far, which gives as many more. No two points that meet here are equal or opposite: their factors are less than
/// 2^256 − 2^248 apart, and the order of Q is more.
#[inline(always)]
pub(crate) fn fill<F: Field>(points: &[Entry], window: Window, rows: &mut [&mut [Entry]], sums: &mut Sums<F>) {
    let powers = powers_of_two::<F>(points, window.bits * window.count);
    let power = |row: usize, round: usize| {
        let (point, position) = (row / window.count, row % window.count);
        powers.get(point, position * window.bits + round)
    };
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = *power(i, 0);
    }
    let mut places = Vec::with_capacity(VECTORS_AT_ONCE * F::LANES);
    for round in 1..window.bits {
        let known = 1 << (round - 1);
        for row in 0..rows.len() {
            for column in 0..known {
                places.push((row, column));
                if places.len() == places.capacity() {
                    extend(rows, known, &mut places, |row| power(row, round), sums);
                }
            }
        }
        extend(rows, known, &mut places, |row| power(row, round), sums);
    }
}

/// Adds the power of its row to the entry at each place, and puts the sum `known` places on. Empties `places`.
#[inline(always)]
fn extend<'a, F: Field>(
    rows: &mut [&mut [Entry]],
    known: usize,
    places: &mut Vec<(usize, usize)>,
    power: impl Fn(usize) -> &'a Entry,
    sums: &mut Sums<F>,
) {
    let Some(&last) = places.last() else { return };
    let count = places.len().div_ceil(F::LANES);
    // Lanes left over repeat the last place.
    places.resize(count * F::LANES, last);
    let known_multiples: Vec<&Entry> = places.iter().map(|&(row, column)| &rows[row][column]).collect();
    let powers: Vec<&Entry> = places.iter().map(|&(row, _)| power(row)).collect();
    let positive = vec![0; count];
    sums.start(Entries { lanes: &known_multiples, negative: &positive });
    sums.add(count, Source::Entries(Entries { lanes: &powers, negative: &positive }));
    let mut vector = [Entry::default(); 8];
    for (i, places) in places.chunks_exact(F::LANES).enumerate() {
        F::scatter(sums.x[i], sums.y[i], &mut vector[..F::LANES]);
        for (entry, &(row, column)) in vector.iter().zip(places) {
            rows[row][column + known] = *entry;
        }
    }
    places.clear();
}

/// The points 2^e·Q of several Q.
struct Powers {
    /// Groups of `lanes` points; in a group, exponent by exponent.
    entries: Vec<Entry>,
    exponents: usize,
    lanes: usize,
}

impl Powers {
    fn get(&self, point: usize, exponent: usize) -> &Entry {
        let (group, lane) = (point / self.lanes, point % self.lanes);
        &self.entries[(group * self.exponents + exponent) * self.lanes + lane]
    }
}

/// Doubles each point `exponents` − 1 times.
#[inline(always)]
fn powers_of_two<F: Field>(points: &[Entry], exponents: usize) -> Powers {
    let mut powers = Vec::with_capacity(points.len().div_ceil(F::LANES) * exponents);
    for points in points.chunks(F::LANES) {
        let point = vector(points);
        let mut power = Jacobian::new(F::gather_x(&point).encode(), F::gather_y(&point).encode());
        powers.push(power);
        for _ in 1..exponents {
            power = power.double();
            powers.push(power);
        }
    }
    Powers { entries: point::entries(&powers), exponents, lanes: F::LANES }
}

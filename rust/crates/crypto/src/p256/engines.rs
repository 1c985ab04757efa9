// SPDX-License-Identifier: Apache-2.0
//! The algorithm, compiled once for each kind of arithmetic.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::batch::{self, Claim, GENERATOR, GENERATOR_WINDOW, Inverses, KEY_WINDOW, Rows};
use super::digits::{Digits, Window};
use super::field::Field;
#[cfg(target_arch = "x86_64")]
use super::ifma::Lanes8;
use super::ladder;
use super::portable::Scalar64;
#[cfg(target_arch = "x86_64")]
use super::simd;
use super::sum::Sums;
use super::table::{self, Entry, Table};

/// What verification asks of an engine. A table is understood only by the engine that built it.
pub(crate) trait Arithmetic: Send + Sync {
    /// Builds the tables of points given in plain coordinates.
    fn build(&self, points: &[Entry]) -> Vec<Table>;

    /// Verifies up to `CHUNK` claims, at least one, each with the table of its key.
    fn verify_tabled(&self, claims: &[Claim], tables: &[&Table], valid: &mut [bool]);

    /// Verifies up to `CHUNK` claims, at least one, each with the point of its key in plain coordinates.
    fn verify_untabled(&self, claims: &[Claim], points: &[Entry], valid: &mut [bool]);
}

/// The engine for any machine.
#[must_use]
pub(crate) fn portable() -> &'static dyn Arithmetic {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("adx") {
        return &PORTABLE_MULX;
    }
    &PORTABLE
}

/// The engine for eight signatures side by side, where the machine has the instructions for it.
#[must_use]
pub(crate) fn ifma() -> Option<&'static dyn Arithmetic> {
    #[cfg(target_arch = "x86_64")]
    if simd::detected() && is_x86_feature_detected!("bmi2") {
        return Some(&IFMA);
    }
    None
}

type Fill<F> = unsafe fn(&[Entry], Window, &mut [&mut [Entry]], &mut Sums<F>);
type Climb = unsafe fn(&[Entry], &[Digits]) -> Vec<Entry>;
type Conclude<F> = unsafe fn(&Rows<'_, F>, &[Claim], &mut [bool], &mut Sums<F>);

/// The algorithm's three parts, compiled for some field and some instructions, and what they remember.
struct Engine<F> {
    fill: Fill<F>,
    climb: Climb,
    conclude: Conclude<F>,
    /// The generator's table, built when first needed.
    generator: OnceLock<Table>,
    /// Workspaces that wait for their next batch: as many as there have been batches at the same time.
    idle: Mutex<Vec<Workspace<F>>>,
}

/// The buffers of a batch, kept from one to the next.
struct Workspace<F> {
    sums: Sums<F>,
    inverses: Inverses,
}

macro_rules! engine {
    ($(#[$attribute:meta])* $name:ident: $field:ty $(, $features:literal)?) => {
        $(#[$attribute])*
        static $name: Engine<$field> = {
            $(#[target_feature(enable = $features)])?
            fn fill(points: &[Entry], window: Window, rows: &mut [&mut [Entry]], sums: &mut Sums<$field>) {
                table::fill(points, window, rows, sums);
            }
            $(#[target_feature(enable = $features)])?
            fn climb(multiples: &[Entry], scalars: &[Digits]) -> Vec<Entry> {
                ladder::climb::<$field>(multiples, scalars)
            }
            $(#[target_feature(enable = $features)])?
            fn conclude(rows: &Rows<'_, $field>, claims: &[Claim], valid: &mut [bool], sums: &mut Sums<$field>) {
                batch::conclude(rows, claims, valid, sums);
            }
            Engine { fill, climb, conclude, generator: OnceLock::new(), idle: Mutex::new(Vec::new()) }
        };
    };
}

engine!(PORTABLE: Scalar64);
engine!(
    #[cfg(target_arch = "x86_64")]
    PORTABLE_MULX: Scalar64, "bmi2,adx"
);
engine!(
    #[cfg(target_arch = "x86_64")]
    IFMA: Lanes8, "avx512f,avx512dq,avx512vbmi2,avx512ifma,bmi2"
);

// SAFETY of all calls below: `portable` and `ifma` hand an engine out only where the machine has its features.
impl<F: Field> Engine<F> {
    fn with_workspace<R>(&self, work: impl FnOnce(&mut Workspace<F>) -> R) -> R {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = idle.unwrap_or_else(|| Workspace { sums: Sums::new(), inverses: Inverses::default() });
        let result = work(&mut workspace);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        result
    }

    fn tables(&self, points: &[Entry], window: Window, sums: &mut Sums<F>) -> Vec<Table> {
        table::build(points.len(), window, |rows| {
            // SAFETY: see above.
            unsafe { (self.fill)(points, window, rows, sums) };
        })
    }

    fn generator(&self, sums: &mut Sums<F>) -> &Table {
        self.generator.get_or_init(|| self.tables(&[GENERATOR], GENERATOR_WINDOW, sums).remove(0))
    }
}

impl<F: Field> Arithmetic for Engine<F> {
    fn build(&self, points: &[Entry]) -> Vec<Table> {
        self.with_workspace(|work| self.tables(points, KEY_WINDOW, &mut work.sums))
    }

    fn verify_tabled(&self, claims: &[Claim], tables: &[&Table], valid: &mut [bool]) {
        self.with_workspace(|Workspace { sums, inverses }| {
            let generator = self.generator(sums);
            inverses.invert(claims);
            let mut rows = Rows::<F>::new(KEY_WINDOW.count + GENERATOR_WINDOW.count, claims.len());
            for lane in 0..rows.lanes() {
                // Lanes left over repeat the last claim.
                let i = lane.min(claims.len() - 1);
                let (u1, u2) = inverses.multipliers(claims, i);
                rows.put_digits(0, lane, &Digits::new(&u2, KEY_WINDOW), tables[i]);
                rows.put_digits(KEY_WINDOW.count, lane, &Digits::new(&u1, GENERATOR_WINDOW), generator);
            }
            // SAFETY: see above.
            unsafe { (self.conclude)(&rows, claims, valid, sums) };
        });
    }

    fn verify_untabled(&self, claims: &[Claim], points: &[Entry], valid: &mut [bool]) {
        self.with_workspace(|Workspace { sums, inverses }| {
            let generator = self.generator(sums);
            inverses.invert(claims);
            let multipliers = (0..claims.len()).map(|i| inverses.multipliers(claims, i));
            let (generator_digits, key_digits): (Vec<_>, Vec<_>) = multipliers
                .map(|(u1, u2)| (Digits::new(&u1, GENERATOR_WINDOW), Digits::new(&u2, ladder::WINDOW)))
                .unzip();

            let mut multiples = vec![Entry::default(); points.len() * ladder::WINDOW.values()];
            let mut fields: Vec<&mut [Entry]> = multiples.chunks_exact_mut(ladder::WINDOW.values()).collect();
            let window = Window { count: 1, ..ladder::WINDOW };
            // SAFETY: see above.
            unsafe { (self.fill)(points, window, &mut fields, sums) };
            // SAFETY: see above.
            let climbed = unsafe { (self.climb)(&multiples, &key_digits) };

            let mut rows = Rows::<F>::new(2 + GENERATOR_WINDOW.count, claims.len());
            for lane in 0..rows.lanes() {
                let i = lane.min(claims.len() - 1);
                let lowest = key_digits[i].get(0);
                rows.put(0, lane, &climbed[i], false);
                rows.put(1, lane, &multiples[i * ladder::WINDOW.values() + lowest.index], lowest.negative);
                rows.put_digits(2, lane, &generator_digits[i], generator);
            }
            // SAFETY: see above.
            unsafe { (self.conclude)(&rows, claims, valid, sums) };
        });
    }
}

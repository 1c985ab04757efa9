// SPDX-License-Identifier: Apache-2.0
//! The algorithm, compiled once for each kind of arithmetic.

use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(target_arch = "x86_64")]
use super::avx2::{self, Avx2};
#[cfg(target_arch = "x86_64")]
use super::avx512::{self, Avx512};
use super::batch::{self, Claim, GENERATOR, GENERATOR_WINDOW, KEY_WINDOW, Multipliers, Rows};
use super::digits::Window;
#[cfg(target_arch = "x86_64")]
use super::f52::Field52;
use super::field::{DigitsOf, Field};
#[cfg(target_arch = "x86_64")]
use super::ifma::IfmaField;
use super::ladder;
use super::lanes::Entry;
use super::portable::Field1;
use super::sum::Sums;
use super::table::{self, Table, Tables};
#[cfg(target_arch = "x86_64")]
use super::words4::{self, Vex, Words4};
#[cfg(target_arch = "x86_64")]
use super::words8::{self, Words8};

/// The tables of keys, eight to a huge page.
static KEY_TABLES: Tables = Tables::of(KEY_WINDOW);
/// The generator's, one for each engine in use.
static GENERATOR_TABLES: Tables = Tables::of(GENERATOR_WINDOW);

/// What verification asks of an engine. A table is understood only by the engine that built it.
pub(crate) trait Arithmetic: Send + Sync {
    /// Signatures side by side.
    fn lanes(&self) -> usize;

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
    if words8::detected() && is_x86_feature_detected!("bmi2") {
        return Some(&IFMA);
    }
    None
}

/// The engine for eight signatures side by side in AVX-512 without IFMA, where the machine has it.
#[must_use]
pub(crate) fn avx512() -> Option<&'static dyn Arithmetic> {
    #[cfg(target_arch = "x86_64")]
    if avx512::detected() {
        return Some(&AVX512);
    }
    None
}

/// The engine for four signatures side by side, where the machine has IFMA's instructions without AVX-512.
#[must_use]
pub(crate) fn avx_ifma() -> Option<&'static dyn Arithmetic> {
    #[cfg(target_arch = "x86_64")]
    if words4::detected() {
        return Some(&AVX_IFMA);
    }
    None
}

/// The engine for four signatures side by side, where the machine has AVX2.
#[must_use]
pub(crate) fn avx2() -> Option<&'static dyn Arithmetic> {
    #[cfg(target_arch = "x86_64")]
    if avx2::detected() {
        return Some(&AVX2);
    }
    None
}

/// `avx_ifma` with AVX-512's encoding of the same instructions, which other machines have.
#[cfg(test)]
pub(crate) fn avx_ifma_by_avx512() -> Option<&'static dyn Arithmetic> {
    #[cfg(target_arch = "x86_64")]
    if words8::detected() && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("bmi2") {
        return Some(&AVX_IFMA_BY_AVX512);
    }
    None
}

/// `avx_ifma` where its instructions are played.
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn avx_ifma_played() -> Option<&'static dyn Arithmetic> {
    super::vex::play();
    avx2::detected().then_some(&AVX_IFMA as &dyn Arithmetic)
}

/// The algorithm's parts, compiled for some field and some instructions.
#[expect(clippy::type_complexity, reason = "each type is told once, here")]
struct Kernels<F: Field> {
    fill: unsafe fn(&[Entry], Window, &mut [&mut [Entry]], &mut Sums<F>),
    multipliers: unsafe fn(&[Claim], Window) -> Multipliers<F>,
    climb: unsafe fn(&[Entry], &[DigitsOf<F>]) -> Vec<Entry>,
    place_ladder: for<'a> unsafe fn(&mut Rows<'a, F>, &'a [Entry], &'a [Entry], &[DigitsOf<F>]),
    place_digits: for<'a> unsafe fn(&mut Rows<'a, F>, usize, &[DigitsOf<F>], &[&'a Table]),
    conclude: unsafe fn(&Rows<'_, F>, &[Claim], &mut [bool], &mut Sums<F>),
}

/// Kernels, and what they remember.
struct Engine<F: Field> {
    kernels: Kernels<F>,
    /// The generator's table, built when first needed.
    generator: OnceLock<Table>,
    /// Sums that wait for their next batch: as many as there have been batches at the same time.
    idle: Mutex<Vec<Sums<F>>>,
}

/// Compiles the generic functions for a field and, where named, for features. All that they call is inlined into them.
macro_rules! engine {
    ($(#[$attribute:meta])* $name:ident: $field:ty $(, $features:literal)?) => {
        $(#[$attribute])*
        static $name: Engine<$field> = {
            $(#[target_feature(enable = $features)])?
            fn fill(points: &[Entry], window: Window, rows: &mut [&mut [Entry]], sums: &mut Sums<$field>) {
                table::fill(points, window, rows, sums);
            }
            $(#[target_feature(enable = $features)])?
            fn multipliers(claims: &[Claim], key_window: Window) -> Multipliers<$field> {
                batch::multipliers(claims, key_window)
            }
            $(#[target_feature(enable = $features)])?
            fn climb(multiples: &[Entry], digits: &[DigitsOf<$field>]) -> Vec<Entry> {
                ladder::climb::<$field>(multiples, digits)
            }
            $(#[target_feature(enable = $features)])?
            fn place_ladder<'a>(
                rows: &mut Rows<'a, $field>,
                sums: &'a [Entry],
                multiples: &'a [Entry],
                digits: &[DigitsOf<$field>],
            ) {
                batch::place_ladder(rows, sums, multiples, digits);
            }
            $(#[target_feature(enable = $features)])?
            fn place_digits<'a>(
                rows: &mut Rows<'a, $field>,
                first: usize,
                digits: &[DigitsOf<$field>],
                tables: &[&'a Table],
            ) {
                batch::place_digits(rows, first, digits, tables);
            }
            $(#[target_feature(enable = $features)])?
            fn conclude(rows: &Rows<'_, $field>, claims: &[Claim], valid: &mut [bool], sums: &mut Sums<$field>) {
                batch::conclude(rows, claims, valid, sums);
            }
            let kernels = Kernels { fill, multipliers, climb, place_ladder, place_digits, conclude };
            Engine { kernels, generator: OnceLock::new(), idle: Mutex::new(Vec::new()) }
        };
    };
}

engine!(PORTABLE: Field1);
engine!(
    #[cfg(target_arch = "x86_64")]
    PORTABLE_MULX: Field1, "bmi2,adx"
);
engine!(
    #[cfg(target_arch = "x86_64")]
    IFMA: IfmaField<Words8>, "avx512f,avx512dq,avx512vbmi2,avx512ifma,bmi2"
);
engine!(
    #[cfg(target_arch = "x86_64")]
    AVX_IFMA: IfmaField<Words4<Vex>>, "avx2,avxifma,bmi2"
);
engine!(
    #[cfg(all(test, target_arch = "x86_64"))]
    AVX_IFMA_BY_AVX512: IfmaField<Words4<words4::Evex>>, "avx2,avx512ifma,avx512vl,bmi2"
);
engine!(
    #[cfg(target_arch = "x86_64")]
    AVX512: Field52<Avx512>, "avx512f,bmi2"
);
engine!(
    #[cfg(target_arch = "x86_64")]
    AVX2: Field52<Avx2>, "avx2,fma,bmi2"
);

// SAFETY of all calls of kernels: the functions above hand an engine out only where the machine has its features.
impl<F: Field> Engine<F> {
    fn with_sums<R>(&self, work: impl FnOnce(&mut Sums<F>) -> R) -> R {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sums = idle.unwrap_or_else(Sums::new);
        let result = work(&mut sums);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sums);
        result
    }

    fn tables(&self, points: &[Entry], kind: &'static Tables, sums: &mut Sums<F>) -> Vec<Table> {
        table::build(points.len(), kind, |window, rows| {
            // SAFETY: see above.
            unsafe { (self.kernels.fill)(points, window, rows, sums) };
        })
    }

    fn generator(&self, sums: &mut Sums<F>) -> &Table {
        self.generator.get_or_init(|| self.tables(&[GENERATOR], &GENERATOR_TABLES, sums).remove(0))
    }
}

impl<F: Field> Arithmetic for Engine<F>
where
    Self: Send + Sync,
{
    fn lanes(&self) -> usize {
        F::LANES
    }

    fn build(&self, points: &[Entry]) -> Vec<Table> {
        self.with_sums(|sums| self.tables(points, &KEY_TABLES, sums))
    }

    fn verify_tabled(&self, claims: &[Claim], tables: &[&Table], valid: &mut [bool]) {
        let kernels = &self.kernels;
        self.with_sums(|sums| {
            let generator = self.generator(sums);
            let mut rows = Rows::new(KEY_WINDOW.count + GENERATOR_WINDOW.count, claims.len());
            // SAFETY: see above.
            unsafe {
                let multipliers = (kernels.multipliers)(claims, KEY_WINDOW);
                (kernels.place_digits)(&mut rows, 0, &multipliers.u2, tables);
                (kernels.place_digits)(&mut rows, KEY_WINDOW.count, &multipliers.u1, &[generator]);
                (kernels.conclude)(&rows, claims, valid, sums);
            }
        });
    }

    fn verify_untabled(&self, claims: &[Claim], points: &[Entry], valid: &mut [bool]) {
        let kernels = &self.kernels;
        self.with_sums(|sums| {
            let generator = self.generator(sums);
            let mut multiples = vec![Entry::default(); points.len() * ladder::WINDOW.values()];
            let mut of_each: Vec<&mut [Entry]> = multiples.chunks_exact_mut(ladder::WINDOW.values()).collect();
            let lowest_position = Window { count: 1, ..ladder::WINDOW };
            // SAFETY: see above.
            unsafe {
                (kernels.fill)(points, lowest_position, &mut of_each, sums);
                let multipliers = (kernels.multipliers)(claims, ladder::WINDOW);
                let climbed = (kernels.climb)(&multiples, &multipliers.u2);
                let mut rows = Rows::new(2 + GENERATOR_WINDOW.count, claims.len());
                (kernels.place_ladder)(&mut rows, &climbed, &multiples, &multipliers.u2);
                (kernels.place_digits)(&mut rows, 2, &multipliers.u1, &[generator]);
                (kernels.conclude)(&rows, claims, valid, sums);
            }
        });
    }
}

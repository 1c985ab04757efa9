// SPDX-License-Identifier: Apache-2.0
//! The algorithm, compiled once for each kind of arithmetic.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::batch::{self, Claim, GENERATOR, GENERATOR_WINDOW, KEY_WINDOW, Workspace};
use super::digits::Window;
use super::field::Field;
#[cfg(target_arch = "x86_64")]
use super::ifma::Lanes8;
use super::portable::Scalar64;
#[cfg(target_arch = "x86_64")]
use super::simd;
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

type Build<F> = unsafe fn(&[Entry], Window, &mut Workspace<F>) -> Vec<Table>;
type VerifyTabled<F> = unsafe fn(&Table, &[Claim], &[&Table], &mut [bool], &mut Workspace<F>);
type VerifyUntabled<F> = unsafe fn(&Table, &[Claim], &[Entry], &mut [bool], &mut Workspace<F>);

/// The algorithm's entry points, compiled for some field and some instructions, and what they remember.
struct Engine<F> {
    build: Build<F>,
    verify_tabled: VerifyTabled<F>,
    verify_untabled: VerifyUntabled<F>,
    /// The generator's table, built when first needed.
    generator: OnceLock<Table>,
    /// Workspaces that wait for their next batch: as many as there have been batches at the same time.
    idle: Mutex<Vec<Workspace<F>>>,
}

macro_rules! engine {
    ($(#[$attribute:meta])* $name:ident: $field:ty $(, $features:literal)?) => {
        $(#[$attribute])*
        static $name: Engine<$field> = {
            $(#[target_feature(enable = $features)])?
            fn build(points: &[Entry], window: Window, work: &mut Workspace<$field>) -> Vec<Table> {
                table::build(points, window, &mut work.sums)
            }
            $(#[target_feature(enable = $features)])?
            fn verify_tabled(
                generator: &Table,
                claims: &[Claim],
                tables: &[&Table],
                valid: &mut [bool],
                work: &mut Workspace<$field>,
            ) {
                batch::verify_tabled(generator, claims, tables, valid, work);
            }
            $(#[target_feature(enable = $features)])?
            fn verify_untabled(
                generator: &Table,
                claims: &[Claim],
                points: &[Entry],
                valid: &mut [bool],
                work: &mut Workspace<$field>,
            ) {
                batch::verify_untabled(generator, claims, points, valid, work);
            }
            let generator = OnceLock::new();
            Engine { build, verify_tabled, verify_untabled, generator, idle: Mutex::new(Vec::new()) }
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

impl<F: Field> Engine<F> {
    fn with_workspace<R>(&self, work: impl FnOnce(&mut Workspace<F>) -> R) -> R {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = idle.unwrap_or_else(Workspace::new);
        let result = work(&mut workspace);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        result
    }

    fn generator(&self, work: &mut Workspace<F>) -> &Table {
        self.generator.get_or_init(|| {
            // SAFETY: `portable` and `ifma` hand an engine out only where the machine has its features.
            unsafe { (self.build)(&[GENERATOR], GENERATOR_WINDOW, work) }.remove(0)
        })
    }
}

impl<F: Field> Arithmetic for Engine<F> {
    fn build(&self, points: &[Entry]) -> Vec<Table> {
        // SAFETY: `portable` and `ifma` hand an engine out only where the machine has its features.
        self.with_workspace(|work| unsafe { (self.build)(points, KEY_WINDOW, work) })
    }

    fn verify_tabled(&self, claims: &[Claim], tables: &[&Table], valid: &mut [bool]) {
        self.with_workspace(|work| {
            let generator = self.generator(work);
            // SAFETY: as in `build`.
            unsafe { (self.verify_tabled)(generator, claims, tables, valid, work) };
        });
    }

    fn verify_untabled(&self, claims: &[Claim], points: &[Entry], valid: &mut [bool]) {
        self.with_workspace(|work| {
            let generator = self.generator(work);
            // SAFETY: as in `build`.
            unsafe { (self.verify_untabled)(generator, claims, points, valid, work) };
        });
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The engine.

#![allow(
    clippy::inline_always,
    reason = "instructions reach only code that is inlined into functions compiled for them"
)]
#![allow(clippy::large_types_passed_by_value, reason = "after inlining they are in registers")]
#![allow(clippy::many_single_char_names, reason = "formulas keep the letters of the papers they come from")]

mod batch;
mod digits;
mod engines;
mod field;
#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod ifma_scalar;
mod inverse;
mod ladder;
#[cfg(target_arch = "x86_64")]
mod lanes8;
mod limbs;
mod point;
mod portable;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
mod sum;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use batch::{CHUNK, Claim};
pub(crate) use engines::{Arithmetic, ifma, portable};
pub(crate) use table::{Entry as Point, Table};

use limbs::from_be_bytes;
use portable::Field1;

/// Bytes of a key's table.
pub(crate) const TABLE_BYTES: usize = Table::bytes(batch::KEY_WINDOW);

/// The point with these coordinates, x ‖ y, if the curve has one.
pub(crate) fn point(coordinates: &[u8; 64]) -> Option<Point> {
    let (x, y) = coordinates.split_at(32);
    let point = Point { x: from_be_bytes(x.try_into().ok()?), y: from_be_bytes(y.try_into().ok()?) };
    point::is_on_curve::<Field1>(&point).then_some(point)
}

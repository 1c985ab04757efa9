// SPDX-License-Identifier: Apache-2.0
//! Verifying many ECDSA signatures over P-256 at once.
//!
//! A signature (r, s) of a digest e is good for a key Q if the point u₁·G + u₂·Q, with u₁ = e/s and u₂ = r/s modulo the
//! group order n, has an x that is r modulo n (FIPS 186-5, 6.4.2). A library does this for one signature at a time and
//! any key. In a permissioned ledger nothing about verification is secret, the same few keys sign very many
//! signatures, and signatures come in blocks. Each of the three takes work away.
//!
//! **Scalars.** All s of a batch are inverted with one inversion ([`scalar`]). u₁ and u₂ are cut into odd signed digits
//! ([`digits`]): never zero, no carries, the same number for every scalar, so that all signatures do the same steps.
//!
//! **Tables.** For G, and for a key that has earned it, the multiples (2j + 1)·2^(w·i) for every digit are in a table
//! ([`table`]). Then u₁·G + u₂·Q is a sum of 52 points that are there already: no doublings at all.
//!
//! **Sums.** Points are added in affine coordinates ([`sum`]). That needs a division for each addition, but one
//! inversion serves all additions that do not wait for each other, for three multiplications each. So a batch keeps
//! several running sums for each signature, adds a table point to every one of them in each round, and at the end folds
//! them together. The last addition is not carried out: whether its x is r can be told without a division
//! ([`batch`]). About 51·6 multiplications make a verification, where a library takes some 3,000.
//!
//! **Lanes.** The algorithm is written once, over a [`field::Field`] whose values hold one element ([`mod@portable`]), or
//! several: in limbs of 52-bit integers ([`mod@ifma`]) or of doubles ([`f52`]). It is compiled for each ([`engines`]).
//! Signatures fill the lanes side by side.
//!
//! **Keys without a table.** u₂·Q is climbed by doublings ([`ladder`]), as many keys as there are lanes; all but the last
//! step, which joins the sum of the points of u₁·G. It takes six to eight times as long as with a table: of the library's
//! time an eighth with IFMA, and less than half with four lanes of doubles. With a single lane there is nothing to gain
//! on the library, which is asked instead.
//!
//! **Edges.** r and s out of range never get here ([`Claim::new`]). Equal or opposite points, and infinity, make a
//! denominator zero, which shows in the round's one inversion; the round is done again by complete formulas. However
//! a batch was crafted, it costs less than twice the usual. A point's x may be r + n where that is below p; such an r
//! nobody meets by chance, and it is compared once more.
//!
//! Nothing here runs in constant time, and nothing may ever be used to sign.

#![allow(
    clippy::inline_always,
    reason = "instructions reach only code that is inlined into functions compiled for them"
)]
#![allow(clippy::large_types_passed_by_value, reason = "after inlining they are in registers")]
#![allow(clippy::many_single_char_names, reason = "formulas keep the letters of the papers they come from")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
#[cfg(target_arch = "x86_64")]
mod columns;
mod digits;
#[cfg(target_arch = "x86_64")]
mod doubles;
mod engines;
#[cfg(target_arch = "x86_64")]
mod f52;
mod field;
#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod ifma_scalar;
mod inverse;
mod ladder;
mod lanes;
mod limbs;
#[cfg(target_arch = "x86_64")]
mod limbs52;
mod order;
mod point;
mod portable;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod scalar_lanes;
mod sum;
mod table;
#[cfg(test)]
mod tests;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod vex;
#[cfg(target_arch = "x86_64")]
mod words;
#[cfg(target_arch = "x86_64")]
mod words4;
#[cfg(target_arch = "x86_64")]
mod words8;

pub(crate) use batch::{CHUNK, Claim};
#[cfg(test)]
use engines::avx_ifma_by_avx512;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
use engines::avx_ifma_played;
pub(crate) use engines::{Arithmetic, avx_ifma, avx2, avx512, ifma, portable};
pub(crate) use lanes::Entry as Point;
pub(crate) use table::Table;

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

// SPDX-License-Identifier: Apache-2.0
//! What fills lanes: points as they lie in memory, signs, and anything else by vectors.

use fastledger_pages::Plain;

use super::limbs::Limbs;

/// One bit for each lane, lane 0 lowest.
pub(crate) type Mask = u8;

/// An affine point, one cache line: in an engine's own Montgomery form, or of plain coordinates where said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Entry {
    pub(crate) x: Limbs,
    pub(crate) y: Limbs,
}

// SAFETY: eight integers without gaps between them.
unsafe impl Plain for Entry {}

/// The first eight of some things; the last one stands in for those missing.
pub(crate) fn vector<T>(things: &[T]) -> [&T; 8] {
    std::array::from_fn(|i| &things[i.min(things.len() - 1)])
}

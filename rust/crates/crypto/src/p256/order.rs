// SPDX-License-Identifier: Apache-2.0
//! The group order n, and plain numbers beside it.

use super::limbs::{self, Limbs};

/// The order of P-256's group (SP 800-186, 3.2.1.3).
pub(crate) const ORDER: Limbs =
    [0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000];

/// Whether 0 < k < n.
pub(crate) fn in_range(k: &Limbs) -> bool {
    *k != [0; 4] && limbs::less(k, &ORDER)
}

/// n − k, for k up to n.
pub(crate) fn negate(k: &Limbs) -> Limbs {
    limbs::sub(&ORDER, k).0
}

// SPDX-License-Identifier: Apache-2.0
//! What is found of the data, and written into blocks.

/// What a block is made of.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    Literal(u8),
    Match(Match),
}

/// Bytes that stand `distance` bytes before as well.
#[derive(Clone, Copy)]
pub(crate) struct Match {
    pub length: usize,
    pub distance: usize,
}

// SPDX-License-Identifier: Apache-2.0
//! Decides which transactions of a block read what is still true, and what the valid ones change.

#![forbid(unsafe_code)]

pub mod state;

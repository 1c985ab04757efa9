// SPDX-License-Identifier: Apache-2.0
//! A chaincode's end of its streams (Fabric: the shims' `handler`).
//!
//! ```text
//!  created ── REGISTERED ──▶ established ── READY ──▶ ready ── stream ends ──▶ over
//! ```
//!
//! A chaincode dials its peer, or peers dial it. Either way the messages of all streams are read as they come: what
//! is no transaction is dealt with at once, and an answer wakes the very thread that waits for it. Threads take the
//! transactions, whose callers take turns.

#![forbid(unsafe_code)]

mod asked;
mod message;
mod peers;
mod shared;
mod transaction;
mod turns;
mod way;

pub use asked::Answer;
pub use peers::Peers;
pub use transaction::Transaction;

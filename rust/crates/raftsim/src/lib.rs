// SPDX-License-Identifier: Apache-2.0
//! Whole Raft clusters in one thread, from a 64-bit seed.
//!
//! Time is a number, the network a queue of messages, a disk a table of bytes. Members are the product's own state machine and
//! log; above them stands a chain of blocks as an orderer keeps it. A seed says how many members there are, which faults occur and how
//! often, and when each of them strikes; what must hold in spite of them is checked after every step. A seed that fails does so
//! again whenever it is run.
//!
//! ```text
//! World ── time, faults, who gets what when
//!   ├─ Network    messages that are late, lost, doubled, cut off
//!   ├─ Member     Node + RaftLog + Chain, in the steps of their work; may stop between any two
//!   │    └─ SimDisk    what was not synced may be lost, in sectors; may be full, may fail
//!   └─ Laws       what must hold
//! ```
//!
//! It follows `TigerBeetle`'s VOPR and `FoundationDB`'s simulation in manner.

#![forbid(unsafe_code)]

mod chain;
mod disk;
mod faults;
mod laws;
mod member;
mod network;
mod world;

pub use faults::Counts;
pub use laws::Broken;
pub use world::{Outcome, run};

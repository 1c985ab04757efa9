// SPDX-License-Identifier: Apache-2.0
//! Simulates transactions: what they read of one state, and what they would write.
//!
//! Fabric: `core/ledger/kvledger/txmgmt/txmgr/tx_simulator.go` and `rwsetutil`. Several peers endorse one transaction,
//! and their endorsements count only when the bytes of its read-write sets are equal.

#![forbid(unsafe_code)]

mod failure;
mod results;
mod rwset;
mod scan;
mod simulation;
mod state;

pub use failure::{Failure, Result};
pub use results::RangeResults;
pub use rwset::{Metadata, RangeRead, ReadWriteSet};
pub use scan::RangeScan;
pub use simulation::Simulation;
pub use state::{Page, Row, State};

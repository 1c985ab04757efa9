// SPDX-License-Identifier: Apache-2.0
//! Log records and counters of the core, kept until somebody fetches them.
//!
//! ```text
//!  any thread of the core ── log::warn! ──► throttle ──► queue ──► take: one thread, which hands them to Python
//!                         └─ metrics::counter! ──► counters ──► values: whoever is asked for metrics
//! ```
//!
//! The crates that speak know the facades `log` and `metrics` alone. Whoever speaks never waits for whoever listens.

#![forbid(unsafe_code)]

mod counters;
mod records;
mod throttle;

pub use counters::{Counted, Counters};
pub use records::{MAX_RECORDS, Record, Records};

use std::sync::LazyLock;

static RECORDS: LazyLock<Records> = LazyLock::new(Records::default);
static COUNTERS: LazyLock<Counters> = LazyLock::new(Counters::default);

/// Has this process's [`records`] and [`counters`] get all that is said and counted from now on.
pub fn start() {
    // It fails where they have it all already.
    drop(metrics::set_global_recorder(&*COUNTERS));
    if log::set_logger(&*RECORDS).is_ok() {
        records::describe_metrics();
    }
}

/// This process's records.
#[must_use]
pub fn records() -> &'static Records {
    &RECORDS
}

/// This process's counters.
#[must_use]
pub fn counters() -> &'static Counters {
    &COUNTERS
}

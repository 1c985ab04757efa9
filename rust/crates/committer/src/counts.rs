// SPDX-License-Identifier: Apache-2.0
//! What is counted for operators.

use metrics::{counter, describe_counter};

/// Flushes that failed.
pub(crate) const FLUSH_FAILURES: &str = "ledger_flush_failures";

/// Times that what is derived from the blocks was made again.
pub(crate) const REBUILDS: &str = "ledger_rebuilds";

/// Describes the counters to the metrics recorder, and begins them at 0.
pub fn describe_metrics() {
    describe_counter!(FLUSH_FAILURES, "Times that state, history and index of stored blocks could not be written.");
    describe_counter!(REBUILDS, "Times that state, history and index were made again from the blocks.");
    [FLUSH_FAILURES, REBUILDS].into_iter().for_each(|name| counter!(name).increment(0));
}

// SPDX-License-Identifier: Apache-2.0
//! What the core says and counts, for Python.

use std::time::UNIX_EPOCH;

use fastledger_telemetry::{Counted, Record};
use log::{Level, LevelFilter};
use pyo3::prelude::*;

/// Takes all that the core says and counts from now on.
pub(crate) fn start() {
    fastledger_telemetry::start();
    fastledger_defect::watch();
    fastledger_defect::describe_metrics();
    fastledger_comm::describe_metrics();
    fastledger_committer::describe_metrics();
}

pub(crate) fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(counters, module)?)?;
    module.add_function(wrap_pyfunction!(log_open, module)?)?;
    module.add_function(wrap_pyfunction!(log_close, module)?)?;
    module.add_function(wrap_pyfunction!(log_take, module)?)?;
    module.add_function(wrap_pyfunction!(log_level, module)?)
}

/// Name, text, labels and value of every counter.
#[pyfunction]
fn counters() -> Vec<(String, String, Vec<(String, String)>, u64)> {
    let values = fastledger_telemetry::counters().values().into_iter();
    values.map(|Counted { name, text, labels, value }| (name, text, labels, value)).collect()
}

#[pyfunction]
fn log_open() {
    fastledger_telemetry::records().open();
}

#[pyfunction]
fn log_close() {
    fastledger_telemetry::records().close();
}

/// Level, logger, text, file, line and time of what was said; waits for something.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "plain tuples are what Python gets")]
fn log_take(py: Python<'_>) -> Vec<(u8, String, String, &'static str, u32, f64)> {
    let records = py.detach(|| fastledger_telemetry::records().take());
    let plain = |Record { level, logger, text, file, line, at }| {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        (number(level), logger, text, file, line, at)
    };
    records.into_iter().map(plain).collect()
}

/// Takes in what is said at a level of Python's `logging`, or more loudly.
#[pyfunction]
fn log_level(level: u8) {
    let quietest = [Level::Debug, Level::Info, Level::Warn].into_iter().find(|one| number(*one) >= level);
    fastledger_telemetry::records().set_level(quietest.map_or(LevelFilter::Error, |level| level.to_level_filter()));
}

/// A level by its number in Python's `logging`.
fn number(level: Level) -> u8 {
    match level {
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        Level::Debug | Level::Trace => 10,
    }
}

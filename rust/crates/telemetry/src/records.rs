// SPDX-License-Identifier: Apache-2.0
//! Log records on their way out of the core.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use log::{Level, LevelFilter, Log, Metadata};

use crate::throttle::{More, Place, SECOND, Throttle};

/// Most records that wait; more are dropped and counted. With [`MAX_TEXT_BYTES`] it bounds their memory to 4 MiB.
pub const MAX_RECORDS: usize = 1_024;

/// Longest text of a record.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// Crates whose records are told: this project's and its extension module, not their dependencies'.
const OURS: [&str; 2] = ["fastledger_", "_core"];

/// Records that found no room.
const DROPPED: &str = "core_log_records_dropped";

/// What is said, where, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How loudly.
    pub level: Level,
    /// The logger, by Fabric's name for it where Fabric has one.
    pub logger: String,
    /// What is said.
    pub text: String,
    /// The source file.
    pub file: &'static str,
    /// Its line.
    pub line: u32,
    /// When.
    pub at: SystemTime,
}

/// Records that wait for whoever listens.
#[derive(Debug, Default)]
pub struct Records {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Record>,
    throttle: Throttle,
    level: LevelFilter,
    open: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), throttle: Throttle::default(), level: LevelFilter::Info, open: false }
    }
}

impl Records {
    /// Waits for records and takes them; none once they were closed and all are taken.
    pub fn take(&self) -> Vec<Record> {
        let mut state = self.lock();
        loop {
            state.settle();
            if !state.open || !state.waiting.is_empty() {
                return state.waiting.drain(..).collect();
            }
            state = if state.throttle.owes() {
                self.came.wait_timeout(state, SECOND).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.came.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Says that somebody will listen; until then nothing is taken in.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        log::set_max_level(state.level);
    }

    /// Says that nobody will listen any more.
    pub fn close(&self) {
        self.lock().open = false;
        log::set_max_level(LevelFilter::Off);
        self.came.notify_all();
    }

    /// Takes in what is said at a level, or more loudly.
    pub fn set_level(&self, level: LevelFilter) {
        let mut state = self.lock();
        state.level = level;
        if state.open {
            log::set_max_level(level);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, record: Record) {
        if self.waiting.len() < MAX_RECORDS {
            self.waiting.push_back(record);
        } else {
            metrics::counter!(DROPPED).increment(1);
        }
    }

    /// Tells how many lines were not told in the seconds that are over.
    fn settle(&mut self) {
        for More { place, logger, lines } in self.throttle.ended(Instant::now()) {
            let text = format!("{lines} more in the last second like the line before from here");
            let Place { level, file, line } = place;
            self.push(Record { level, logger, text, file, line, at: SystemTime::now() });
        }
    }
}

impl Log for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        let ours = record.module_path().is_some_and(|path| OURS.iter().any(|ours| path.starts_with(ours)));
        if !ours || !self.enabled(record.metadata()) {
            return;
        }
        let (level, logger) = (record.level(), record.target());
        let place = Place { level, file: record.file_static().unwrap_or_default(), line: record.line().unwrap_or(0) };
        let mut state = self.lock();
        state.settle();
        if !state.throttle.admits(place, logger, Instant::now()) {
            self.came.notify_one();
            return;
        }
        // The text is made while others wait: it is short, and there are few.
        let text = shortened(record.args().to_string());
        let Place { file, line, .. } = place;
        state.push(Record { level, logger: logger.to_owned(), text, file, line, at: SystemTime::now() });
        self.came.notify_one();
    }

    fn flush(&self) {}
}

/// Describes the counter to the metrics recorder, and begins it at 0.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!(DROPPED, "Log records of the core that were dropped because too many waited.");
    metrics::counter!(DROPPED).increment(0);
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(records: &Records, line: u32, text: &str) {
        let mut record = log::Record::builder();
        let record = record.level(Level::Warn).target("core.comm").module_path(Some("fastledger_comm::host"));
        records.log(&record.file_static(Some("host.rs")).line(Some(line)).args(format_args!("{text}")).build());
    }

    fn texts(records: &Records) -> Vec<String> {
        records.take().into_iter().map(|record| record.text).collect()
    }

    #[test]
    fn records_come_in_order_and_no_more_than_there_is_room_for() {
        let (records, counters) = (Records::default(), crate::Counters::default());
        records.open();
        metrics::with_local_recorder(&counters, || {
            (0..1_100).for_each(|number| say(&records, number, &number.to_string()));
        });
        assert_eq!(counters.values()[0].value, 1_100 - 1_024);
        let taken = texts(&records);
        assert_eq!(taken, (0..1_024).map(|number| number.to_string()).collect::<Vec<_>>());
        say(&records, 0, &"é".repeat(MAX_TEXT_BYTES));
        assert_eq!(texts(&records)[0].len(), MAX_TEXT_BYTES + 3);
    }

    #[test]
    fn what_a_flood_leaves_untold_is_told_by_number_a_second_later() {
        let records = Records::default();
        records.open();
        (0..50).for_each(|_| say(&records, 7, "again"));
        assert_eq!(texts(&records), ["again"; 10]);
        assert_eq!(texts(&records), ["40 more in the last second like the line before from here"]);
    }

    #[test]
    fn whoever_listens_is_let_go() {
        let records = Records::default();
        records.lock().open = true;
        std::thread::scope(|scope| {
            let listens = scope.spawn(|| records.take());
            records.lock().open = false;
            records.came.notify_all();
            assert!(listens.join().is_ok_and(|taken| taken.is_empty()));
        });
    }
}

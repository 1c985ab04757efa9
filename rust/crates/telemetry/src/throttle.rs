// SPDX-License-Identifier: Apache-2.0
//! Keeps what strangers can bring about from filling the log: of each place in the code a few lines a second.

use std::time::{Duration, Instant};

use log::Level;
use rustc_hash::FxHashMap;

/// Lines of one place that are told in a second; an operator sees what happens, and a flood of bad handshakes costs
/// no more than a few kilobytes a second.
pub(crate) const LINES_A_SECOND: u64 = 10;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Where a line comes from. There are as many as log calls in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) level: Level,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

#[derive(Debug)]
struct Window {
    begun: Instant,
    lines: u64,
    logger: String,
}

#[derive(Debug, Default)]
pub(crate) struct Throttle(FxHashMap<Place, Window>);

/// Lines that were not told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) place: Place,
    pub(crate) logger: String,
    pub(crate) lines: u64,
}

impl Throttle {
    /// Counts a line; whether to tell it.
    pub(crate) fn admits(&mut self, place: Place, logger: &str, now: Instant) -> bool {
        let window = self.0.entry(place).or_insert_with(|| Window { begun: now, lines: 0, logger: logger.to_owned() });
        window.lines += 1;
        window.lines <= LINES_A_SECOND
    }

    /// Ends the seconds that are over; returns what was not told in them.
    pub(crate) fn ended(&mut self, now: Instant) -> Vec<More> {
        let over = |_: &Place, window: &mut Window| now.saturating_duration_since(window.begun) >= SECOND;
        let more = |(place, window): (Place, Window)| {
            let lines = window.lines.saturating_sub(LINES_A_SECOND);
            (lines > 0).then_some(More { place, logger: window.logger, lines })
        };
        self.0.extract_if(over).filter_map(more).collect()
    }

    /// Whether any lines are owed.
    pub(crate) fn owes(&self) -> bool {
        self.0.values().any(|window| window.lines > LINES_A_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_few_lines_a_second_and_the_rest_is_counted() {
        let now = Instant::now();
        let noisy = Place { level: Level::Error, file: "host.rs", line: 1 };
        let quiet = Place { line: 2, ..noisy };
        let mut throttle = Throttle::default();
        let told = (0..1_000).filter(|_| throttle.admits(noisy, "core.comm", now)).count() as u64;
        assert_eq!(told, LINES_A_SECOND);
        assert!(throttle.admits(quiet, "core.comm", now) && throttle.owes());
        assert_eq!(throttle.ended(now), []);
        let more = More { place: noisy, logger: "core.comm".to_owned(), lines: 1_000 - LINES_A_SECOND };
        assert_eq!(throttle.ended(now + SECOND), [more]);
        assert!(!throttle.owes() && throttle.admits(noisy, "core.comm", now + SECOND));
    }
}

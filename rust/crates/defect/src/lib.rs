// SPDX-License-Identifier: Apache-2.0
//! Panics, which are defects of this program, as values that say what and where.
//!
//! A panic is told in the log and counted where it happens, on whatever thread; whoever waits for the work that
//! panicked gets a [`Defect`].

#![forbid(unsafe_code)]

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

/// The logger that tells of panics.
const LOGGER: &str = "core";

/// How many panics there were.
const PANICS: &str = "core_panics";

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What it said.
    pub text: String,
    /// The source file and line.
    pub place: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "a defect of fastledger, please report it: {}, at {}", self.text, self.place)
    }
}

impl std::error::Error for Defect {}

impl Defect {
    /// A defect that is no panic: what cannot be, here.
    #[must_use]
    #[track_caller]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), place: place(Location::caller()) }
    }

    /// Goes on panicking, on another thread than the first one; [`catch`] gives the same defect.
    pub fn resume(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`; a panic in it becomes a value.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Defect> {
    watch();
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| match panic.downcast::<Defect>() {
        Ok(defect) => *defect,
        Err(panic) => Defect { text: text(&*panic), place: PLACE.take() },
    })
}

/// Describes the counter to the metrics recorder, and begins it at 0.
pub fn describe_metrics() {
    metrics::describe_counter!(PANICS, "Panics of the core: defects of fastledger.");
    metrics::counter!(PANICS).increment(0);
}

/// Has every panic of this process told in the log, and counted. Where nothing takes log records, panics are told as
/// they were before.
pub fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            tell(panic);
            if log::max_level() == log::LevelFilter::Off {
                before(panic);
            }
        }));
    });
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(place).unwrap_or_default();
    let defect = Defect { text: text(panic.payload()), place };
    metrics::counter!(PANICS).increment(1);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
    log::error!(target: LOGGER, "thread {thread} panicked: {defect}{trace}");
    PLACE.set(defect.place);
}

fn place(at: &Location<'_>) -> String {
    format!("{}:{}", at.file(), at.line())
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_and_where() {
        let line = line!() + 1;
        let caught = catch(|| assert!(line == 0, "line {line}, not 0"));
        let defect = Defect { text: format!("line {line}, not 0"), place: format!("{}:{line}", file!()) };
        assert_eq!(caught, Err(defect.clone()));
        assert_eq!(
            defect.to_string(),
            format!("a defect of fastledger, please report it: line {line}, not 0, at {}:{line}", file!())
        );
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn a_defect_keeps_its_place_on_the_way_to_another_thread() {
        let there = std::thread::spawn(|| catch(|| panic!("there"))).join();
        let Ok(Err(defect)) = there else { unreachable!("it panicked, and was caught") };
        let here: Result<(), _> = catch(|| defect.clone().resume());
        assert_eq!(here, Err(defect));
    }
}

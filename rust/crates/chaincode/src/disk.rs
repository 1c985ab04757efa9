// SPDX-License-Identifier: Apache-2.0
//! Notices that reading the state waits for the disk.
//!
//! The state is mapped memory: what is not in it is fetched while whoever reads stands still. On the thread of the
//! transport that may happen once; then the reads that follow go where waiting holds up nobody else.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A read in memory takes microseconds; what takes longer may have waited, for the disk or for a processor.
const SLOW: Duration = Duration::from_millis(1);

/// Requests that are answered elsewhere after one that waited for the disk: what is cold comes in numbers, and by then
/// it is warm.
const ELSEWHERE: u32 = 256;

/// Where, after its name and its state, `/proc/thread-self/stat` has the page faults that needed the disk
/// (`proc_pid_stat(5)`: field 12, of which the state is field 3).
const MAJOR_FAULTS: usize = 9;

thread_local! {
    static FAULTS: Cell<u64> = const { Cell::new(0) };
}

/// Whether requests are better answered elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    elsewhere: AtomicU32,
}

impl Disk {
    /// Whether the next request is better answered elsewhere; each counts.
    pub(crate) fn is_slow(&self) -> bool {
        let spend = |left: u32| left.checked_sub(1);
        self.elsewhere.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Works, and notices whether that waited for the disk.
    pub(crate) fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        if began.elapsed() > SLOW {
            let faults = major_faults();
            if FAULTS.replace(faults) < faults {
                self.elsewhere.store(ELSEWHERE, Ordering::Relaxed);
            }
        }
        done
    }
}

/// Page faults of this thread that needed the disk; 0 where the system does not say.
fn major_faults() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let fields = told.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(MAJOR_FAULTS).and_then(|field| field.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_faults() {
        let told = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
        let name = told.rfind(')').expect("the name is in brackets");
        assert_eq!(told[name..].split_whitespace().nth(1 + MAJOR_FAULTS), Some(major_faults().to_string().as_str()));
    }

    #[test]
    fn what_follows_a_read_of_the_disk_is_done_elsewhere() {
        let disk = Disk::default();
        assert_eq!(disk.watch(|| 1), 1);
        assert!(!disk.is_slow());
        disk.elsewhere.store(2, Ordering::Relaxed);
        assert_eq!([disk.is_slow(), disk.is_slow(), disk.is_slow()], [true, true, false]);
    }
}

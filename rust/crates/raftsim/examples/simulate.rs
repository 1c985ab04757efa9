// SPDX-License-Identifier: Apache-2.0
//! Runs seeds: `simulate SEEDS [FIRST]`, or one that tells of itself: `simulate --seed SEED`.
//!
//! Prints what happened how often, and each seed under which a law did not hold, with the law; then it fails.

use std::env::args;
use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::{SystemTime, UNIX_EPOCH};

use fastledger_raftsim::{Broken, Counts, run};

/// What came of a seed, a panic too.
fn outcome(seed: u64) -> (Counts, Option<Broken>) {
    match catch_unwind(|| run(seed, false)) {
        Ok(outcome) => (outcome.counts, outcome.broken),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            (Counts::default(), Some(Broken(format!("panic: {}", text.unwrap_or_default()))))
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    if let [flag, seed] = arguments.as_slice()
        && flag == "--seed"
    {
        let outcome = run(seed.parse().expect("a seed is a number"), true);
        print!("{}", outcome.counts);
        let Some(broken) = outcome.broken else { return ExitCode::SUCCESS };
        println!("{broken}");
        return ExitCode::FAILURE;
    }
    let number = |place: usize| arguments.get(place).map(|text| text.parse().expect("seeds are counted in numbers"));
    let seeds: u64 = number(0).unwrap_or(1000);
    // Other seeds each time, unless it is said where to begin.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first: u64 = number(1).unwrap_or_else(|| u64::from(now.subsec_nanos()) << 32 | now.as_secs());
    set_hook(Box::new(|_| {}));
    let (next, total, failed) = (AtomicU64::new(0), Mutex::new(Counts::default()), AtomicU64::new(0));
    scope(|threads| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                let mut counts = Counts::default();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= seeds {
                        break;
                    }
                    let seed = first.wrapping_add(place);
                    let (counted, broken) = outcome(seed);
                    counts += counted;
                    if let Some(broken) = broken {
                        failed.fetch_add(1, Ordering::Relaxed);
                        println!("seed {seed} fails: {broken}");
                    }
                }
                if let Ok(mut total) = total.lock() {
                    *total += counts;
                }
            });
        }
    });
    let failed = failed.into_inner();
    print!("{}", total.into_inner().unwrap_or_default());
    println!("{seeds} seeds from {first}: {failed} fail");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

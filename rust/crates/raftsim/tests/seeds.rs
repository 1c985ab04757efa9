// SPDX-License-Identifier: Apache-2.0
//! A few seeds in every run of the tests, and those that failed once.

use fastledger_raftsim::{Counts, run};

/// Seeds that failed while this was built; each found something.
const FOUND: &[u64] = &[];

fn runs(seed: u64) -> Counts {
    let outcome = run(seed, false);
    assert_eq!(outcome.broken, None, "seed {seed}");
    outcome.counts
}

#[test]
fn what_must_hold_does_under_every_fault() {
    let mut counts = Counts::default();
    for seed in 0..300 {
        counts += runs(seed);
    }
    println!("{counts}");
    let least = [
        counts.crashes,
        counts.crashes_within_writes,
        counts.torn_ends,
        counts.writes_refused_full,
        counts.syncs_failed,
        counts.partitions,
        counts.members_added,
        counts.members_removed,
        counts.transfers,
        counts.snapshots_restored,
        counts.blocks_lost_unsynced,
    ];
    assert!(least.iter().all(|count| *count >= 10), "some faults hardly occur: {counts}");
}

#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    for seed in FOUND {
        runs(*seed);
    }
}

#[test]
fn a_seed_does_the_same_each_time() {
    assert_eq!(runs(7), runs(7));
}

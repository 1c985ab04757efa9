// SPDX-License-Identifier: Apache-2.0
//! A few seeds in every run of the tests; `make simulate` runs as many as one likes. A seed that fails gets a test of its own here.

use fastledger_raftsim::{Counts, run};

fn runs(seed: u64) -> Counts {
    let outcome = run(seed, false);
    assert_eq!(outcome.broken, None, "seed {seed}");
    outcome.counts
}

#[test]
fn what_must_hold_does_under_every_fault() {
    let mut counts = Counts::default();
    for seed in 0..150 {
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
fn a_seed_does_the_same_each_time() {
    assert_eq!(runs(7), runs(7));
}

/// The five that failed of 20,000: a log taken for damaged after a crash, members that no new block reaches once the
/// membership changed, and a leader without a committed entry.
#[test]
#[ignore = "these seeds fail still: run them with --ignored to mend them"]
fn seeds_that_fail() {
    for seed in [
        3_643_981_733_261_300_202,
        3_643_981_733_261_301_571,
        3_643_981_733_261_304_521,
        3_643_981_733_261_305_056,
        3_643_981_733_261_308_863,
    ] {
        runs(seed);
    }
}

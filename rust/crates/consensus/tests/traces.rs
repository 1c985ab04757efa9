// SPDX-License-Identifier: Apache-2.0
//! etcd's interaction traces (`testdata/*.txt` of `go.etcd.io/raft` v3.6.0, see `tests/vectors/raft`): clusters that are told
//! what to do, and say what they send, save and apply. Lines that etcd logs are left out of the comparison; messages, hard
//! states, entries, snapshots, progress and states are not.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod cluster;
mod datadriven;

use cluster::Cluster;
use datadriven::{commands, files};

/// Traces that are not played, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("async_storage_writes", "storage is written by ready and advance, not by messages to threads"),
    ("async_storage_writes_append_aba_race", "storage is written by ready and advance, not by messages to threads"),
    ("campaign_learner_must_vote", "there are no learners"),
    ("confchange_disable_validation", "changes of members are always checked when they are proposed"),
    ("confchange_v2_add_double_auto", "there are no joint configurations"),
    ("confchange_v2_add_double_implicit", "there are no joint configurations"),
    ("confchange_v2_add_single_auto", "there are no changes of more than one member, nor their entries"),
    ("confchange_v2_add_single_explicit", "there are no joint configurations"),
    ("confchange_v2_replace_leader", "there are no joint configurations"),
    ("confchange_v2_replace_leader_stepdown", "there are no joint configurations"),
    ("forget_leader", "no leader is forgotten on demand"),
    ("forget_leader_prevote_checkquorum", "no leader is forgotten on demand"),
    ("forget_leader_read_only_lease_based", "there are no reads by index"),
];

/// Leaves out what etcd's logger said, and the `ok` of a command that says nothing else.
fn essence(text: &str) -> String {
    let logged = |line: &str| {
        let line = line.trim_start();
        ["DEBUG ", "INFO ", "WARN ", "ERROR "].iter().any(|level| line.starts_with(level)) || line == "ok"
    };
    text.lines().filter(|line| !logged(line)).fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

#[test]
fn clusters_do_what_etcds_do() {
    let mut played = 0;
    for file in files("interaction") {
        let mut cluster = Cluster::default();
        for command in commands(&file) {
            let said = cluster.run(&command);
            assert_eq!(essence(&said), essence(&command.expected), "{}: {}", command.place, command.name);
            played += 1;
        }
    }
    assert!(played > 150, "only {played} commands");
}

#[test]
fn each_trace_is_played_or_left_out_for_a_reason() {
    let kept: Vec<_> =
        files("interaction").iter().map(|path| path.file_stem().unwrap().display().to_string()).collect();
    assert_eq!(kept.len() + LEFT_OUT.len(), 28, "etcd's release has 28 traces");
    assert!(LEFT_OUT.iter().all(|(name, reason)| !kept.contains(&(*name).to_owned()) && !reason.is_empty()));
}

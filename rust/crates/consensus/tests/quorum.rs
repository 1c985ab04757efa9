// SPDX-License-Identifier: Apache-2.0
//! Majorities as etcd's (`quorum/testdata`). Its files of joint majorities do not apply: there are none here.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod datadriven;

use datadriven::{Command, commands, files};
use fastledger_consensus::{committed_index, vote_result};

fn answer(command: &Command) -> String {
    match command.name.as_str() {
        "vote" => {
            let vote = |vote: &String| match vote.as_str() {
                "y" => Some(true),
                "n" => Some(false),
                _ => None,
            };
            format!("Vote{:?}", vote_result(command.values("votes").iter().map(vote)))
        }
        "committed" => {
            let index = |index: &String| index.parse().unwrap_or(0);
            match committed_index(command.values("idx").iter().map(index)) {
                u64::MAX => "∞".to_owned(),
                index => index.to_string(),
            }
        }
        other => panic!("{}: {other}", command.place),
    }
}

#[test]
fn majorities_are_etcds() {
    let mut asked = 0;
    for file in files("quorum") {
        for command in commands(&file) {
            // Above the result there is a drawing of the members.
            let expected = command.expected.lines().last().unwrap().trim_start_matches("<empty majority quorum>");
            // A vote that is not listed is missing, as is an index; the drawing's input says so by `error:`.
            if !expected.starts_with("error:") {
                assert_eq!(answer(&command), expected, "{}", command.place);
                asked += 1;
            }
        }
    }
    assert!(asked > 30, "only {asked} majorities");
}

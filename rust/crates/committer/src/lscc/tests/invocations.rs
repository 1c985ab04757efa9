// SPDX-License-Identifier: Apache-2.0
//! Each rule on the invocation, its writes and its policies.

use super::*;

#[test]
fn plain_deployments_and_upgrades_pass_at_every_level() {
    for rules in [v1_0(), v1_1(), v1_1_private(), v1_2()] {
        Case::deploy().with_rules(rules).passes();
        Case::upgrade().with_rules(rules).passes();
    }
}

#[test]
fn undecodable_or_empty_invocations_fail() {
    let case = Case::deploy();
    let said = |payload: &[u8]| match case.judge_proposal(payload) {
        Err(Failure::Policy(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(said(&[0xff]).contains("chaincode proposal payload"));
    assert!(said(&message(&[(1, &[0xff])])).contains("chaincode invocation spec does not decode"));
    for no_arguments in [
        vec![],
        message(&[(1, &[])]),
        message(&[(1, &message(&[(1, &[])]))]),
        message(&[(1, &message(&[(1, &message(&[(3, &[])]))]))]),
    ] {
        assert!(said(&no_arguments).contains("names no function"));
    }
}

#[test]
fn other_functions_fail() {
    for function in ["getid", "install", "Deploy", "", "deploy "] {
        let mut case = Case::deploy();
        case.arguments[0] = function.as_bytes().to_vec();
        case.fails(&format!("not {function:?}"));
    }
}

#[test]
fn arguments_are_counted_by_capability() {
    let with_count = |count: usize, rules| {
        let mut case = Case::deploy().with_rules(rules);
        case.arguments.resize(1 + count, Vec::new());
        case
    };
    with_count(0, v1_2()).fails("0 arguments");
    with_count(1, v1_2()).fails("at least 2");
    with_count(5, v1_1()).passes();
    with_count(6, v1_1()).fails("at most 5");
    with_count(6, v1_1_private()).passes();
    with_count(6, v1_2()).passes();
    with_count(7, v1_2()).fails("at most 6");
}

#[test]
fn the_deployment_spec_must_be_whole() {
    Case::deploy().with_deployment(vec![0xff]).fails("deployment spec does not decode");
    Case::deploy().with_deployment(vec![]).fails("no chaincode spec");
    Case::deploy().with_deployment(message(&[(1, &[])])).fails("no chaincode id");
    for kind in [1, 2, 3, 4] {
        Case::deploy().with_deployment(deployment(kind, "cc", "1")).passes();
    }
    for kind in [0, 5] {
        Case::deploy().with_deployment(deployment(kind, "cc", "1")).fails(&format!("type {kind}"));
    }
}

#[test]
fn names_and_versions_follow_lsccs_patterns() {
    for name in ["a", "0", "a-b_c", "A9-z"] {
        assert!(is_chaincode_name(name), "{name}");
    }
    for name in ["", "-a", "a-", "a--b", "a-_b", "_", "a.b", "a b", "a\n", "ä", "a~collection"] {
        assert!(!is_chaincode_name(name), "{name}");
        Case::deploy().with_deployment(deployment(GO, name, "1")).fails("no chaincode name");
    }
    for version in ["1.0", "v_1-2+x", ".", "+"] {
        assert!(is_chaincode_version(version), "{version}");
    }
    for version in ["", "1 0", "1\n", "1:0", "ä"] {
        assert!(!is_chaincode_version(version), "{version}");
        Case::deploy().with_deployment(deployment(GO, "cc", version)).fails("no chaincode version");
    }
    for name in ["cscc", "escc", "lscc", "qscc", "vscc"] {
        Case::deploy().with_deployment(deployment(GO, name, "1")).fails("system chaincode");
    }
}

#[test]
fn the_first_write_is_the_chaincodes_record() {
    let mut undecodable = Case::deploy();
    undecodable.namespaces = vec![vec![0xff]];
    undecodable.fails("read-write set does not decode");
    let mut none = Case::deploy();
    none.namespaces = vec![namespace("cc", &[])];
    none.fails("no read-write set of lscc");
    Case::deploy().with_writes(&[]).fails("lscc writes nothing");
    Case::deploy().with_writes(&[kv_write("dd", &record("cc", "1", "new"))]).fails("first writes key \"dd\"");
    Case::deploy().with_writes(&[kv_write("cc", &[0xff])]).fails("written record of chaincode cc does not decode");
    Case::deploy().with_writes(&[kv_write("cc", &record("dd", "1", "new"))]).fails("names \"dd\"");
    Case::deploy().with_writes(&[kv_write("cc", &record("cc", "2", "new"))]).fails("version \"2\" instead of 1");
}

#[test]
fn only_lscc_and_the_chaincode_are_written() {
    let with_namespace = |namespace: Vec<u8>| {
        let mut case = Case::deploy();
        case.namespaces.push(namespace);
        case
    };
    with_namespace(namespace("cc", &[kv_write("a", b"1")])).passes();
    with_namespace(namespace("dd", &[])).passes();
    with_namespace(namespace("dd", &[kv_write("a", b"1")])).fails("writes to \"dd\"");
    // Neither metadata nor private writes count, in Fabric's eyes.
    let metadata = message(&[(4, &message(&[(1, b"a")]))]);
    with_namespace(message(&[(1, b"dd"), (2, &metadata)])).passes();
    let hashed = message(&[(1, b"c"), (2, &message(&[(2, &message(&[(1, b"hash")]))]))]);
    with_namespace(message(&[(1, b"dd"), (3, &hashed)])).passes();
}

#[test]
fn deploying_needs_an_absent_chaincode_and_upgrading_a_present_one() {
    Case::deploy().with_state("cc", record("cc", "0", "old")).fails("already instantiated");
    let mut absent = Case::upgrade();
    absent.world.state.clear();
    absent.fails("not instantiated");
    Case::upgrade().with_state("cc", record("cc", "1", "old")).fails("already has version 1");
}

#[test]
fn committed_state_that_does_not_decode_fails_the_transaction() {
    Case::deploy().with_state("cc", vec![0xff]).fails("committed record of chaincode cc does not decode");
    Case::upgrade().with_state("cc", vec![0xff]).fails("committed record of chaincode cc does not decode");
    let new = package(&[simple("c", 0)]);
    let upgrade = Case::upgrade().with_collections(&new, Some(&new));
    upgrade.with_state("cc~collection", vec![0xff]).fails("committed collections of chaincode cc do not decode");
    Case::deploy().with_state("cc~collection", vec![0xff]).fails("has collections before");
}

#[test]
fn unreadable_state_is_broken_not_invalid() {
    for mut case in [Case::deploy(), Case::upgrade()] {
        case.world.broken = true;
        assert_eq!(case.judge(), Err(Failure::Broken("disk")));
    }
}

#[test]
fn deploying_asks_for_the_written_instantiation_policy() {
    let case = Case::deploy();
    case.passes();
    assert_eq!(*case.world.asked.borrow(), ["new"]);
    Case::deploy().with_unsatisfied("new").fails("instantiation policy of chaincode cc: not satisfied");
    Case::deploy().with_writes(&[kv_write("cc", &record("cc", "1", ""))]).fails("no instantiation policy");
}

#[test]
fn upgrading_asks_for_the_committed_policy_and_from_v1_1_for_the_written_one() {
    let asked = |case: Case| {
        case.passes();
        case.world.asked.into_inner()
    };
    assert_eq!(asked(Case::upgrade().with_rules(v1_0())), ["old"]);
    assert_eq!(asked(Case::upgrade().with_rules(v1_1())), ["old", "new"]);
    assert_eq!(asked(Case::upgrade().with_state("cc", record("cc", "0", "new"))), ["new"]);
    Case::upgrade().with_unsatisfied("old").with_rules(v1_0()).fails("not satisfied");
    Case::upgrade().with_unsatisfied("new").with_rules(v1_0()).passes();
    Case::upgrade().with_unsatisfied("new").with_rules(v1_1()).fails("not satisfied");
    Case::upgrade().with_state("cc", record("cc", "0", "")).fails("no instantiation policy");
    let without = [kv_write("cc", &record("cc", "1", ""))];
    Case::upgrade().with_writes(&without).with_rules(v1_0()).passes();
    Case::upgrade().with_writes(&without).with_rules(v1_1()).fails("no instantiation policy");
}

#[test]
fn names_and_versions_may_be_anything_until_1_4_1() {
    let named = |name: &str, version: &str, era| {
        let record = record(name, version, "new");
        Case::deploy()
            .with_deployment(deployment(GO, name, version))
            .with_writes(&[kv_write(name, &record)])
            .with_rules(Rules { era, ..v1_2() })
    };
    for (name, version) in [("my__cc", "1"), ("_", "1"), ("qscc", "1"), ("cc", "1 beta")] {
        named(name, version, Era::V1_4_0).passes();
        named(name, version, Era::V1_0).passes();
        assert!(named(name, version, Era::V1_4_2).judge().is_err(), "{name} {version}");
        assert!(named(name, version, Era::Today).judge().is_err(), "{name} {version}");
    }
}

#[test]
fn upgrades_of_every_language_are_seen_until_1_2() {
    let seen = |kind, era| {
        let payload = Case::upgrade().with_deployment(deployment(kind, "cc", "1")).proposal_payload();
        upgraded_chaincode(&transaction("lscc", &payload, &[]), Rules { era, ..v1_0() }).is_some()
    };
    for kind in [2, 3, 4] {
        assert!(seen(kind, Era::V1_0) && seen(kind, Era::V1_2), "{kind}");
        assert!(!seen(kind, Era::V1_3) && !seen(kind, Era::Today), "{kind}");
    }
    assert!(seen(GO, Era::V1_0) && seen(GO, Era::Today));
    assert!(!seen(0, Era::V1_0));
}

#[test]
fn upgrades_of_go_chaincode_are_seen() {
    let upgraded = |case: &Case, invoked: &str| {
        let payload = case.proposal_payload();
        let transaction = transaction(invoked, &payload, &[]);
        upgraded_chaincode(&transaction, v1_0()).map(|upgrade| format!("{}:{}", upgrade.name, upgrade.version))
    };
    assert_eq!(upgraded(&Case::upgrade(), "lscc").as_deref(), Some("cc:1"));
    assert_eq!(upgraded(&Case::upgrade(), "cc"), None);
    assert_eq!(upgraded(&Case::deploy(), "lscc"), None);
    for kind in [0, 2, 3, 4] {
        assert_eq!(upgraded(&Case::upgrade().with_deployment(deployment(kind, "cc", "1")), "lscc"), None);
    }
    for malformed in [vec![0xff], vec![], message(&[(1, &[])])] {
        assert_eq!(upgraded(&Case::upgrade().with_deployment(malformed), "lscc"), None);
    }
    let mut short = Case::upgrade();
    short.arguments.truncate(2);
    assert_eq!(upgraded(&short, "lscc"), None);
    assert_eq!(upgraded_chaincode(&transaction("lscc", &[0xff], &[]), v1_0()), None);
}

// SPDX-License-Identifier: Apache-2.0
//! Generated channels, committed by the engine that real ledgers hold to Fabric's verdicts: every transaction must get
//! the code that was predicted.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeMap;

use fastledger_committer::{Options, PeerLedger};
use fastledger_wire::TxValidationCode::{
    self, BadCreatorSignature, EndorsementPolicyFailure, MvccReadConflict, PhantomReadConflict, Valid,
};
use fastledger_workload::{EndorsementPolicy, KeyDistribution, Spec, Workload};

/// Commits the channel and counts the codes of its measured transactions.
fn replay(spec: &Spec) -> BTreeMap<TxValidationCode, usize> {
    let dir = tempfile::tempdir().unwrap();
    let channel = PeerLedger::open(dir.path(), &Options::default()).unwrap();
    let mut counts = BTreeMap::new();
    for block in Workload::new(spec).unwrap() {
        channel.submit(block.bytes.into()).unwrap();
        let result = channel.result().unwrap();
        assert_eq!(result.number, block.number);
        let predicted: Vec<_> =
            block.predicted.iter().map(|code| TxValidationCode::from_number(*code).unwrap()).collect();
        assert_eq!(result.codes, predicted, "block {}", block.number);
        if block.is_measured {
            for code in predicted {
                *counts.entry(code).or_default() += 1;
            }
        } else {
            assert!(predicted.iter().all(|code| *code == Valid), "block {}", block.number);
        }
    }
    assert_eq!(counts.values().sum::<usize>(), usize::try_from(spec.transactions).unwrap());
    counts
}

/// Replays, and demands that the measured transactions got these codes, each at least this often, and no others.
fn expect(spec: &Spec, codes: &[(TxValidationCode, usize)]) {
    let counts = replay(spec);
    let found: Vec<_> = counts.keys().collect();
    let wanted: Vec<_> = codes.iter().map(|(code, _)| code).collect();
    assert_eq!(found, wanted, "{counts:?}");
    assert!(codes.iter().all(|(code, least)| counts[code] >= *least), "{counts:?}");
}

fn small() -> Spec {
    Spec { transactions: 150, block_transactions: 25, keys: 300, ..Spec::default() }
}

#[test]
fn without_contention_all_are_valid() {
    expect(&Spec { key_distribution: KeyDistribution::RoundRobin, ..small() }, &[(Valid, 150)]);
}

#[test]
fn on_one_key_only_the_first_of_a_block_is_valid() {
    let counts = replay(&Spec { keys: 1, ..small() });
    assert_eq!(counts, BTreeMap::from([(Valid, 6), (MvccReadConflict, 144)]));
}

#[test]
fn popular_keys_conflict_more() {
    let uniform = replay(&small());
    let zipf = replay(&Spec { key_distribution: KeyDistribution::Zipf { exponent: 1.2 }, ..small() });
    assert!(zipf[&MvccReadConflict] > 2 * uniform[&MvccReadConflict], "{uniform:?} {zipf:?}");
}

#[test]
fn endorsers_that_are_behind_cause_conflicts() {
    let spec = Spec { key_distribution: KeyDistribution::RoundRobin, keys: 50, ..small() };
    expect(&spec, &[(Valid, 150)]);
    // Every key comes again after two blocks.
    expect(&Spec { endorsement_lag_blocks: 1, ..spec.clone() }, &[(Valid, 150)]);
    expect(&Spec { endorsement_lag_blocks: 2, ..spec }, &[(Valid, 50), (MvccReadConflict, 25)]);
}

#[test]
fn three_of_five_organizations_with_several_members_each() {
    let spec = Spec {
        organizations: 5,
        endorsers_per_organization: 2,
        clients_per_organization: 3,
        endorsement_policy: EndorsementPolicy { required: 3, organizations: 5 },
        key_distribution: KeyDistribution::RoundRobin,
        reads: 2,
        writes: 3,
        read_only_share: 0.3,
        lifecycle_reads: true,
        ..small()
    };
    expect(&spec, &[(Valid, 150)]);
}

/// More endorsements than are hashed one by one.
#[test]
fn many_endorsements() {
    let spec = Spec {
        organizations: 20,
        endorsement_policy: EndorsementPolicy { required: 18, organizations: 20 },
        key_distribution: KeyDistribution::RoundRobin,
        transactions: 20,
        block_transactions: 10,
        ..small()
    };
    expect(&spec, &[(Valid, 20)]);
    let bad = Spec { bad_endorsement_signature_share: 0.5, ..spec };
    expect(&bad, &[(Valid, 2), (EndorsementPolicyFailure, 2)]);
}

#[test]
fn bad_signatures_are_found() {
    let round_robin = Spec { key_distribution: KeyDistribution::RoundRobin, ..small() };
    let creators = Spec { bad_creator_signature_share: 0.3, ..round_robin.clone() };
    expect(&creators, &[(Valid, 70), (BadCreatorSignature, 20)]);
    let endorsers = Spec { bad_endorsement_signature_share: 0.3, ..round_robin };
    expect(&endorsers, &[(Valid, 70), (EndorsementPolicyFailure, 20)]);
}

#[test]
fn ranges_see_what_their_own_block_wrote() {
    let spec = Spec { range_query_share: 0.8, range_query_keys: 20, reads: 0, writes: 1, ..small() };
    expect(&spec, &[(Valid, 30), (PhantomReadConflict, 30)]);
}

#[test]
fn policies_of_keys_are_kept_and_broken() {
    let spec = Spec {
        organizations: 3,
        endorsement_policy: EndorsementPolicy { required: 1, organizations: 2 },
        key_distribution: KeyDistribution::RoundRobin,
        key_policy_share: 0.5,
        writes: 2,
        ..small()
    };
    expect(&spec, &[(Valid, 150)]);
    expect(&Spec { key_policy_violation_share: 0.4, ..spec }, &[(Valid, 70), (EndorsementPolicyFailure, 20)]);
    let alone = Spec {
        organizations: 1,
        endorsement_policy: EndorsementPolicy { required: 1, organizations: 1 },
        key_policy_share: 1.0,
        key_policy_violation_share: 1.0,
        ..small()
    };
    expect(&alone, &[(EndorsementPolicyFailure, 150)]);
}

#[test]
fn private_writes_are_valid() {
    let spec = Spec {
        key_distribution: KeyDistribution::RoundRobin,
        private_write_share: 0.5,
        block_to_live: 3,
        lifecycle_reads: true,
        ..small()
    };
    expect(&spec, &[(Valid, 150)]);
}

#[test]
fn everything_at_once() {
    let spec = Spec {
        organizations: 4,
        endorsers_per_organization: 2,
        clients_per_organization: 2,
        endorsement_policy: EndorsementPolicy { required: 2, organizations: 3 },
        transactions: 600,
        block_transactions: 60,
        key_distribution: KeyDistribution::Zipf { exponent: 0.8 },
        reads: 2,
        writes: 2,
        read_only_share: 0.2,
        stale_read_share: 0.1,
        endorsement_lag_blocks: 1,
        range_query_share: 0.3,
        key_policy_share: 0.3,
        key_policy_violation_share: 0.2,
        private_write_share: 0.2,
        block_to_live: 2,
        bad_creator_signature_share: 0.1,
        bad_endorsement_signature_share: 0.1,
        lifecycle_reads: true,
        ..small()
    };
    let codes = [
        (Valid, 50),
        (BadCreatorSignature, 30),
        (EndorsementPolicyFailure, 50),
        (MvccReadConflict, 50),
        (PhantomReadConflict, 5),
    ];
    expect(&spec, &codes);
}

#[test]
fn the_same_specification_gives_the_same_bytes() {
    let spec = Spec { private_write_share: 0.3, range_query_share: 0.3, ..small() };
    let one: Vec<_> = Workload::with_threads(&spec, 1).unwrap().collect();
    let three: Vec<_> = Workload::with_threads(&spec, 3).unwrap().collect();
    assert_eq!(one, three);
    let other = Workload::new(&Spec { seed: 2, ..spec }).unwrap().next().unwrap();
    assert_ne!(one[0].bytes, other.bytes);
}

#[test]
fn a_workload_may_be_dropped_half_way() {
    let mut workload = Workload::with_threads(&small(), 2).unwrap();
    assert_eq!(workload.next().unwrap().number, 0);
    assert_eq!(workload.next().unwrap().number, 1);
}

// SPDX-License-Identifier: Apache-2.0
//! Google's Wycheproof vectors, on every engine.

#![allow(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    reason = "a test may panic, and ECDSA names its numbers so"
)]

mod common;

use std::collections::HashMap;

use common::expect_everywhere;
use fastledger_crypto::{Job, PublicKey, Signature, SignatureError, sha256};
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

/// What Fabric makes of each DER vector, by Go's own libraries; see vectors/wycheproof.go.
fn fabric() -> HashMap<usize, bool> {
    let lines = include_str!("vectors/wycheproof.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (id, accepted) = line.split_once(' ').unwrap();
            (id.parse().unwrap(), accepted == "true")
        })
        .collect()
}

/// A vector, its key, digest and signature as they are read, and the verdict that is due.
struct Case {
    name: String,
    key: PublicKey,
    digest: [u8; 32],
    signature: Signature,
    expected: bool,
}

fn run(cases: &[Case]) {
    let jobs: Vec<Job<'_>> =
        cases.iter().map(|case| Job { key: &case.key, digest: case.digest, signature: case.signature }).collect();
    let expected: Vec<bool> = cases.iter().map(|case| case.expected).collect();
    expect_everywhere(&jobs, &expected, |i| cases[i].name.clone());
}

/// Here Fabric's verdict differs from Wycheproof's in one way only: it refuses valid signatures whose s is high. (Its
/// reader would let bytes after the values pass, but the vectors that have such bytes have a high s as well.)
#[test]
fn der_signatures_as_fabric_takes_them() {
    let fabric = fabric();
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let (mut cases, mut vectors, mut high) = (Vec::new(), 0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_sec1(&group.key.key).unwrap();
        for test in group.tests {
            let name = format!("{}: {} {:?}", test.tc_id, test.comment, test.flags);
            let (valid, accepted) = (test.result == TestResult::Valid, fabric[&test.tc_id]);
            assert!(valid || !accepted, "{name}");
            vectors += 1;
            match Signature::from_der(&test.sig) {
                Ok(signature) => {
                    assert_eq!(valid, accepted, "{name}");
                    let (key, digest) = (key.clone(), sha256(&test.msg));
                    cases.push(Case { name, key, digest, signature, expected: accepted });
                }
                Err(error) => {
                    assert!(!accepted, "{name}: {error}");
                    if valid {
                        high += 1;
                        assert_eq!(error, SignatureError::HighS, "{name}");
                    }
                }
            }
        }
    }
    assert_eq!((vectors, high), (fabric.len(), 71));
    assert!(cases.len() > 100);
    run(&cases);
}

/// The fixed-width vectors, all of whose integers are taken: the engines verify plain ECDSA, high s included.
#[test]
fn fixed_width_signatures() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut cases = Vec::new();
    for group in set.test_groups {
        let key = PublicKey::from_sec1(&group.key.key).unwrap();
        for test in group.tests {
            let valid = test.result == TestResult::Valid;
            let Ok(fixed) = <[u8; 64]>::try_from(&test.sig[..]) else {
                assert!(!valid, "{}", test.tc_id);
                continue;
            };
            let signature = Signature { r: fixed[..32].try_into().unwrap(), s: fixed[32..].try_into().unwrap() };
            let (key, digest) = (key.clone(), sha256(&test.msg));
            cases.push(Case {
                name: format!("{}: {}", test.tc_id, test.comment),
                key,
                digest,
                signature,
                expected: valid,
            });
        }
    }
    assert!(cases.len() > 200);
    run(&cases);
}

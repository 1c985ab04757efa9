// SPDX-License-Identifier: Apache-2.0
//! Claims at the edges of the arithmetic: keys that are small multiples of ±G, u₁ = 0, equal, opposite and infinite
//! sums, r whose point has x = r + n, scalars and digests in and out of range.

#![allow(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    reason = "a test may panic, and ECDSA names its numbers so"
)]

mod common;

use common::{expect_everywhere, unhex};
use fastledger_crypto::{Job, KeyError, PublicKey, Signature};

struct Edge {
    name: String,
    key: PublicKey,
    digest: [u8; 32],
    signature: Signature,
    valid: bool,
}

fn edges() -> Vec<Edge> {
    let mut edges = Vec::new();
    for line in include_str!("vectors/edges.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, x, y, e, r, s, verdict] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("bad line: {line}")
        };
        let number = |text: &str| <[u8; 32]>::try_from(unhex(text)).unwrap();
        let sec1 = [&[4], &unhex(x)[..], &unhex(y)[..]].concat();
        edges.push(Edge {
            name: name.to_owned(),
            key: PublicKey::from_sec1(&sec1).unwrap(),
            digest: number(e),
            signature: Signature { r: number(r), s: number(s) },
            valid: verdict == "valid",
        });
    }
    assert!(edges.len() > 500);
    edges
}

#[test]
fn every_engine_agrees_with_plain_affine_formulas() {
    let edges = edges();
    let jobs: Vec<Job<'_>> =
        edges.iter().map(|edge| Job { key: &edge.key, digest: edge.digest, signature: edge.signature }).collect();
    let expected: Vec<bool> = edges.iter().map(|edge| edge.valid).collect();
    expect_everywhere(&jobs, &expected, |i| format!("{} {:?}", edges[i].name, jobs[i]));
}

#[test]
fn keys_off_the_curve_are_refused() {
    let good = edges()[0].key.to_sec1();
    assert_eq!(PublicKey::from_sec1(&good).unwrap().to_sec1(), good);
    let mut flipped = good;
    flipped[40] ^= 1;
    assert_eq!(PublicKey::from_sec1(&flipped).unwrap_err(), KeyError::NotOnCurve);
    assert_eq!(PublicKey::from_sec1(&good[..64]).unwrap_err(), KeyError::Encoding);
    assert_eq!(PublicKey::from_sec1(&good[1..]).unwrap_err(), KeyError::Encoding);
    assert_eq!(PublicKey::from_sec1(&[&good[..], &[0]].concat()).unwrap_err(), KeyError::Encoding);
    assert_eq!(PublicKey::from_sec1(&[]).unwrap_err(), KeyError::Encoding);
    for prefix in [0, 2, 3, 5, 6, 7] {
        let mut other = good;
        other[0] = prefix;
        assert_eq!(PublicKey::from_sec1(&other).unwrap_err(), KeyError::Encoding);
    }
    let mut zero = [0; 65];
    zero[0] = 4;
    assert_eq!(PublicKey::from_sec1(&zero).unwrap_err(), KeyError::NotOnCurve);
}

#[test]
fn coordinates_not_below_p_are_refused() {
    // x = 5 is on the curve; x = 5 + p names the same residue in 256 bits, and must not pass.
    let x = [0; 31].into_iter().chain([5]);
    let y = unhex("459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
    let sec1: Vec<u8> = [4].into_iter().chain(x).chain(y.iter().copied()).collect();
    assert!(PublicKey::from_sec1(&sec1).is_ok());
    let mut above = sec1.clone();
    above[1..33].copy_from_slice(&unhex("ffffffff00000001000000000000000000000001000000000000000000000004"));
    assert_eq!(PublicKey::from_sec1(&above).unwrap_err(), KeyError::NotOnCurve);
}

// SPDX-License-Identifier: Apache-2.0
//! Good signatures with something changed: every engine must agree with AWS-LC.

#![allow(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    reason = "a test may panic, and ECDSA names its numbers so"
)]

mod common;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Signer, engines, random, table_bytes, verdicts, verifier};
use fastledger_crypto::{Engine, Job};

/// The order of the group, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// n − value, for values below n.
fn negated(value: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0;
    for i in (0..32).rev() {
        let difference = i16::from(ORDER[i]) - i16::from(value[i]) - borrow;
        borrow = i16::from(difference < 0);
        out[i] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    out
}

/// Changes one thing; some changes leave the signature valid.
fn mutate<'a>(job: &mut Job<'a>, signers: &'a [Signer]) {
    let [what, place, bits, who] = random::<4>();
    let place = usize::from(place % 32);
    let bits = bits | 1;
    match what % 12 {
        0 => job.digest[place] ^= bits,
        1 => job.signature.r[place] ^= bits,
        2 => job.signature.s[place] ^= bits,
        3 => job.key = &signers[usize::from(who) % signers.len()].key,
        4 => job.signature.s = negated(&job.signature.s),
        5 => job.signature.r = negated(&job.signature.r),
        6 => (job.signature.r, job.signature.s) = (job.signature.s, job.signature.r),
        7 => job.digest = random(),
        8 => job.signature.r = random(),
        9 => job.signature.s = [[0; 32], ORDER, [0xff; 32]][usize::from(who % 3)],
        10 => job.signature.r = [[0; 32], ORDER, [0xff; 32]][usize::from(who % 3)],
        _ => {}
    }
}

/// Compares all engines on `count` signatures of `keys` keys; answers how many were valid.
fn compare(count: usize, keys: usize) -> usize {
    let signers: Vec<Signer> = (0..keys).map(|_| Signer::new()).collect();
    let mut valid = 0;
    // Fresh messages would cost more than the verifications: each signature serves several mutations.
    let originals: Vec<Job<'_>> = (0..count.div_ceil(8)).map(|i| signers[i % keys].sign(&i.to_le_bytes())).collect();
    let mut jobs: Vec<Job<'_>> = originals.iter().copied().cycle().take(count).collect();
    for job in &mut jobs {
        mutate(job, &signers);
    }
    let expected = verdicts(&verifier(Engine::Library, 0), &jobs, 256);
    valid += expected.iter().filter(|&&valid| valid).count();
    for engine in engines().into_iter().filter(|&engine| engine != Engine::Library) {
        // All keys with tables, half of them, none; without any, an engine of one lane is the library.
        for tables in [keys, keys / 2, 0].into_iter().filter(|&tables| tables > 0 || engine != Engine::Portable) {
            let verdicts = verdicts(&verifier(engine, table_bytes(tables)), &jobs, 256);
            for ((job, verdict), expected) in jobs.iter().zip(verdicts).zip(&expected) {
                assert_eq!(verdict, *expected, "{engine:?}, {tables} tables: {job:?}");
            }
        }
    }
    valid
}

#[test]
fn mutated_signatures() {
    let valid = compare(1000, 5);
    assert!((100..900).contains(&valid), "{valid} valid");
}

/// Run in release: `cargo test --release -p fastledger-crypto --test mutations -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn a_million_mutated_signatures() {
    const ROUNDS: usize = 20;
    let (begun, valid) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while begun.fetch_add(1, Ordering::Relaxed) < ROUNDS {
            valid.fetch_add(compare(50_000, 100), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(work);
        }
    });
    println!("1,000,000 mutated signatures, {} of them valid, no difference", valid.into_inner());
}

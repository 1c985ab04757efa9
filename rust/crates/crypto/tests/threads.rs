// SPDX-License-Identifier: Apache-2.0
//! One verifier, many threads, tables coming and going.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::thread;

use common::{Signer, engines, table_bytes, verdicts, verifier};
use fastledger_crypto::Job;

#[test]
fn threads_share_a_verifier_and_its_tables() {
    let signers: Vec<Signer> = (0..6).map(|_| Signer::new()).collect();
    let mut jobs: Vec<Job<'_>> = (0..600).map(|i: usize| signers[i * i % 6].sign(&i.to_le_bytes())).collect();
    let expected: Vec<bool> = (0..jobs.len()).map(|i| i % 3 != 0).collect();
    for (job, good) in jobs.iter_mut().zip(&expected) {
        job.digest[0] ^= u8::from(!good);
    }
    for engine in engines() {
        // Room for fewer tables than there are keys: they push each other out all the time.
        let verifier = verifier(engine, table_bytes(2));
        thread::scope(|scope| {
            for worker in 0..4 {
                let (verifier, jobs, expected) = (&verifier, &jobs, &expected);
                scope.spawn(move || {
                    for batch in [64, 17, 150].iter().cycle().skip(worker).take(2) {
                        assert_eq!(&verdicts(verifier, jobs, *batch), expected, "{engine:?}");
                    }
                });
            }
        });
    }
}

#[test]
fn empty_batches_are_fine() {
    for engine in engines() {
        verifier(engine, 0).verify_batch(&[], &mut []);
    }
}

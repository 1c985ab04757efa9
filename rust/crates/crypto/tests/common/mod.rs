// SPDX-License-Identifier: Apache-2.0
//! Every way that this machine has to verify, and numbers to verify with.

// Each test file uses its part of this.
#![allow(dead_code)]

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use fastledger_crypto::{Engine, Job, PublicKey, Signature, Verifier, VerifierOptions, sha256};

/// Room for the tables of this many keys.
pub const fn table_bytes(keys: usize) -> usize {
    keys * 256 * 1024
}

/// The engines that this machine has.
pub fn engines() -> Vec<Engine> {
    let (found, lacking): (Vec<Engine>, Vec<Engine>) =
        Engine::ALL.into_iter().partition(|engine| engine.is_available());
    for engine in lacking {
        eprintln!("this machine lacks the instructions of the engine {}: it is not tested", engine.name());
    }
    found
}

/// A verifier of one engine.
pub fn verifier(engine: Engine, table_bytes: usize) -> Verifier {
    Verifier::new(VerifierOptions { engine: Some(engine), table_bytes })
}

/// The verdicts of one verifier, in batches of a size.
pub fn verdicts(verifier: &Verifier, jobs: &[Job<'_>], batch: usize) -> Vec<bool> {
    // Whatever stood there before must not shine through.
    let mut valid: Vec<bool> = (0..jobs.len()).map(|i| i % 2 == 0).collect();
    for (jobs, valid) in jobs.chunks(batch).zip(valid.chunks_mut(batch)) {
        verifier.verify_batch(jobs, valid);
    }
    valid
}

/// Demands the same verdicts of every engine, with tables for all keys and with none, in several batch sizes.
pub fn expect_everywhere(jobs: &[Job<'_>], expected: &[bool], name: impl Fn(usize) -> String) {
    for engine in engines() {
        for (tables, batches) in [(0, [1, 256]), (table_bytes(4096), [7, 200])] {
            let verifier = verifier(engine, tables);
            if tables > 0 {
                earn_tables(&verifier, jobs);
            }
            for batch in batches {
                let verdicts = verdicts(&verifier, jobs, batch);
                for (i, (verdict, expected)) in verdicts.iter().zip(expected).enumerate() {
                    assert_eq!(verdict, expected, "{engine:?}, tables {tables}, batch {batch}: {}", name(i));
                }
            }
        }
    }
}

/// Uses every key until it has a table.
pub fn earn_tables(verifier: &Verifier, jobs: &[Job<'_>]) {
    let mut seen = Vec::new();
    for job in jobs {
        if !seen.contains(&job.key) {
            seen.push(job.key);
            verdicts(verifier, &[*job; 32], 32);
        }
    }
}

/// Someone who signs.
pub struct Signer {
    pair: EcdsaKeyPair,
    pub key: PublicKey,
}

impl Signer {
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = PublicKey::from_sec1(pair.public_key().as_ref()).unwrap();
        Self { pair, key }
    }

    /// A good signature of a message. Its s may be high.
    pub fn sign(&self, message: &[u8]) -> Job<'_> {
        let fixed = self.pair.sign(&SystemRandom::new(), message).unwrap();
        let (r, s) = fixed.as_ref().split_at(32);
        let signature = Signature { r: r.try_into().unwrap(), s: s.try_into().unwrap() };
        Job { key: &self.key, digest: sha256(message), signature }
    }
}

/// Random bytes for test cases; a failing test prints its case, so no seed is kept.
pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).unwrap();
    out
}

/// The bytes that hexadecimal digits spell.
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

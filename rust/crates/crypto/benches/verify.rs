// SPDX-License-Identifier: Apache-2.0
//! Signatures per second, by engine, number of keys and size of batch. AWS-LC is measured in the same run.
//!
//! `cargo bench -p fastledger-crypto --bench verify`; criterion prints the time of a batch and signatures per second.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use fastledger_crypto::{Engine, Job, PublicKey, Signature, Verifier, VerifierOptions, sha256};

/// Signatures to choose batches from.
const SIGNATURES: usize = 12_800;
/// Different keys of the benchmark in which each signs once.
const KEYS_SEEN_ONCE: usize = 100_000;

/// Something that was signed.
struct Signed {
    key: usize,
    digest: [u8; 32],
    signature: Signature,
}

/// Keys, and signatures by them in random order.
struct Load {
    keys: Vec<PublicKey>,
    signed: Vec<Signed>,
}

impl Load {
    fn new(keys: usize, signatures: usize) -> Self {
        let generate = |_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let pairs: Vec<EcdsaKeyPair> = (0..keys).map(generate).collect();
        let public = |pair: &EcdsaKeyPair| PublicKey::from_sec1(pair.public_key().as_ref()).expect("a public key");
        let random = SystemRandom::new();
        let mut state = 1u64;
        let sign = |i: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = if keys == signatures { i } else { usize::try_from(state >> 33).expect("31 bits") % keys };
            let message = i.to_le_bytes();
            let fixed = pairs[key].sign(&random, &message).expect("a signature");
            let (r, s) = fixed.as_ref().split_at(32);
            let signature = Signature { r: r.try_into().expect("32 bytes"), s: s.try_into().expect("32 bytes") };
            Signed { key, digest: sha256(&message), signature }
        };
        Self { keys: pairs.iter().map(public).collect(), signed: (0..signatures).map(sign).collect() }
    }

    fn jobs(&self) -> Vec<Job<'_>> {
        let job =
            |signed: &Signed| Job { key: &self.keys[signed.key], digest: signed.digest, signature: signed.signature };
        self.signed.iter().map(job).collect()
    }
}

/// The engines that this machine has.
fn engines() -> impl Iterator<Item = (Engine, Verifier)> {
    let verifier = |engine| (engine, Verifier::new(VerifierOptions { engine: Some(engine), ..Default::default() }));
    Engine::ALL.into_iter().filter(|engine| engine.is_available()).map(verifier)
}

fn verify(verifier: &Verifier, jobs: &[Job<'_>], valid: &mut [bool]) {
    verifier.verify_batch(black_box(jobs), valid);
    assert!(valid.iter().all(|&valid| valid));
}

/// Keys that sign often: their tables are there.
fn frequent_keys(c: &mut Criterion) {
    for keys in [8, 100, 1000] {
        let load = Load::new(keys, SIGNATURES);
        let jobs = load.jobs();
        let mut group = c.benchmark_group(format!("{keys} keys"));
        for (engine, verifier) in engines() {
            let mut valid = vec![true; SIGNATURES];
            let mut warm = engine == Engine::Library;
            for batch in [1, 8, 64, 256, 1024] {
                // The library takes one signature after the other: batches are nothing to it.
                if engine == Engine::Library && batch != 64 {
                    continue;
                }
                let mut batches = jobs.chunks_exact(batch).cycle();
                group.throughput(Throughput::Elements(batch as u64));
                group.bench_function(BenchmarkId::new(format!("{engine:?}"), batch), |b| {
                    // Only what is measured is made ready.
                    if !std::mem::replace(&mut warm, true) {
                        (0..4).for_each(|_| verify(&verifier, &jobs, &mut valid));
                    }
                    b.iter(|| verify(&verifier, batches.next().expect("endless"), &mut valid[..batch]));
                });
            }
        }
        group.finish();
    }
}

/// Keys that sign once: no table is built, nor ever will be.
fn keys_seen_once(c: &mut Criterion) {
    let load = Load::new(KEYS_SEEN_ONCE, KEYS_SEEN_ONCE);
    let jobs = load.jobs();
    let mut group = c.benchmark_group(format!("{KEYS_SEEN_ONCE} keys once each"));
    group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(KEYS_SEEN_ONCE as u64));
    for (engine, _) in engines() {
        let mut valid = vec![true; KEYS_SEEN_ONCE];
        group.bench_function(format!("{engine:?}"), |b| {
            b.iter(|| {
                // A new verifier has seen none of them.
                let verifier = Verifier::new(VerifierOptions { engine: Some(engine), ..Default::default() });
                for (jobs, valid) in jobs.chunks(256).zip(valid.chunks_mut(256)) {
                    verify(&verifier, jobs, valid);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, frequent_keys, keys_seen_once);
criterion_main!(benches);

// SPDX-License-Identifier: Apache-2.0
//! Signatures per second, by engine, number of keys and size of batch. AWS-LC is measured in the same run.
//!
//! `cargo bench -p fastledger-crypto --bench verify`; criterion prints the time of a batch and signatures per second.

mod load;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use fastledger_crypto::{Engine, Job, Verifier, VerifierOptions};
use load::Load;

/// Signatures to choose batches from.
const SIGNATURES: usize = 12_800;
/// Different keys of the benchmark in which each signs once.
const KEYS_SEEN_ONCE: usize = 100_000;

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

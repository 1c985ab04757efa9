// SPDX-License-Identifier: Apache-2.0
//! SHA-256 by length of message and number of messages at once. AWS-LC is measured in the same run.
//!
//! `cargo bench -p fastledger-crypto --bench sha256`; criterion prints the time for all messages and bytes per second.

use std::hint::black_box;

use aws_lc_rs::digest;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastledger_crypto::{Message, sha256_many};

fn messages_at_once(c: &mut Criterion) {
    for length in [32, 100, 300, 1000, 3000, 10_000] {
        let data: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; length]).collect();
        // Signed messages come in two parts.
        let parts: Vec<[&[u8]; 2]> = data.iter().map(|data| data.split_at(length * 3 / 4).into()).collect();
        let messages: Vec<Message<'_>> = parts.iter().map(|parts| &parts[..]).collect();
        let mut digests = vec![[0; 32]; data.len()];
        let mut group = c.benchmark_group(format!("{length} bytes"));
        for count in [1, 2, 4, 8, 16, 256] {
            group.throughput(Throughput::Bytes((count * length) as u64));
            group.bench_function(BenchmarkId::new("at once", count), |b| {
                b.iter(|| sha256_many(black_box(&messages[..count]), &mut digests[..count]));
            });
        }
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function("library", |b| b.iter(|| digest::digest(&digest::SHA256, black_box(&data[0]))));
        group.finish();
    }
}

criterion_group!(benches, messages_at_once);
criterion_main!(benches);

// SPDX-License-Identifier: Apache-2.0
//! CPU time of committing 20 blocks of 500 transactions, each with one write, one history entry and one id.
//!
//! Measured is the time that the thread ran, not the time that it waited for the disk. `fresh` is a new ledger, as when
//! a short chain is replayed; `large` goes on in one with 1,000,000 keys and more transaction ids, where layers are
//! being merged into the stores all the time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::borrow::Cow;
use std::fs;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fastledger_ledger::{CommittedBlock, Durability, HistoryWrite, Ledger, Options};
use fastledger_mvcc::state::{StateKey, StateReader, Update, UpdateBatch};
use fastledger_wire::common::BlockHeader;
use fastledger_wire::{Height, block, hash};

const TXS: usize = 500;

const KEYS: u64 = 1_000_000;

/// How long this thread has run.
fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// A block's record and what it changes.
struct Made {
    record: Vec<u8>,
    keys: Vec<String>,
    tx_ids: Vec<String>,
}

fn make(number: u64, previous: &[u8], txs: usize, keys: u64, tx_bytes: usize) -> Made {
    let digest = |kind: &[u8], tx: usize| hash::sha256(&[kind, &number.to_be_bytes(), &tx.to_be_bytes()]);
    let payload = vec![0x5a; tx_bytes];
    let data = vec![payload.as_slice(); txs];
    let data_hash = hash::data_hash(&data);
    let header = BlockHeader { number, previous_hash: previous, data_hash: &data_hash };
    let record = block::encode_record(&header, &data, &[]);
    let key = |tx| {
        let random = u64::from_be_bytes(*digest(b"key", tx).first_chunk().unwrap());
        format!("asset{:08}", random % keys)
    };
    Made {
        record,
        keys: (0..txs).map(key).collect(),
        tx_ids: (0..txs).map(|tx| hash::hex(&digest(b"tx", tx))).collect(),
    }
}

fn batch<'a>(made: &'a Made, number: u64, value: &'a [u8]) -> UpdateBatch<'a> {
    let mut updates: Vec<_> = (0..)
        .zip(&made.keys)
        .map(|(tx, key)| Update {
            key: StateKey { namespace: "perf", collection: "", key: key.as_bytes() },
            version: Height { block: number, tx },
            state: Some((Cow::Borrowed(value), Cow::Borrowed(&[][..]))),
        })
        .collect();
    updates.sort_by(|a, b| a.key.cmp(&b.key));
    updates.dedup_by(|a, b| a.key == b.key);
    UpdateBatch { updates }
}

/// Appends and stages a block; returns the CPU time that each took.
fn step(ledger: &Ledger, txs: usize, keys: u64, tx_bytes: usize) -> (Duration, Duration) {
    let number = ledger.height();
    let previous = ledger.tip().map_or(vec![], |tip| tip.header_hash.to_vec());
    let made = make(number, &previous, txs, keys, tx_bytes);
    let value = [0x77; 100];
    let updates = batch(&made, number, &value);
    let start = cpu_time();
    let appended = ledger.append(&made.record).unwrap();
    let between = cpu_time();
    let history =
        (0..).zip(&made.keys).map(|(tx, key)| HistoryWrite { namespace: "perf", key: key.as_bytes(), tx }).collect();
    ledger
        .stage(&CommittedBlock {
            tip: appended.tip,
            location: appended.location,
            updates: &updates,
            tx_ids: (0..).zip(&made.tx_ids).map(|(tx, id)| (tx, Cow::Borrowed(id.as_str()), 0)).collect(),
            history,
            commit_hash: None,
            collection_configs: vec![],
            expiries: vec![],
            explanations: Cow::Borrowed(&[]),
        })
        .unwrap();
    (between.saturating_sub(start), cpu_time().saturating_sub(between))
}

fn flush(ledger: &Ledger) -> Duration {
    let start = cpu_time();
    ledger.flush().unwrap();
    cpu_time().saturating_sub(start)
}

fn open(dir: &std::path::Path) -> Ledger {
    let options = Options { durability: Durability::EachFlush, ..Options::default() };
    Ledger::open(dir, options).unwrap().0
}

/// What is measured of a block.
#[derive(Clone, Copy)]
enum Part {
    Append,
    Stage,
    StageAndFlush,
}

/// Commits 20 blocks, and flushes after so many.
fn twenty(ledger: &Ledger, part: Part, flush_after: usize) -> Duration {
    let tx_bytes = if matches!(part, Part::Append) { 3900 } else { 10 };
    let mut total = Duration::ZERO;
    for number in 1..=20 {
        let (appended, staged) = step(ledger, TXS, KEYS, tx_bytes);
        total += if matches!(part, Part::Append) { appended } else { staged };
        if number % flush_after == 0 {
            let flushed = flush(ledger);
            if matches!(part, Part::StageAndFlush) {
                total += flushed;
            }
        }
    }
    total
}

const PARTS: [(&str, Part, usize); 4] = [
    ("append", Part::Append, 20),
    ("stage", Part::Stage, 5),
    ("stage, flush each", Part::StageAndFlush, 1),
    ("stage, flush five", Part::StageAndFlush, 5),
];

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fresh");
    group.throughput(Throughput::Elements(20 * TXS as u64)).sample_size(10);
    for (name, part, flush_after) in PARTS {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let fresh = |_| {
                    let dir = tempfile::tempdir().unwrap();
                    twenty(&open(dir.path()), part, flush_after)
                };
                (0..iterations).map(fresh).sum()
            });
        });
    }
    group.finish();
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    for _ in 0..100 {
        step(&ledger, 10_000, KEYS, 1);
        flush(&ledger);
    }
    let mut group = criterion.benchmark_group("large");
    group.throughput(Throughput::Elements(20 * TXS as u64)).sample_size(10);
    for (name, part, flush_after) in &PARTS[1..] {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| twenty(&ledger, *part, *flush_after)).sum());
        });
    }
    group.finish();
    read(criterion, "large", &ledger);
    drop(ledger);
    criterion.bench_function("open/large", |bencher| {
        bencher.iter_custom(|iterations| {
            let opened = |_| {
                let start = cpu_time();
                let ledger = open(dir.path());
                let took = cpu_time().saturating_sub(start);
                assert!(ledger.savepoint().is_some());
                took
            };
            (0..iterations).map(opened).sum()
        });
    });
}

fn read(criterion: &mut Criterion, name: &str, ledger: &Ledger) {
    let made = make(7, &[], 10_000, 1_000_000, 1);
    let view = ledger.view().unwrap();
    let mut group = criterion.benchmark_group(format!("read/{name}"));
    group.bench_function("version", |bencher| {
        let mut keys = made.keys.iter().cycle();
        let next = || keys.next().unwrap();
        bencher.iter_batched(
            next,
            |key| view.version(StateKey { namespace: "perf", collection: "", key: key.as_bytes() }).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("tx id", |bencher| {
        let mut ids = made.tx_ids.iter().cycle();
        let next = || ids.next().unwrap();
        bencher.iter_batched(next, |id| view.tx_id_exists(id).unwrap(), BatchSize::SmallInput);
    });
    group.finish();
    criterion.bench_function(&format!("read/{name}/open view"), |bencher| bencher.iter(|| ledger.view().unwrap()));
}

criterion_group!(benches, commit);
criterion_main!(benches);

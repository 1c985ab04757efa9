// SPDX-License-Identifier: Apache-2.0
//! The judge against the product, over contention, block size and kind of transaction.
//!
//! Two reads and two writes each, of 100,000 accounts in memory. Contention is how many accounts a block's transactions
//! choose from; their reads are those of an honest simulation on committed state.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastledger_mvcc::testing::{MemoryState, transactions};
use fastledger_mvcc::{StateKey, Transaction, VersionedValue, parallel, sequential, update_bytes};
use fastledger_wire::Height;
use fastledger_wire::rwset::{
    KvRead, KvRwSet, KvWrite, NsRwSet, QueryReads, RangeQueryInfo, ReadsInfo, TxRwSet, Version,
};

const ACCOUNTS: usize = 100_000;
const COMMITTED: Height = Height { block: 1, tx: 0 };
const VERSION: Version = Version { block_num: 1, tx_num: 0 };
const BLOCK: u64 = 2;

struct Bank {
    names: Vec<String>,
    state: MemoryState,
}

impl Bank {
    fn new() -> Self {
        let names: Vec<_> = (0..ACCOUNTS).map(|number| format!("account{number:08}")).collect();
        let mut state = MemoryState::default();
        for name in &names {
            let key = StateKey { namespace: "bank", collection: "", key: name.as_bytes() };
            let (value, metadata) = (b"balance: 1000000".into(), b"".into());
            state.put(key, Some(VersionedValue { value, metadata, version: COMMITTED }));
        }
        Self { names, state }
    }

    /// Transfers between accounts chosen from the first `accounts`, evenly spread over all.
    fn transfers(&self, count: usize, accounts: usize) -> Vec<TxRwSet<'_>> {
        let mut seed = 1u64;
        let mut account = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chosen = usize::try_from(seed >> 33).unwrap_or_default() % accounts;
            self.names[chosen * (ACCOUNTS / accounts)].as_str()
        };
        (0..count).map(|_| transfer([account(), account()])).collect()
    }

    /// Transfers between accounts that no other transaction of the block touches.
    fn separate(&self, count: usize) -> Vec<TxRwSet<'_>> {
        let step = ACCOUNTS / (2 * count);
        (0..count)
            .map(|index| [2 * index * step, (2 * index + 1) * step].map(|at| self.names[at].as_str()))
            .map(transfer)
            .collect()
    }

    /// Every tenth transaction reads a range of 20 accounts.
    fn with_ranges(&self, count: usize) -> Vec<TxRwSet<'_>> {
        let mut rwsets = self.separate(count);
        for (index, rwset) in rwsets.iter_mut().enumerate().step_by(10) {
            let names = &self.names[index..=index + 20];
            let kv_reads = names[..20].iter().map(|key| KvRead { key, version: Some(VERSION) }).collect();
            rwset.namespaces[0].public.range_queries_info.push(RangeQueryInfo {
                start_key: &names[0],
                end_key: &names[20],
                itr_exhausted: true,
                reads_info: ReadsInfo::RawReads(QueryReads { kv_reads }),
            });
        }
        rwsets
    }
}

fn transfer(accounts: [&str; 2]) -> TxRwSet<'_> {
    let reads = accounts.map(|key| KvRead { key, version: Some(VERSION) }).into();
    let writes = accounts.map(|key| KvWrite { key, is_delete: false, value: b"balance: 999999" }).into();
    let public = KvRwSet { reads, writes, ..KvRwSet::default() };
    TxRwSet { namespaces: vec![NsRwSet { namespace: "bank", public, collections: Vec::new() }] }
}

fn compare(criterion: &mut Criterion, group: &str, bank: &Bank, blocks: &[(String, Vec<TxRwSet<'_>>)]) {
    let mut group = criterion.benchmark_group(group);
    for (name, rwsets) in blocks {
        let txs: Vec<Transaction<'_>> = transactions(rwsets);
        group.throughput(Throughput::Elements(txs.len() as u64));
        group.bench_function(BenchmarkId::new("sequential", name), |bencher| {
            bencher.iter(|| black_box(sequential::validate(BLOCK, &txs, &bank.state)));
        });
        for workers in [1, 2] {
            group.bench_function(BenchmarkId::new(format!("parallel-{workers}"), name), |bencher| {
                bencher.iter(|| black_box(parallel::validate(BLOCK, &txs, &bank.state, workers)));
            });
        }
    }
    group.finish();
}

fn contention(criterion: &mut Criterion) {
    let bank = Bank::new();
    let mut blocks = vec![("none".to_owned(), bank.separate(500))];
    for accounts in [10_000, 1_000, 100, 1] {
        blocks.push((format!("{accounts}-accounts"), bank.transfers(500, accounts)));
    }
    blocks.push(("tenth-with-range".to_owned(), bank.with_ranges(500)));
    compare(criterion, "contention", &bank, &blocks);
}

fn block_size(criterion: &mut Criterion) {
    let bank = Bank::new();
    let blocks = [10, 100, 500, 2_000, 10_000].map(|count| (count.to_string(), bank.separate(count)));
    compare(criterion, "block-size", &bank, &blocks);
}

fn commit_hash(criterion: &mut Criterion) {
    let bank = Bank::new();
    let rwsets = bank.separate(500);
    let txs = transactions(&rwsets);
    let Ok(outcome) = sequential::validate(BLOCK, &txs, &bank.state);
    let mut group = criterion.benchmark_group("update-bytes");
    group.throughput(Throughput::Elements(500));
    group.bench_function("500", |bencher| bencher.iter(|| black_box(update_bytes(&outcome.batch))));
    group.finish();
}

criterion_group!(benches, contention, block_size, commit_hash);
criterion_main!(benches);

// SPDX-License-Identifier: Apache-2.0
//! Made-up chains for tests.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;

use fastledger_ledger::{Appended, CommittedBlock, Expiry, HistoryWrite, Ledger, Options, Recovery};
use fastledger_mvcc::state::{StateKey, Update, UpdateBatch};
use fastledger_wire::common::BlockHeader;
use fastledger_wire::{Hash, Height, block, hash};

/// Small enough for every way of the changes to be taken: staged, journaled, together, merged.
pub fn options() -> Options {
    Options { map_bytes: 16 << 20, layer_bytes: LAYER_BYTES.get(), ..Options::default() }
}

thread_local! {
    static LAYER_BYTES: Cell<usize> = const { Cell::new(20_000) };
    static FLUSH_EACH: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test with everything in layers, and with everything merged as soon as possible.
pub fn in_layers_and_merged(test: impl Fn()) {
    for (layer_bytes, flush_each) in [(64 << 20, false), (64 << 20, true), (0, true)] {
        LAYER_BYTES.set(layer_bytes);
        FLUSH_EACH.set(flush_each);
        test();
    }
}

pub fn open(dir: &Path) -> (Ledger, Recovery) {
    Ledger::open(dir, options()).unwrap()
}

/// The record of a block with `txs` made-up transactions of `tx_bytes` bytes.
pub fn record(number: u64, previous: &[u8], txs: usize, tx_bytes: usize) -> Vec<u8> {
    let data: Vec<Vec<u8>> = (0..txs)
        .map(|tx| {
            let seed = hash::sha256(&[&number.to_be_bytes(), &(tx as u64).to_be_bytes()]);
            seed.iter().copied().cycle().take(tx_bytes).collect()
        })
        .collect();
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let data_hash = hash::data_hash(&data);
    let header = BlockHeader { number, previous_hash: previous, data_hash: &data_hash };
    block::encode_record(&header, &data, &[b"", b"", &vec![0; txs]])
}

pub fn append(ledger: &Ledger, txs: usize, tx_bytes: usize) -> Appended {
    let previous = ledger.tip().map_or(vec![], |tip| tip.header_hash.to_vec());
    ledger.append(&record(ledger.height(), &previous, txs, tx_bytes)).unwrap()
}

/// A state of the test's model: namespace, collection, key.
pub type ModelKey = (String, String, Vec<u8>);

/// One block of effects.
#[derive(Default, Clone)]
pub struct Effects {
    pub puts: Vec<(ModelKey, u64, Vec<u8>, Vec<u8>)>,
    pub deletes: Vec<(ModelKey, u64)>,
    pub tx_ids: Vec<String>,
    pub history: Vec<(String, String, u64)>,
    pub expiries: Vec<(ModelKey, u64)>,
    pub collections: Vec<(String, Vec<u8>)>,
    pub explanations: Vec<u8>,
}

pub fn key(namespace: &str, collection: &str, key: &[u8]) -> ModelKey {
    (namespace.into(), collection.into(), key.into())
}

pub fn state_key(key: &ModelKey) -> StateKey<'_> {
    StateKey { namespace: &key.0, collection: &key.1, key: &key.2 }
}

impl Effects {
    pub fn put(mut self, key: ModelKey, tx: u64, value: &str) -> Self {
        self.puts.push((key, tx, value.into(), vec![]));
        self
    }

    pub fn batch(&self, block: u64) -> UpdateBatch<'_> {
        let mut batch = UpdateBatch::default();
        for (key, tx, value, metadata) in &self.puts {
            let state = Some((Cow::Borrowed(value.as_slice()), Cow::Borrowed(metadata.as_slice())));
            batch.insert(Update { key: state_key(key), version: Height { block, tx: *tx }, state });
        }
        for (key, tx) in &self.deletes {
            batch.insert(Update { key: state_key(key), version: Height { block, tx: *tx }, state: None });
        }
        batch
    }

    pub fn commit_hash(block: u64) -> Option<Hash> {
        (block > 0).then(|| hash::sha256(&[b"commit", &block.to_be_bytes()]))
    }

    pub fn with<T>(&self, appended: &Appended, work: impl FnOnce(&CommittedBlock<'_>) -> T) -> T {
        let number = appended.tip.number;
        let batch = self.batch(number);
        work(&CommittedBlock {
            tip: appended.tip,
            location: appended.location,
            updates: &batch,
            tx_ids: (0..).zip(&self.tx_ids).map(|(tx, id)| (tx, Cow::Borrowed(id.as_str()), 0)).collect(),
            history: self
                .history
                .iter()
                .map(|(namespace, key, tx)| HistoryWrite { namespace, key: key.as_bytes(), tx: *tx })
                .collect(),
            commit_hash: Self::commit_hash(number),
            collection_configs: self
                .collections
                .iter()
                .map(|(chaincode, package)| (chaincode.as_str(), Cow::Borrowed(package.as_slice())))
                .collect(),
            expiries: self
                .expiries
                .iter()
                .map(|(key, expiring_block)| Expiry { key: state_key(key), expiring_block: *expiring_block })
                .collect(),
            explanations: Cow::Borrowed(&self.explanations),
        })
    }

    /// Appends a block of one transaction and stages the effects.
    pub fn stage(&self, ledger: &Ledger) -> Appended {
        let appended = append(ledger, 1, 100);
        self.with(&appended, |block| ledger.stage(block)).unwrap();
        if FLUSH_EACH.get() {
            ledger.flush().unwrap();
        }
        appended
    }

    /// Appends, stages and flushes.
    pub fn commit(&self, ledger: &Ledger) -> Appended {
        let appended = self.stage(ledger);
        ledger.flush().unwrap();
        appended
    }
}

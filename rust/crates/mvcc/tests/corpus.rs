// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric peers made: their MVCC codes, commit hashes and final states, from the read-write sets
//! of the transactions that their other checks let pass.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::{BTreeMap, BTreeSet};

use fastledger_mvcc::testing::MemoryState;
use fastledger_mvcc::{
    Conflict, StateKey, StateReader, Transaction, UpdateBatch, Validated, commit_hash, parallel, sequential,
    update_bytes,
};
use fastledger_vectors::{Corpus, Verdict};
use fastledger_wire::common::{Block, ChannelHeader, Envelope, Payload, header_type};
use fastledger_wire::hash::{hex, sha256};
use fastledger_wire::lifecycle::StateData;
use fastledger_wire::peer::{
    ChaincodeAction, ChaincodeActionPayload, CollectionConfig, CollectionConfigPackage, ProposalResponsePayload,
};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{Hash, Message, TxValidationCode};
use serde_json::Value;

const MVCC_CODES: [TxValidationCode; 3] =
    [TxValidationCode::Valid, TxValidationCode::MvccReadConflict, TxValidationCode::PhantomReadConflict];

#[test]
fn small() {
    assert_eq!(replay(&Corpus::kept("fabric-3.1/small")), (84, BTreeSet::from([0, 11, 12])));
}

#[test]
fn bypass() {
    assert_eq!(replay(&Corpus::kept("fabric-3.1/bypass")), (31, BTreeSet::from([0, 11])));
}

#[test]
fn malformed() {
    assert_eq!(replay(&Corpus::kept("fabric-3.1/malformed")), (17, BTreeSet::from([0])));
}

#[test]
fn pvt14() {
    assert_eq!(replay(&Corpus::kept("fabric-1.4/pvt14")), (51, BTreeSet::from([0, 11, 12])));
}

#[test]
fn fabric_1_4_networks() {
    for corpus in ["fabric-1.4/v11", "fabric-1.4/v14", "fabric-1.4/tls"] {
        assert!(replay(&Corpus::kept(corpus)).0 > 10, "{corpus}");
    }
}

#[test]
fn perf_contended() {
    if let Some(corpus) = Corpus::further("fabric-3.1/perf-contended") {
        assert_eq!(replay(&corpus), (26, BTreeSet::from([0, 11])));
    }
}

#[test]
fn perf_2of2() {
    if let Some(corpus) = Corpus::further("fabric-3.1/perf-2of2") {
        assert_eq!(replay(&corpus), (29, BTreeSet::from([0])));
    }
}

/// How many blocks went the real peer's way, and which MVCC codes that took.
fn replay(corpus: &Corpus) -> (u64, BTreeSet<u8>) {
    let name = &corpus.name;
    let mut ledger = Ledger::default();
    let blocks = corpus.delivered_blocks();
    for ((number, block), verdict) in (0..).zip(&blocks).zip(corpus.verdicts()) {
        ledger.commit(number, block, &verdict, name);
    }
    if let Some(expected) = corpus.files.get("expected_state.jsonl") {
        ledger.compare_state(std::str::from_utf8(expected).unwrap());
    }
    (blocks.len() as u64, ledger.codes)
}

/// The read-write set of an endorsed transaction, `None` for a configuration.
fn rwset(entry: &[u8]) -> Option<TxRwSet<'_>> {
    let payload = Payload::decode(Envelope::decode(entry).unwrap().payload).unwrap();
    let header = ChannelHeader::decode(payload.header.unwrap().channel_header).unwrap();
    if header.r#type != header_type::ENDORSER_TRANSACTION {
        return None;
    }
    let transaction = fastledger_wire::peer::Transaction::decode(payload.data).unwrap();
    let action = ChaincodeActionPayload::decode(transaction.actions[0].payload).unwrap().action.unwrap();
    let response = ProposalResponsePayload::decode(action.proposal_response_payload).unwrap();
    Some(TxRwSet::decode(ChaincodeAction::decode(response.extension).unwrap().results).unwrap())
}

/// A collection's hashed key that a block wrote.
type Expiring = (String, String, Vec<u8>, u64);

#[derive(Default)]
struct Ledger {
    state: MemoryState,
    commit_hash: Option<Hash>,
    /// By the block that purges them.
    expiry: BTreeMap<u64, Vec<Expiring>>,
    codes: BTreeSet<u8>,
}

impl Ledger {
    fn commit(&mut self, number: u64, block: &[u8], record: &Verdict, corpus: &str) {
        let entries = Block::decode(block).unwrap().data.unwrap().data;
        assert_eq!(entries.len(), record.codes.len(), "{corpus}, block {number}");
        let judged = (0..)
            .zip(&entries)
            .zip(&record.codes)
            .filter(|(_, code)| TxValidationCode::from_number(**code).is_some_and(|code| MVCC_CODES.contains(&code)));
        let rwsets: Vec<_> = judged.filter_map(|((index, entry), code)| Some((index, rwset(entry)?, *code))).collect();
        let txs: Vec<_> = rwsets.iter().map(|(index, rwset, _)| Transaction { rwset, index: *index }).collect();

        let outcome = self.validate(number, &txs);
        let mut conflicts = outcome.conflicts.iter().peekable();
        for (index, _, recorded) in &rwsets {
            let conflict = conflicts.next_if(|(invalid, _)| invalid == index).map(|(_, conflict)| conflict);
            let code = conflict.map_or(TxValidationCode::Valid, Conflict::code);
            assert_eq!(code as u8, *recorded, "{corpus}, transaction {number}:{index}: {conflict:?}");
            self.codes.insert(*recorded);
        }
        if number > 0 {
            let updates = update_bytes(&outcome.batch);
            let found = commit_hash(&record.codes, &updates, self.commit_hash.as_ref());
            assert_eq!(hex(&found), hex(&record.commit_hash), "{corpus}, commit hash of block {number}");
            self.commit_hash = Some(found);
        }
        self.apply(number, &outcome.batch);
    }

    fn validate<'a>(&self, number: u64, txs: &[Transaction<'a>]) -> Validated<'a> {
        let judged = sequential::validate(number, txs, &self.state).unwrap();
        for workers in [1, 3] {
            assert_eq!(parallel::validate(number, txs, &self.state, workers).unwrap(), judged, "{workers} workers");
        }
        judged
    }

    /// Commits a block, and purges the hashed keys that end their blockToLive with it
    /// (`pvtstatepurgemgmt/purge_mgr.go`).
    fn apply(&mut self, number: u64, batch: &UpdateBatch<'_>) {
        let expiring = self.expiry.remove(&number).unwrap_or_default();
        for (namespace, collection, key, written) in &expiring {
            let key = StateKey { namespace, collection, key };
            let Ok(version) = self.state.version(key);
            if batch.get(key).is_none() && version.is_some_and(|version| version.block == *written) {
                self.state.put(key, None);
            }
        }
        self.state.apply(batch);
        for update in batch.updates.iter().filter(|update| update.state.is_some()) {
            let StateKey { namespace, collection, key } = update.key;
            if let Some(blocks) = self.block_to_live(namespace, collection) {
                let expiring = (namespace.to_owned(), collection.to_owned(), key.to_vec(), number);
                self.expiry.entry(number + blocks + 1).or_default().push(expiring);
            }
        }
    }

    /// From the chaincode's definition, of either lifecycle.
    fn block_to_live(&self, chaincode: &str, collection: &str) -> Option<u64> {
        let public = |namespace, key: &str| {
            let Ok(found) = self.state.get(StateKey { namespace, collection: "", key: key.as_bytes() });
            found.map(|found| found.value.into_owned())
        };
        let field = public("_lifecycle", &format!("namespaces/fields/{chaincode}/Collections"));
        let field = field.as_deref().map(|field| StateData::decode(field).unwrap());
        let record = public("lscc", &format!("{chaincode}~collection"));
        let package = match &field {
            Some(StateData::Bytes(package)) => package,
            _ => record.as_deref()?,
        };
        let package = CollectionConfigPackage::decode(package).unwrap();
        package.config.iter().find_map(|config| match config {
            CollectionConfig::Static(config) if config.name == collection => {
                (config.block_to_live > 0).then_some(config.block_to_live)
            }
            _ => None,
        })
    }

    /// All of state but the channel's configuration.
    fn compare_state(&self, jsonl: &str) {
        let expected: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: BTreeSet<String> =
            expected.iter().filter(|line| line["namespace"] != "").map(expected_line).collect();
        let found: BTreeSet<String> = self
            .state
            .iter()
            .map(|(key, value)| {
                let StateKey { namespace, collection, key } = key;
                let (key, metadata, version) = (hex(key), hex(&value.metadata), value.version);
                format!("{namespace} {collection} {key} {} {version} {metadata}", hex(&sha256(&[&value.value])))
            })
            .collect();
        assert!(expected.len() > 10);
        let difference: Vec<_> = expected.symmetric_difference(&found).collect();
        assert!(difference.is_empty(), "{difference:#?}");
    }
}

fn expected_line(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let key = if line["key"].is_string() { hex(text("key").as_bytes()) } else { text("key_hex").to_owned() };
    let [namespace, collection, value, version, metadata] =
        ["namespace", "collection", "value_sha256", "version", "metadata_hex"].map(text);
    format!("{namespace} {collection} {key} {value} {version} {metadata}")
}

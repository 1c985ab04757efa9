// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric peers made: their MVCC codes, commit hashes and final states, from the read-write sets
//! of the transactions that their other checks let pass.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use fastledger_mvcc::testing::MemoryState;
use fastledger_mvcc::{
    Conflict, Outcome, StateKey, StateReader, Transaction, UpdateBatch, commit_hash, parallel, sequential, update_bytes,
};
use fastledger_wire::common::{Block, ChannelHeader, Envelope, Metadata, Payload, header_type, metadata_slot};
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
    assert_eq!(replay("fabric-3.1/small.tar.zst"), Some((84, BTreeSet::from([0, 11, 12]))));
}

#[test]
fn bypass() {
    assert_eq!(replay("fabric-3.1/bypass.tar.zst"), Some((31, BTreeSet::from([0, 11]))));
}

#[test]
fn malformed() {
    assert_eq!(replay("fabric-3.1/malformed.tar.zst"), Some((17, BTreeSet::from([0]))));
}

#[test]
fn pvt14() {
    assert_eq!(replay("fabric-1.4/pvt14.tar.zst"), Some((51, BTreeSet::from([0, 11, 12]))));
}

#[test]
fn fabric_1_4_networks() {
    for corpus in ["v11", "v14", "tls"] {
        assert!(replay(&format!("fabric-1.4/{corpus}.tar.zst")).is_some_and(|(blocks, _)| blocks > 10), "{corpus}");
    }
}

#[test]
fn perf_contended() {
    let replayed = replay("fabric-3.1/perf-contended.tar.zst");
    assert!(replayed.is_none_or(|replayed| replayed == (26, BTreeSet::from([0, 11]))));
}

#[test]
fn perf_2of2() {
    let replayed = replay("fabric-3.1/perf-2of2.tar.zst");
    assert!(replayed.is_none_or(|replayed| replayed == (29, BTreeSet::from([0]))));
}

/// How many blocks went the real peer's way, and which MVCC codes that took; `None` when the corpus is not at hand.
fn replay(name: &str) -> Option<(u64, BTreeSet<u8>)> {
    let corpus = Corpus::open(name)?;
    let mut ledger = Ledger::default();
    let mut number = 0;
    while let Some(record) = corpus.block(number) {
        ledger.commit(number, &record, name);
        number += 1;
    }
    if let Some(expected) = corpus.files.get("expected_state.jsonl") {
        ledger.compare_state(std::str::from_utf8(expected).unwrap());
    }
    Some((number, ledger.codes))
}

/// What the peer recorded of a block.
struct Record<'c> {
    bytes: &'c [u8],
    filter: Vec<u8>,
    commit_hash: Vec<u8>,
}

struct Corpus {
    /// By their paths inside the archive.
    files: BTreeMap<String, Vec<u8>>,
    expected: Option<Value>,
}

impl Corpus {
    /// The large corpora are not kept in the repository.
    fn open(name: &str) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let places = [root.join("tests/vectors").join(name), root.join("../shared/corpus").join(name)];
        let Some(path) = places.iter().find(|path| path.exists()) else {
            eprintln!("skipped: {name} is neither in tests/vectors nor in ../shared/corpus");
            return None;
        };
        let archive = zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let inside: PathBuf = path.components().skip(1).collect();
            files.insert(inside.to_str().unwrap().to_owned(), bytes);
        }
        let expected = files.get("expected.json").map(|json| serde_json::from_slice(json).unwrap());
        Some(Self { files, expected })
    }

    fn block(&self, number: u64) -> Option<Record<'_>> {
        if let Some(expected) = &self.expected {
            let bytes = self.files.get(&format!("blocks_orderer/{number:06}.block"))?;
            let index = usize::try_from(number).unwrap();
            let block = &expected["blocks"][index];
            let field = |name: &str| unhex(block[name].as_str().unwrap_or_default());
            return Some(Record { bytes, filter: field("transactions_filter_hex"), commit_hash: field("commit_hash") });
        }
        let bytes = self.files.get(&format!("mychannel/peer_{number:03}.block"))?;
        let slots = Block::decode(bytes).unwrap().metadata.unwrap().metadata;
        let commit_hash = Metadata::decode(slots.get(metadata_slot::COMMIT_HASH).copied().unwrap_or_default());
        let filter = slots[metadata_slot::TRANSACTIONS_FILTER].to_vec();
        Some(Record { bytes, filter, commit_hash: commit_hash.unwrap().value.to_vec() })
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
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
    fn commit(&mut self, number: u64, record: &Record<'_>, corpus: &str) {
        let entries = Block::decode(record.bytes).unwrap().data.unwrap().data;
        assert_eq!(entries.len(), record.filter.len(), "{corpus}, block {number}");
        let judged = (0..)
            .zip(&entries)
            .zip(&record.filter)
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
            let found = commit_hash(&record.filter, &updates, self.commit_hash.as_ref());
            assert_eq!(hex(&found), hex(&record.commit_hash), "{corpus}, commit hash of block {number}");
            self.commit_hash = Some(found);
        }
        self.apply(number, &outcome.batch);
    }

    fn validate<'a>(&self, number: u64, txs: &[Transaction<'a>]) -> Outcome<'a> {
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

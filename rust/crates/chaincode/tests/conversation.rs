// SPDX-License-Identifier: Apache-2.0
//! What a chaincode gets for what it says, and what is left to whoever began the transaction.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use fastledger_chaincode::{Beginning, Conversation, Limits, Setting, Transaction, Whose};
use fastledger_comm::{Answer, Responder};
use fastledger_mvcc::{StateKey, VersionedValue};
use fastledger_simulator::{Failure, Page, Row, Simulation, State};
use fastledger_wire::shim::ChaincodeMessage;
use fastledger_wire::{Height, Message, encode};

const LIMITS: Limits = Limits {
    payload_bytes: 1000,
    values_bytes: 2000,
    page_rows: 2,
    query_rows: 5,
    open_queries: 3,
    transaction_bytes: 10_000,
    request_bytes: 64,
    large_batch_bytes: 200,
};

const ERROR: i32 = 7;
const GET: i32 = 8;
const PUT: i32 = 9;
const DELETE: i32 = 10;
const INVOKE: i32 = 11;
const RESPONSE: i32 = 13;
const RANGE: i32 = 14;
const NEXT: i32 = 16;
const CLOSE: i32 = 17;
const KEEPALIVE: i32 = 18;
const GET_METADATA: i32 = 20;
const BATCH: i32 = 24;
const GET_MULTIPLE: i32 = 25;

struct Memory(BTreeMap<String, Vec<u8>>);

fn versioned(value: &[u8]) -> VersionedValue<'static> {
    // kvrwset.KVMetadataWrite { entries { name "m", value "1" } }
    let metadata = [0x12, 6, 0x0a, 1, b'm', 0x12, 1, b'1'].to_vec();
    VersionedValue { value: value.to_vec().into(), metadata: metadata.into(), version: Height { block: 3, tx: 1 } }
}

impl State for Memory {
    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Failure> {
        assert_ne!(key.key, b"defect", "tried out");
        Ok(self.0.get(std::str::from_utf8(key.key).unwrap()).map(|value| versioned(value)))
    }

    fn page(&self, _namespace: &str, start: &[u8], end: &str) -> Result<Page, Failure> {
        let start = std::str::from_utf8(start).unwrap().to_owned();
        let rows = self.0.range(start..).filter(|(key, _)| end.is_empty() || key.as_str() < end);
        let rows: VecDeque<_> = rows.map(|(key, value)| Row { key: key.clone(), value: versioned(value) }).collect();
        Ok((rows, None))
    }
}

struct Scene {
    conversation: Conversation,
    simulation: Arc<Simulation>,
    transaction: Arc<Transaction>,
}

impl Scene {
    fn new() -> Self {
        let state = (0..9).map(|number| (format!("k{number}"), b"v".to_vec())).collect();
        let simulation = Arc::new(Simulation::new(Arc::new(Memory(state)), "tx".to_owned()));
        let conversation = Conversation::new("cc:1".to_owned(), LIMITS);
        let setting = Setting {
            channel_id: "ch".to_owned(),
            tx_id: "tx".to_owned(),
            namespace: "cc".to_owned(),
            simulation: Some(Arc::clone(&simulation)),
            key_level_endorsement: Some(true),
        };
        let beginning = Beginning { is_init: false, input: b"", proposal: b"" };
        let transaction = conversation.begin(setting, &beginning).unwrap();
        Self { conversation, simulation, transaction }
    }

    fn say(&self, kind: i32, payload: &[u8]) -> Answer {
        self.conversation.respond(&Bytes::from(message(kind, payload, "tx")))
    }

    /// The type and payload of an answer that is given at once.
    fn ask(&self, kind: i32, payload: &[u8]) -> (i32, Vec<u8>) {
        match self.say(kind, payload) {
            Answer::Send(answer) => read(&answer),
            other => panic!("{kind} is not answered: {other:?}"),
        }
    }

    fn error(&self, kind: i32, payload: &[u8]) -> String {
        let (answered, text) = self.ask(kind, payload);
        assert_eq!(answered, ERROR);
        String::from_utf8(text).unwrap()
    }
}

fn message(kind: i32, payload: &[u8], tx_id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode::varint_field(&mut out, 1, u64::from(kind.unsigned_abs()));
    encode::bytes_field(&mut out, 3, payload);
    encode::bytes_field(&mut out, 4, tx_id.as_bytes());
    encode::bytes_field(&mut out, 7, b"ch");
    out
}

fn read(message: &[u8]) -> (i32, Vec<u8>) {
    let message = ChaincodeMessage::decode(message).unwrap();
    assert_eq!((message.txid, message.channel_id), ("tx", "ch"));
    (message.r#type, message.payload.to_vec())
}

/// A message of texts and bytes, by field number.
fn fields(values: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in values {
        encode::bytes_field(&mut out, *number, value);
    }
    out
}

fn page(size: u64) -> Vec<u8> {
    let mut metadata = Vec::new();
    encode::varint_field(&mut metadata, 1, size);
    fields(&[(4, &metadata)])
}

#[test]
fn public_state_is_read_and_written() {
    let scene = Scene::new();
    assert_eq!(scene.ask(GET, &fields(&[(1, b"k1")])), (RESPONSE, b"v".to_vec()));
    assert_eq!(scene.ask(GET, &fields(&[(1, b"none")])), (RESPONSE, Vec::new()));
    let several = fields(&[(1, b"none"), (1, b"k2")]);
    assert_eq!(scene.ask(GET_MULTIPLE, &several), (RESPONSE, vec![0x0a, 0, 0x0a, 1, b'v']));
    let metadata = [0x0a, 6, 0x0a, 1, b'm', 0x12, 1, b'1'].to_vec();
    assert_eq!(scene.ask(GET_METADATA, &fields(&[(1, b"k1")])), (RESPONSE, metadata));
    assert_eq!(scene.ask(PUT, &fields(&[(1, b"a"), (2, b"1")])), (RESPONSE, Vec::new()));
    assert_eq!(scene.ask(DELETE, &fields(&[(1, b"k1")])), (RESPONSE, Vec::new()));
    let (public, private) = scene.simulation.results();
    let (read, absent) = (fields(&[(1, b"k1"), (2, &[8, 3, 16, 1])]), fields(&[(1, b"none")]));
    let second = fields(&[(1, b"k2"), (2, &[8, 3, 16, 1])]);
    let (put, deleted) = (fields(&[(1, b"a"), (3, b"1")]), [&fields(&[(1, b"k1")])[..], &[16, 1]].concat());
    let set = fields(&[(1, &read), (1, &second), (1, &absent), (3, &put), (3, &deleted)]);
    assert_eq!(public, fields(&[(2, &fields(&[(1, b"cc"), (2, &set)]))]));
    assert_eq!(private, None);
}

#[test]
fn what_python_decides_is_passed_on_and_blocks_the_transaction_until_it_is_answered() {
    let private = fields(&[(1, b"k"), (2, b"collection")]);
    let purge = fields(&[(1, &[&fields(&[(1, b"k")])[..], &[40, 23]].concat())]);
    for (kind, payload) in [(GET, &private), (INVOKE, &private), (15, &private), (19, &private), (BATCH, &purge)] {
        let scene = Scene::new();
        assert!(matches!(scene.say(kind, payload), Answer::Pass), "{kind}");
        assert!(matches!(scene.say(GET, b""), Answer::Nothing), "one request at a time");
        scene.conversation.reply(&scene.transaction, Vec::new());
        assert_eq!(scene.ask(GET, b"").0, RESPONSE);
    }
}

#[test]
fn what_may_take_long_is_passed_on_and_answered_by_the_same_code() {
    let scene = Scene::new();
    let many = fields(&[(1, &[b'k'; 201])]);
    for (kind, payload) in [(GET_MULTIPLE, &many), (RANGE, &page(3)), (RANGE, &page(u64::MAX))] {
        assert!(matches!(scene.say(kind, payload), Answer::Pass), "{kind}");
        assert_eq!(scene.transaction.whose(kind, payload), Whose::OursSlowly);
        let answer = scene.transaction.answer(kind, payload).unwrap();
        assert_eq!(read(&answer).0, RESPONSE);
        scene.conversation.reply(&scene.transaction, answer);
    }
    assert_eq!(scene.ask(RANGE, &page(2)).0, RESPONSE);
    assert_eq!(scene.transaction.answer(INVOKE, b""), None);
}

#[test]
fn a_range_comes_in_messages_up_to_the_limit() {
    let scene = Scene::new();
    let mut answer = scene.ask(RANGE, b"").1;
    let id = fields(&[(1, b"0")]);
    let has_more = |answer: &[u8]| answer.ends_with(&[16, 1, 0x1a, 1, b'0']);
    for _ in 0..2 {
        assert!(has_more(&answer), "{answer:?}");
        answer = scene.ask(NEXT, &id).1;
    }
    assert!(!has_more(&answer));
    assert!(scene.error(NEXT, &id).ends_with("query iterator not found"));
    assert_eq!(scene.ask(CLOSE, &id), (RESPONSE, fields(&[(3, b"0")])));
}

#[test]
fn limits_hold() {
    let scene = Scene::new();
    for _ in 0..3 {
        assert_eq!(scene.ask(RANGE, b"").0, RESPONSE);
    }
    assert!(scene.error(RANGE, b"").ends_with("3 queries are open in this transaction; close some"));
    let large = fields(&[(1, b"k"), (2, &[b'v'; 999])]);
    let put: Vec<i32> = (0..12).map(|_| scene.say(PUT, &large)).map(|answer| kind_of(&answer)).collect();
    assert!(put.starts_with(&[RESPONSE; 8]) && put.ends_with(&[ERROR; 3]), "{put:?}");
    assert!(scene.error(GET, b"").ends_with("more than 10000 bytes; split it into smaller ones"));
}

fn kind_of(answer: &Answer) -> i32 {
    if let Answer::Send(answer) = answer { read(answer).0 } else { 0 }
}

#[test]
fn a_defect_costs_the_transaction() {
    let scene = Scene::new();
    let text = scene.error(GET, &fields(&[(1, b"defect")]));
    assert_eq!(text, "GET_STATE failed: transaction ID: tx: internal error, see the log of this node");
    assert!(scene.transaction.defect().unwrap().text.contains("tried out"));
}

#[test]
fn what_belongs_to_no_transaction_is_refused_and_what_no_chaincode_says_is_left_to_others() {
    let scene = Scene::new();
    let text = b"GET_STATE failed: transaction ID: tx: no ledger context";
    scene.simulation.done();
    assert_eq!(scene.ask(GET, b""), (ERROR, text.to_vec()));
    scene.conversation.end(&scene.transaction);
    assert_eq!(scene.ask(GET, b""), (ERROR, text.to_vec()));
    assert!(matches!(scene.say(KEEPALIVE, b""), Answer::Nothing));
    for kind in [0, 1, 6, ERROR, RESPONSE, 77] {
        assert!(matches!(scene.say(kind, b""), Answer::Pass), "{kind}");
    }
    assert!(matches!(scene.conversation.respond(&Bytes::from_static(b"\xff")), Answer::Pass));
}

// SPDX-License-Identifier: Apache-2.0
//! Messages on the wire, against what etcd's own releases wrote (`tests/vectors/raft/messages.txt`).

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::fmt::Write as _;
use std::fs;

use bytes::Bytes;
use fastledger_consensus::{ConfChange, ConfChangeKind, Message};
use fastledger_wire::protobuf::DecodeError;
use fastledger_wire::raftpb;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Bytes {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// What is in a message, as the vectors' maker says it.
fn told(message: &Message) -> String {
    let entry = |entry: &fastledger_consensus::Entry| {
        format!("{}/{}/{}/{}", u64::from(entry.kind), entry.term, entry.index, hex(&entry.data))
    };
    let entries: Vec<_> = message.entries.iter().map(entry).collect();
    let snapshot = message.snapshot.as_deref().cloned().unwrap_or_default();
    let voters: Vec<_> = snapshot.members.voters.iter().map(u64::to_string).collect();
    let Message { kind, to, from, term, log_term, index, commit, reject, reject_hint, context, .. } = message;
    format!(
        "type={} to={to} from={from} term={term} logTerm={log_term} index={index} commit={commit} reject={reject} \
         hint={reject_hint} context={} entries=[{}] snapshot={}/{}/[{}]/{}",
        u64::from(*kind),
        hex(context),
        entries.join(" "),
        snapshot.index,
        snapshot.term,
        voters.join(" "),
        hex(&snapshot.data)
    )
}

#[test]
fn messages_are_read_and_written_as_etcds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/vectors/raft/messages.txt");
    let text = fs::read_to_string(path).unwrap();
    let mut written = Vec::new();
    for line in text.lines() {
        let (release, rest) = line.split_once(' ').unwrap();
        let (encoded, expected) = rest.split_once(' ').unwrap();
        let message = Message::decode(&unhex(encoded)).unwrap();
        assert_eq!(told(&message), expected);
        // What 3.5 wrote is what is written; what 3.6 wrote says the same in another form.
        if release.starts_with("3.5") {
            assert_eq!(hex(&message.encode()), encoded);
        } else {
            written.push(message);
        }
    }
    assert!(written.len() >= 9, "messages of both releases");
}

#[test]
fn numbers_that_are_left_out_are_zero() {
    assert_eq!(Message::decode(&Bytes::new()).unwrap(), Message::new(0.into()));
    let change = ConfChange { kind: ConfChangeKind::AddNode, member: 300 };
    assert_eq!(hex(&change.encode()), "0800100018ac02");
    assert_eq!(ConfChange::decode(&unhex("18ac02")).unwrap(), change);
}

#[test]
fn a_message_of_too_many_tiny_elements_is_refused() {
    let entries = |count: usize| Bytes::from([0x3a, 0x00].repeat(count));
    assert_eq!(Message::decode(&entries(1 << 16)).unwrap().entries.len(), 1 << 16);
    assert_eq!(Message::decode(&entries((1 << 16) + 1)).unwrap_err(), DecodeError::Elements);
    let voters = |count: usize| {
        let conf_state = raftpb::ConfState { voters: vec![1; count], ..Default::default() };
        let metadata = raftpb::SnapshotMetadata { conf_state: Some(conf_state), index: 1, term: 1 };
        let snapshot = raftpb::Snapshot { data: &[], metadata: Some(metadata) };
        Bytes::from(raftpb::Message { snapshot: Some(snapshot), ..Default::default() }.encode())
    };
    assert!(Message::decode(&voters(1 << 12)).unwrap().snapshot.is_some());
    assert_eq!(Message::decode(&voters(1 << 16)).unwrap_err(), DecodeError::Elements);
}

// SPDX-License-Identifier: Apache-2.0
//! Parts of read-write sets in their wire form (`ledger/rwset`, `ledger/rwset/kvrwset`).

use fastledger_wire::Height;
use fastledger_wire::hash::sha256;

use crate::message::Message;

/// `KVRead`; no version means that the key did not exist.
pub(crate) fn read(key: &str, version: Option<Height>) -> Message {
    with_version(Message::new().bytes(1, key), version)
}

/// `KVReadHash`.
pub(crate) fn hashed_read(key: &str, version: Option<Height>) -> Message {
    with_version(Message::new().bytes(1, sha256(&[key.as_bytes()])), version)
}

fn with_version(read: Message, version: Option<Height>) -> Message {
    match version {
        Some(height) => read.present(2, Message::new().number(1, height.block).number(2, height.tx)),
        None => read,
    }
}

/// `KVWrite`.
pub(crate) fn write(key: &str, value: &[u8]) -> Message {
    Message::new().bytes(1, key).bytes(3, value)
}

/// `KVWriteHash`.
pub(crate) fn hashed_write(key: &str, value: &[u8]) -> Message {
    Message::new().bytes(1, sha256(&[key.as_bytes()])).bytes(3, sha256(&[value]))
}

/// `KVMetadataWrite` that gives a key an endorsement policy, an encoded `SignaturePolicyEnvelope`.
pub(crate) fn policy_write(key: &str, policy: &[u8]) -> Message {
    let entry = Message::new().bytes(1, "VALIDATION_PARAMETER").bytes(2, policy);
    Message::new().bytes(1, key).present(2, entry)
}

/// `RangeQueryInfo` of a query that was read to its end, with all its results.
pub(crate) fn range_query(start: &str, end: &str, results: impl Iterator<Item = Message>) -> Message {
    Message::new().bytes(1, start).bytes(2, end).number(3, 1).present(4, Message::new().repeated(1, results))
}

/// `CollectionHashedReadWriteSet`: hashed reads and writes, and the private writes themselves, of which the hash stays.
pub(crate) fn collection(name: &str, reads: impl IntoIterator<Item = Message>, writes: &[(&str, &[u8])]) -> Message {
    let hashed_writes = writes.iter().map(|(key, value)| hashed_write(key, value));
    let hashed = Message::new().repeated(1, reads).repeated(2, hashed_writes);
    let collection = Message::new().bytes(1, name).bytes(2, hashed);
    if writes.is_empty() {
        return collection;
    }
    let private = Message::new().repeated(3, writes.iter().map(|(key, value)| write(key, value)));
    collection.bytes(3, sha256(&[private.as_ref()]))
}

/// `NsReadWriteSet`: an encoded `KVRWSet` and the collections.
pub(crate) fn namespace(name: &str, public: &Message, collections: impl IntoIterator<Item = Message>) -> Message {
    Message::new().bytes(1, name).bytes(2, public).repeated(3, collections)
}

/// `TxReadWriteSet`; namespaces stand in the order of their names.
pub(crate) fn transaction(namespaces: impl IntoIterator<Item = Message>) -> Message {
    Message::new().repeated(2, namespaces)
}

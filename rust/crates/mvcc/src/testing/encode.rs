// SPDX-License-Identifier: Apache-2.0
//! Read-write sets back into bytes, as endorsers marshal them.

use fastledger_wire::encode::{bytes_field, present_field, varint_field};
use fastledger_wire::rwset::{
    CollHashedRwSet, HashedRwSet, KvMetadataEntry, KvRead, KvRwSet, NsRwSet, RangeQueryInfo, ReadsInfo, TxRwSet,
    Version,
};

type Field = (u32, Vec<u8>);

fn message(fields: impl IntoIterator<Item = Field>) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        present_field(&mut out, number, &value);
    }
    out
}

/// `rwset.TxReadWriteSet` with everything inside.
#[must_use]
pub fn rwset(rwset: &TxRwSet<'_>) -> Vec<u8> {
    message(rwset.namespaces.iter().map(|namespace| (2, ns_rwset(namespace))))
}

fn ns_rwset(namespace: &NsRwSet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, namespace.namespace.as_bytes());
    bytes_field(&mut out, 2, &kv_rwset(&namespace.public));
    out.extend(message(namespace.collections.iter().map(|collection| (3, collection_rwset(collection)))));
    out
}

fn collection_rwset(collection: &CollHashedRwSet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, collection.collection.as_bytes());
    bytes_field(&mut out, 2, &hashed_rwset(&collection.hashed));
    bytes_field(&mut out, 3, collection.pvt_rwset_hash);
    out
}

fn kv_rwset(public: &KvRwSet<'_>) -> Vec<u8> {
    let reads = public.reads.iter().map(|read| (1, kv_read(read)));
    let ranges = public.range_queries_info.iter().map(|query| (2, range_query(query)));
    let writes = public.writes.iter().map(|write| (3, kv_write(write.key.as_bytes(), write.is_delete, write.value)));
    let metadata = public.metadata_writes.iter();
    let metadata = metadata.map(|write| (4, metadata_write(write.key.as_bytes(), &write.entries)));
    message(reads.chain(ranges).chain(writes).chain(metadata))
}

fn hashed_rwset(hashed: &HashedRwSet<'_>) -> Vec<u8> {
    let reads = hashed.hashed_reads.iter().map(|read| (1, key_and_version(read.key_hash, read.version.as_ref())));
    let writes = hashed.hashed_writes.iter().map(|write| {
        let mut out = kv_write(write.key_hash, write.is_delete, write.value_hash);
        varint_field(&mut out, 4, u64::from(write.is_purge));
        (2, out)
    });
    let metadata = hashed.metadata_writes.iter();
    let metadata = metadata.map(|write| (3, metadata_write(write.key_hash, &write.entries)));
    message(reads.chain(writes).chain(metadata))
}

fn kv_read(read: &KvRead<'_>) -> Vec<u8> {
    key_and_version(read.key.as_bytes(), read.version.as_ref())
}

fn key_and_version(key: &[u8], version: Option<&Version>) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, key);
    if let Some(version) = version {
        let mut body = Vec::new();
        varint_field(&mut body, 1, version.block_num);
        varint_field(&mut body, 2, version.tx_num);
        present_field(&mut out, 2, &body);
    }
    out
}

fn kv_write(key: &[u8], is_delete: bool, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, key);
    varint_field(&mut out, 2, u64::from(is_delete));
    bytes_field(&mut out, 3, value);
    out
}

fn metadata_write(key: &[u8], entries: &[KvMetadataEntry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, key);
    for entry in entries {
        let mut body = Vec::new();
        bytes_field(&mut body, 1, entry.name.as_bytes());
        bytes_field(&mut body, 2, entry.value);
        present_field(&mut out, 2, &body);
    }
    out
}

fn range_query(query: &RangeQueryInfo<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    bytes_field(&mut out, 1, query.start_key.as_bytes());
    bytes_field(&mut out, 2, query.end_key.as_bytes());
    varint_field(&mut out, 3, u64::from(query.itr_exhausted));
    match &query.reads_info {
        ReadsInfo::Unset => {}
        ReadsInfo::RawReads(reads) => {
            present_field(&mut out, 4, &message(reads.kv_reads.iter().map(|read| (1, kv_read(read)))));
        }
        ReadsInfo::ReadsMerkleHashes(summary) => {
            let mut body = Vec::new();
            varint_field(&mut body, 1, u64::from(summary.max_degree));
            varint_field(&mut body, 2, u64::from(summary.max_level));
            for hash in &summary.max_level_hashes {
                present_field(&mut body, 3, hash);
            }
            present_field(&mut out, 5, &body);
        }
    }
    out
}

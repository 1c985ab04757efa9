// SPDX-License-Identifier: Apache-2.0
//! Records of block files and encoded blocks: what decodes encodes to what decodes to the same.
#![no_main]

use fastledger_fuzz::on_deep_stack;
use fastledger_wire::block::{decode_record, encode_block, encode_record};
use fastledger_wire::common::Block;
use fastledger_wire::hash::{data_hash, header_hash};
use fastledger_wire::{Message, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| on_deep_stack(|| {
    record(bytes);
    block(bytes);
}));

fn record(bytes: &[u8]) {
    let Ok(found) = decode_record(bytes) else { return };
    let (record, block) = encoded(&found);
    assert_eq!(decode_record(&record).as_ref(), Ok(&found));
    // Fabric's encoding is the shortest there is.
    assert!(record.len() <= bytes.len());
    assert_eq!(Block::decode(&block).as_ref(), Ok(&found));
}

fn block(bytes: &[u8]) {
    let Ok(found) = Block::decode(bytes) else { return };
    let whole = Block {
        header: Some(found.header.unwrap_or_default()),
        data: Some(found.data.unwrap_or_default()),
        metadata: Some(found.metadata.unwrap_or_default()),
    };
    let (record, block) = encoded(&whole);
    assert_eq!(decode_record(&record).as_ref(), Ok(&whole));
    assert_eq!(Block::decode(&block).as_ref(), Ok(&whole));
}

/// The record and the `common.Block` of a block that has all its parts.
fn encoded(block: &Block<'_>) -> (Vec<u8>, Vec<u8>) {
    let (Some(header), Some(data), Some(metadata)) = (&block.header, &block.data, &block.metadata) else {
        panic!("a record has all parts: {block:?}");
    };
    assert_ne!(header_hash(header), data_hash(&data.data));
    assert_eq!(encode::varint_len(header.number), {
        let mut number = Vec::new();
        encode::varint(&mut number, header.number);
        number.len()
    });
    (encode_record(header, &data.data, &metadata.metadata), encode_block(header, &data.data, &metadata.metadata))
}

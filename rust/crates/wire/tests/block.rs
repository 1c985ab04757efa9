// SPDX-License-Identifier: Apache-2.0
//! Block files' records, block encodings and header hashes.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use fastledger_wire::common::{Block, BlockHeader};
use fastledger_wire::{Message, block, encode, hash};

const HEADER: BlockHeader<'_> = BlockHeader { number: 300, previous_hash: b"previous", data_hash: b"data" };

#[test]
fn a_record_gives_back_the_block_it_was_made_of() {
    let (data, metadata) = ([b"tx one".as_slice(), b""], [b"".as_slice(), b"slot", b""]);
    let record = block::encode_record(&HEADER, &data, &metadata);
    let decoded = block::decode_record(&record).unwrap();
    assert_eq!(decoded.header.as_ref(), Some(&HEADER));
    assert_eq!(decoded.data.unwrap().data, data);
    assert_eq!(decoded.metadata.unwrap().metadata, metadata);
    for length in 0..record.len() {
        assert!(block::decode_record(&record[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn a_count_beyond_the_bytes_is_an_error_not_an_allocation() {
    let mut record = vec![0, 0, 0];
    encode::varint(&mut record, u64::MAX);
    assert!(block::decode_record(&record).is_err());
}

#[test]
fn an_encoded_block_decodes_to_itself() {
    let (data, metadata) = ([b"tx".as_slice()], [b"".as_slice(), b"x"]);
    let bytes = block::encode_block(&HEADER, &data, &metadata);
    let decoded = Block::decode(&bytes).unwrap();
    assert_eq!(decoded.header, Some(HEADER));
    assert_eq!(decoded.data.unwrap().data, data);
    assert_eq!(decoded.metadata.unwrap().metadata, metadata);
}

/// DER by hand (X.690): SEQUENCE, INTEGER, two OCTET STRINGs.
#[test]
fn headers_hash_over_their_der() {
    let der = |number| hash::header_der(&BlockHeader { number, previous_hash: b"", data_hash: b"\x07" });
    assert_eq!(der(0), [0x30, 8, 2, 1, 0, 4, 0, 4, 1, 7]);
    assert_eq!(der(127), [0x30, 8, 2, 1, 127, 4, 0, 4, 1, 7]);
    assert_eq!(der(128), [0x30, 9, 2, 2, 0, 128, 4, 0, 4, 1, 7]);
    assert_eq!(der(u64::MAX)[..5], [0x30, 16, 2, 9, 0]);
    let long = hash::header_der(&BlockHeader { number: 1, previous_hash: &[1; 200], data_hash: b"" });
    assert_eq!(long[..7], [0x30, 0x81, 208, 2, 1, 1, 4]);
    assert_eq!(long[7..9], [0x81, 200]);
}

#[test]
fn varints_have_the_length_that_is_said() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        encode::varint(&mut bytes, value);
        assert_eq!(bytes.len(), encode::varint_len(value), "{value}");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A block as it is received, stored and given back.
//!
//! Fabric's block file does not hold a marshalled `common.Block` but a form of its own (`serializeBlock`):
//! number, data hash, previous hash, then the counted entries of data and of metadata, every length a varint.

use crate::common::{Block, BlockData, BlockHeader, BlockMetadata};
use crate::encode;
use crate::protobuf::{DecodeError, Reader};

/// Encodes a block's record of a block file, without the length that frames it there.
#[must_use]
pub fn encode_record(header: &BlockHeader<'_>, data: &[&[u8]], metadata: &[&[u8]]) -> Vec<u8> {
    let mut record = Vec::new();
    write_record(&mut record, header, data.iter().copied(), metadata);
    record
}

/// [`encode_record`] behind what `record` holds already.
pub fn write_record<'a>(
    record: &mut Vec<u8>,
    header: &BlockHeader<'_>,
    data: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    metadata: &[&'a [u8]],
) {
    let metadata = metadata.iter().copied();
    let payload: usize = data.clone().chain(metadata.clone()).map(|entry| entry.len() + 5).sum();
    record.reserve(payload + 128);
    encode::varint(record, header.number);
    encode::length_prefixed(record, header.data_hash);
    encode::length_prefixed(record, header.previous_hash);
    write_entries(record, data);
    write_entries(record, metadata);
}

fn write_entries<'a>(record: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = &'a [u8]>) {
    encode::varint(record, entries.len() as u64);
    entries.for_each(|entry| encode::length_prefixed(record, entry));
}

/// Decodes a block file's record (`deserializeBlock`).
pub fn decode_record(record: &[u8]) -> Result<Block<'_>, DecodeError> {
    let mut reader = Reader::new(record);
    let number = reader.varint()?;
    let data_hash = reader.length_prefixed()?;
    let previous_hash = reader.length_prefixed()?;
    let data = entries(&mut reader)?;
    let metadata = entries(&mut reader)?;
    Ok(Block {
        header: Some(BlockHeader { number, previous_hash, data_hash }),
        data: Some(BlockData { data }),
        metadata: Some(BlockMetadata { metadata }),
    })
}

fn entries<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, DecodeError> {
    let count = reader.varint()?;
    // Every entry takes a byte at least, so a count beyond the rest is a lie; it must not size an allocation.
    if count > reader.rest().len() as u64 {
        return Err(DecodeError::Truncated);
    }
    (0..count).map(|_| reader.length_prefixed()).collect()
}

/// Encodes `common.Block` (deterministically, as `proto.Marshal` does).
#[must_use]
pub fn encode_block(header: &BlockHeader<'_>, data: &[&[u8]], metadata: &[&[u8]]) -> Vec<u8> {
    let mut head = Vec::with_capacity(80);
    encode::varint_field(&mut head, 1, header.number);
    encode::bytes_field(&mut head, 2, header.previous_hash);
    encode::bytes_field(&mut head, 3, header.data_hash);
    let lengths = [data, metadata].map(|entries| entries.iter().map(|entry| encode::field_len(entry.len())).sum());
    let length = [head.len(), lengths[0], lengths[1]].into_iter().map(encode::field_len).sum();
    let mut block = Vec::with_capacity(length);
    encode::present_field(&mut block, 1, &head);
    for (number, entries, length) in [(2, data, lengths[0]), (3, metadata, lengths[1])] {
        encode::field_head(&mut block, number, length);
        for entry in entries {
            encode::present_field(&mut block, 1, entry);
        }
    }
    block
}

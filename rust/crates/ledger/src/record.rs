// SPDX-License-Identifier: Apache-2.0
//! Reads what the ledger needs of a block's record: its header, and what holds record and chain together.

use fastledger_wire::common::BlockHeader;
use fastledger_wire::encode::varint_len;
use fastledger_wire::protobuf::{DecodeError, Reader};
use fastledger_wire::{Hash, block, hash};

/// A record's length prefix and header fit into so many bytes when the hashes are SHA-256.
pub(crate) const HEAD_BYTES: usize = 10 + 10 + 2 * 33;

/// The shortest record there can be: number, two empty hashes, no data, no metadata.
pub(crate) const MIN_RECORD_BYTES: u64 = 5;

/// Decodes a record's header without the rest (`extractHeader`); `head` may end anywhere after it.
pub(crate) fn header(head: &[u8]) -> Result<BlockHeader<'_>, DecodeError> {
    let mut reader = Reader::new(head);
    let number = reader.varint()?;
    let data_hash = reader.length_prefixed()?;
    let previous_hash = reader.length_prefixed()?;
    Ok(BlockHeader { number, previous_hash, data_hash })
}

/// Decodes a record that must be one block, encoded as Fabric encodes it, and nothing more.
pub(crate) fn decode(record: &[u8]) -> Result<(BlockHeader<'_>, Vec<&[u8]>), String> {
    let block = block::decode_record(record).map_err(|error| error.to_string())?;
    let header = block.header.unwrap_or_default();
    let data = block.data.unwrap_or_default().data;
    if encoded_len(&header, &data, &block.metadata.unwrap_or_default().metadata) == record.len() {
        Ok((header, data))
    } else {
        Err(format!("more than block {} stands in its record", header.number))
    }
}

/// Checks a record, and that its header's data hash is that of its data.
pub(crate) fn check(record: &[u8]) -> Result<(), String> {
    let (header, data) = decode(record)?;
    if hash::data_hash(&data) == header.data_hash {
        Ok(())
    } else {
        Err(format!("block {} does not have the data hash that its header states", header.number))
    }
}

/// Length of [`block::encode_record`]'s result.
fn encoded_len(header: &BlockHeader<'_>, data: &[&[u8]], metadata: &[&[u8]]) -> usize {
    let prefixed = |bytes: &&[u8]| varint_len(bytes.len() as u64) + bytes.len();
    let list = |entries: &[&[u8]]| varint_len(entries.len() as u64) + entries.iter().map(prefixed).sum::<usize>();
    let hashes = prefixed(&header.data_hash) + prefixed(&header.previous_hash);
    varint_len(header.number) + hashes + list(data) + list(metadata)
}

/// The last block of a chain, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTip {
    /// Its number.
    pub number: u64,
    /// Hash of its header.
    pub header_hash: Hash,
    /// Hash of the previous block's header; none for block 0.
    pub previous_hash: Option<Hash>,
}

/// Checks that a header continues the chain after `tip` (`blockfileMgr.addBlock`) and returns the new tip.
pub(crate) fn follow(tip: Option<&ChainTip>, header: &BlockHeader<'_>) -> Result<ChainTip, String> {
    let expected = tip.map_or(0, |tip| tip.number + 1);
    if header.number != expected {
        return Err(format!("block {} stands where block {expected} must follow", header.number));
    }
    let previous: &[u8] = tip.map_or(&[], |tip| &tip.header_hash);
    if header.previous_hash != previous {
        return Err(format!(
            "block {expected} names previous header hash {}, but that is {}",
            hash::hex(header.previous_hash),
            hash::hex(previous)
        ));
    }
    Ok(ChainTip {
        number: header.number,
        header_hash: hash::header_hash(header),
        previous_hash: tip.map(|tip| tip.header_hash),
    })
}

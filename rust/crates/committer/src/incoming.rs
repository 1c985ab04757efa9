// SPDX-License-Identifier: Apache-2.0
//! A block at the door: taken apart just far enough to share out the work.

use std::sync::Arc;

use bytes::Bytes;
use fastledger_wire::common::{Block, BlockHeader, ChannelHeader, Envelope, Payload, header_type, metadata_slot};
use fastledger_wire::{Hash, Message, block, hash};

use crate::error::Refusal;
use crate::well_formed;

/// Most bytes that a block may have: what Fabric's clients and servers let through (`comm.MaxRecvMsgSize`).
pub const MAX_BLOCK_BYTES: usize = 100 << 20;

/// Where something stands in a block's bytes, of which there are at most [`MAX_BLOCK_BYTES`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    bytes: u32,
}

impl Span {
    pub(crate) fn of(self, block: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &block[start..start + self.bytes as usize]
    }
}

/// A block whose outer message is sound.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub bytes: Bytes,
    pub number: u64,
    previous_hash: Span,
    data_hash: Span,
    /// Where each entry stands in `bytes`.
    pub entries: Arc<[Span]>,
    metadata: Arc<[Span]>,
    /// Whether this is a configuration block (`protoutil.HasConfigTx`).
    pub is_config: bool,
    /// The first entry that is not exactly one envelope, and why, where that refuses the block: found before anything
    /// is made of the others.
    pub malformed: Option<(usize, String)>,
}

impl Incoming {
    /// Reads an encoded `common.Block`. In a configuration block, or with `allow_malformed`, entries may be anything.
    pub(crate) fn read(bytes: Bytes, allow_malformed: bool) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(Refusal::TooLarge { most: MAX_BLOCK_BYTES, bytes: bytes.len() });
        }
        let block = Block::decode(&bytes).map_err(Refusal::Undecodable)?;
        let header = block.header.ok_or(Refusal::Incomplete("header"))?;
        let data = block.data.ok_or(Refusal::Incomplete("data"))?.data;
        if data.is_empty() {
            return Err(Refusal::Incomplete("transactions"));
        }
        let metadata = block.metadata.unwrap_or_default().metadata;
        let span = |slice: &[u8]| span_in(&bytes, slice);
        let spans = |slices: &[&[u8]]| slices.iter().map(|slice| span(slice)).collect();
        let (previous_hash, data_hash) = (span(header.previous_hash), span(header.data_hash));
        let (number, entries, metadata) = (header.number, spans(&data), spans(&metadata));
        let is_config = matches!(data.as_slice(), [entry] if is_config(entry));
        let malformed = if is_config || allow_malformed { None } else { well_formed::first_malformed(&data) };
        Ok(Self { bytes, number, previous_hash, data_hash, entries, metadata, is_config, malformed })
    }

    /// Reads a record of a block file.
    pub(crate) fn from_record(record: &[u8], allow_malformed: bool) -> Result<Self, Refusal> {
        let block = block::decode_record(record).map_err(Refusal::Undecodable)?;
        let (header, data, metadata) =
            (block.header.unwrap_or_default(), block.data.unwrap_or_default(), block.metadata.unwrap_or_default());
        Self::read(block::encode_block(&header, &data.data, &metadata.metadata).into(), allow_malformed)
    }

    pub(crate) fn header(&self) -> BlockHeader<'_> {
        BlockHeader {
            number: self.number,
            previous_hash: self.previous_hash.of(&self.bytes),
            data_hash: self.data_hash.of(&self.bytes),
        }
    }

    pub(crate) fn header_hash(&self) -> Hash {
        hash::header_hash(&self.header())
    }

    pub(crate) fn data(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.entries.iter().map(|span| span.of(&self.bytes))
    }

    /// The metadata slots that Fabric gives every block, those that are missing empty (`InitBlockMetadata`).
    pub(crate) fn metadata(&self) -> Vec<&[u8]> {
        let mut slots: Vec<&[u8]> = self.metadata.iter().map(|span| span.of(&self.bytes)).collect();
        slots.resize(slots.len().max(metadata_slot::COUNT), &[]);
        slots
    }

    /// How many metadata slots the block came with.
    pub(crate) fn metadata_slots(&self) -> usize {
        self.metadata.len()
    }
}

fn is_config(entry: &[u8]) -> bool {
    let channel_header = |entry| {
        let envelope = Envelope::decode(entry).ok()?;
        let header = Payload::decode(envelope.payload).ok()?.header?;
        ChannelHeader::decode(header.channel_header).ok()
    };
    channel_header(entry).is_some_and(|header| header.r#type == header_type::CONFIG)
}

/// Where `part`, a slice of `whole`, stands in it.
fn span_in(whole: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        return Span::default();
    }
    #[expect(clippy::cast_possible_truncation, reason = "no block is larger than MAX_BLOCK_BYTES")]
    let [start, bytes] = [part.as_ptr() as usize - whole.as_ptr() as usize, part.len()].map(|number| number as u32);
    Span { start, bytes }
}

/// The channel that the first entry of a block names (`protoutil.GetChannelIDFromBlock`).
pub(crate) fn channel_id(first_entry: &[u8]) -> Option<String> {
    let envelope = Envelope::decode(first_entry).ok()?;
    let header = Payload::decode(envelope.payload).ok()?.header?;
    Some(ChannelHeader::decode(header.channel_header).ok()?.channel_id.to_owned())
}

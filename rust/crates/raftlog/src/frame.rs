// SPDX-License-Identifier: Apache-2.0
//! Frames: what is made durable at once.
//!
//! ```text
//! magic  payload's bytes  number  checksum of number and payload  zero   payload, and zeros up to 8 bytes
//! u32    u32              u64     u32                             u32
//! ```

use fastledger_consensus::{Entry, HardState};
use fastledger_wire::encode::{present_field, varint, varint_field};
use fastledger_wire::{Message as _, messages, raftpb};

/// What a frame begins with.
const MAGIC: u32 = 0x4652_4d31;

pub(crate) const HEADER_BYTES: usize = 24;

/// Bytes of a frame at most: ten times what a gRPC message of Fabric's brings.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 30;

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

messages! {
    /// A payload.
    Batch<'a> {
        1 => hard: Option<raftpb::HardState>,
        2 => entries: Vec<raftpb::Entry<'a>>,
        /// The snapshot that entries up to it may be forgotten for.
        3 => snapshot: Option<raftpb::SnapshotMetadata>,
        /// Whether the snapshot stands in place of all entries.
        4 => replaces: bool,
    }
}

/// A snapshot's name: term and index.
pub(crate) type SnapshotId = (u64, u64);

/// Bytes of a frame with these entries at most.
pub(crate) fn bytes(entries: &[Entry]) -> usize {
    /// Header, padding, hard state, snapshot, and an entry's tag and length.
    const BESIDE_BYTES: usize = HEADER_BYTES + 8 + 40 + 32;
    const ENTRY_BYTES: usize = 1 + 10;
    BESIDE_BYTES + entries.iter().map(|entry| entry.view().encoded_len() + ENTRY_BYTES).sum::<usize>()
}

/// The frame of this number.
pub(crate) fn encode(number: u64, hard: HardState, snapshot: Option<(SnapshotId, bool)>, entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes(entries));
    out.resize(HEADER_BYTES, 0);
    let HardState { term, vote, commit } = hard;
    present_field(&mut out, 1, &raftpb::HardState { term, vote, commit }.encode());
    for entry in entries {
        let view = entry.view();
        varint(&mut out, 2 << 3 | 2);
        varint(&mut out, view.encoded_len() as u64);
        view.append_to(&mut out);
    }
    if let Some(((term, index), replaces)) = snapshot {
        let mut id = Vec::new();
        varint_field(&mut id, 2, index);
        varint_field(&mut id, 3, term);
        present_field(&mut out, 3, &id);
        varint_field(&mut out, 4, u64::from(replaces));
    }
    let payload = u32::try_from(out.len() - HEADER_BYTES).unwrap_or(u32::MAX);
    let sum = checksum(number, &out[HEADER_BYTES..]);
    out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    out[4..8].copy_from_slice(&payload.to_le_bytes());
    out[8..16].copy_from_slice(&number.to_le_bytes());
    out[16..20].copy_from_slice(&sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), payload)
}

/// What stands where a frame should.
pub(crate) enum Found<'a> {
    /// A whole one.
    Frame { number: u64, payload: &'a [u8], bytes: usize },
    /// Zeros: nothing was written here.
    Nothing,
    /// One that may have been cut short by a crash: a sector of it was not written.
    Torn,
    /// Bytes that no crash leaves.
    Damage(&'static str),
}

fn number_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

/// Looks at what stands at `offset` of a segment.
pub(crate) fn find(segment: &[u8], offset: usize) -> Found<'_> {
    let Some(header) = segment.get(offset..offset + HEADER_BYTES) else { return Found::Nothing };
    if header.iter().all(|byte| *byte == 0) {
        // Sectors behind it may have been written by a save that a crash cut short.
        let written = segment[offset..].iter().any(|byte| *byte != 0);
        return if written { Found::Torn } else { Found::Nothing };
    }
    let bytes = u32::from_le_bytes(number_at(header, 4)) as usize;
    let whole = segment.get(offset + HEADER_BYTES..).and_then(|rest| rest.get(..bytes));
    let (Some(payload), true) = (whole, u32::from_le_bytes(number_at(header, 0)) == MAGIC) else {
        let torn = has_unwritten_sector(segment, offset, offset + HEADER_BYTES);
        return if torn { Found::Torn } else { Found::Damage("this is no frame") };
    };
    let number = u64::from_le_bytes(number_at(header, 8));
    let end = offset + HEADER_BYTES + bytes;
    if checksum(number, payload) == u32::from_le_bytes(number_at(header, 16)) {
        let padded = (HEADER_BYTES + bytes).next_multiple_of(8);
        Found::Frame { number, payload, bytes: padded }
    } else if has_unwritten_sector(segment, offset, end) {
        Found::Torn
    } else {
        Found::Damage("a frame does not have its checksum")
    }
}

/// Whether what lies in some sector between two offsets is all zeros.
fn has_unwritten_sector(segment: &[u8], from: usize, to: usize) -> bool {
    let mut start = from;
    while start < to {
        let end = (start + 1).next_multiple_of(SECTOR_BYTES).min(to);
        if segment[start..end].iter().all(|byte| *byte == 0) {
            return true;
        }
        start = end;
    }
    false
}

/// Whether behind `offset` a whole frame begins that was made after `number` others.
///
/// Its number is looked at because data that clients chose may look like a frame.
pub(crate) fn whole_frame_behind(segment: &[u8], offset: usize, number: u64) -> bool {
    let magic = MAGIC.to_le_bytes();
    let possible = number..=number + (segment.len() / HEADER_BYTES) as u64;
    let mut places = (offset + 8..segment.len()).step_by(8).filter(|place| segment[*place..].starts_with(&magic));
    places.any(|place| matches!(find(segment, place), Found::Frame { number, .. } if possible.contains(&number)))
}

/// Reads a payload.
pub(crate) fn read(payload: &[u8]) -> Result<Batch<'_>, fastledger_wire::DecodeError> {
    Batch::decode(payload)
}

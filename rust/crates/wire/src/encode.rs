// SPDX-License-Identifier: Apache-2.0
//! The few encodings that the core writes itself; all are deterministic, as `proto.MarshalOptions{Deterministic: true}` gives them.

/// Appends a base-128 varint.
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    out.push(value as u8);
}

/// Bytes that [`varint`] writes.
#[must_use]
pub fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a varint field, nothing for zero as proto3 has it.
pub fn varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        varint(out, u64::from(number) << 3);
        varint(out, value);
    }
}

/// Appends a bytes, string or message field even when it is empty.
pub fn present_field(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    field_head(out, number, value.len());
    out.extend_from_slice(value);
}

/// Appends what comes before the content of such a field: its tag, and its content's length.
pub fn field_head(out: &mut Vec<u8>, number: u32, length: usize) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, length as u64);
}

/// Bytes that [`present_field`] writes for a content of this length, in a field with a number below 16.
#[must_use]
pub fn field_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// Appends a bytes or string field, nothing for an empty one as proto3 has it.
pub fn bytes_field(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    if !value.is_empty() {
        present_field(out, number, value);
    }
}

/// Appends a varint length and the bytes.
pub fn length_prefixed(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

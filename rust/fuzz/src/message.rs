// SPDX-License-Identifier: Apache-2.0
//! Protobuf messages written field by field.

use fastledger_wire::encode;

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    /// A number, left out when it is zero.
    Number(u32, u64),
    /// Bytes, text or a message, written even when empty.
    Bytes(u32, &'a [u8]),
}

pub use Field::{Bytes, Number};

/// Encodes a message.
#[must_use]
pub fn message(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        match field {
            Number(number, value) => encode::varint_field(&mut out, *number, *value),
            Bytes(number, bytes) => encode::present_field(&mut out, *number, bytes),
        }
    }
    out
}

/// Encodes a repeated field of bytes, text or messages.
#[must_use]
pub fn repeated(number: u32, entries: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        encode::present_field(&mut out, number, entry.as_ref());
    }
    out
}

/// Encodes one entry of a `map<string, …>` field.
#[must_use]
pub fn map_entry(number: u32, key: &str, value: &[u8]) -> Vec<u8> {
    message(&[Bytes(number, &message(&[Bytes(1, key.as_bytes()), Bytes(2, value)]))])
}

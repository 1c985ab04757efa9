// SPDX-License-Identifier: Apache-2.0
//! Protobuf messages, written field by field; the field numbers are those of `protos/`.

use fastledger_wire::encode;

/// A message under construction. Fields are written in the order of the calls, which must be that of their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// One without fields.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A bytes, string or message field; nothing for an empty one, as proto3 has it.
    pub(crate) fn bytes(mut self, number: u32, value: impl AsRef<[u8]>) -> Self {
        encode::bytes_field(&mut self.0, number, value.as_ref());
        self
    }

    /// A bytes, string or message field even when it is empty: in a oneof, in a repeated field, or a message.
    pub(crate) fn present(mut self, number: u32, value: impl AsRef<[u8]>) -> Self {
        encode::present_field(&mut self.0, number, value.as_ref());
        self
    }

    /// A repeated field.
    pub(crate) fn repeated<V: AsRef<[u8]>>(self, number: u32, values: impl IntoIterator<Item = V>) -> Self {
        values.into_iter().fold(self, |message, value| message.present(number, value))
    }

    /// An integer, boolean or enum field; nothing for zero, as proto3 has it.
    pub(crate) fn number(mut self, number: u32, value: u64) -> Self {
        encode::varint_field(&mut self.0, number, value);
        self
    }

    /// An integer field of a oneof, which stands also for zero.
    pub(crate) fn present_number(mut self, number: u32, value: u64) -> Self {
        encode::varint(&mut self.0, u64::from(number) << 3);
        encode::varint(&mut self.0, value);
        self
    }

    /// An entry of a map with string keys.
    pub(crate) fn entry(self, number: u32, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.present(number, Self::new().present(1, key).present(2, value))
    }

    /// The encoded message.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

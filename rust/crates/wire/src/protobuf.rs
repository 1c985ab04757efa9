// SPDX-License-Identifier: Apache-2.0
//! Protobuf decoding with the semantics of Go's `google.golang.org/protobuf`.
//!
//! Rules that decide verdicts and that a decoder is likely to get wrong:
//! - a known field with another wire type is an unknown field, not an error;
//! - the last value of a repeated singular scalar wins, a repeated singular message is merged;
//! - a proto3 `string` that is not UTF-8 is an error;
//! - numbers are truncated to the width of the field, any non-zero varint is `true`;
//! - groups are skipped, and must be closed by their own number;
//! - the last entry of a map key replaces the earlier one.

use std::collections::BTreeMap;

use thiserror::Error;

/// Nesting that Go's runtime accepts (`protowire.DefaultRecursionLimit`); deeper input is an error there too.
///
/// Threads that decode untrusted recursive messages need [`DECODE_STACK_BYTES`] of stack.
pub const MAX_DEPTH: u32 = 10_000;

/// Stack that holds [`MAX_DEPTH`] nested messages with a wide margin.
pub const DECODE_STACK_BYTES: usize = 64 << 20;

/// Stack that one level of nesting takes at most.
const LEVEL_STACK_BYTES: usize = DECODE_STACK_BYTES / MAX_DEPTH as usize;

/// Stack for what is done beside decoding.
const OTHER_STACK_BYTES: usize = 64 << 10;

/// Runs `work`, which decodes so many bytes of untrusted recursive messages, with stack enough for the deepest.
///
/// A level of nesting takes two bytes, its tag and its length. So what is short cannot be deep, and the caller's own
/// stack mostly does; for what is long, or of unknown length, there is a new one.
pub fn with_stack_for<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let levels = (bytes / 2 + 1).min(MAX_DEPTH as usize);
    stacker::maybe_grow(levels * LEVEL_STACK_BYTES + OTHER_STACK_BYTES, DECODE_STACK_BYTES + OTHER_STACK_BYTES, work)
}

const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A length or a number runs past the end.
    #[error("unexpected end of message")]
    Truncated,
    /// A varint of more than 64 bits.
    #[error("varint overflows 64 bits")]
    VarintOverflow,
    /// Field number zero or above 2^29 - 1.
    #[error("invalid field number")]
    FieldNumber,
    /// Wire type 6 or 7.
    #[error("reserved wire type")]
    WireType,
    /// A group that is never closed, or closed by another number.
    #[error("mismatched group")]
    Group,
    /// A string that is not UTF-8.
    #[error("string field holds invalid UTF-8")]
    Utf8,
    /// Deeper than [`MAX_DEPTH`].
    #[error("message nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// More elements than whoever reads it has room for.
    #[error("message with too many elements")]
    Elements,
}

/// One field's value as it stands on the wire.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1; no message of Fabric's uses it in a known field.
    Fixed64,
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 3, skipped to its end.
    Group,
    /// Wire type 5.
    Fixed32,
}

/// A cursor over the fields of one message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first field of `message`.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads a base-128 varint.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                return Err(DecodeError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { DecodeError::Truncated } else { DecodeError::VarintOverflow })
    }

    /// Takes the next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads a varint length and that many bytes.
    #[inline]
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.varint()?;
        self.take(length)
    }

    fn tag(&mut self) -> Result<(u32, u8), DecodeError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > MAX_FIELD_NUMBER {
            return Err(DecodeError::FieldNumber);
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by MAX_FIELD_NUMBER and by the mask")]
        Ok((number as u32, (tag & 7) as u8))
    }

    fn value(&mut self, number: u32, wire_type: u8) -> Result<Value<'a>, DecodeError> {
        match wire_type {
            0 => Ok(Value::Varint(self.varint()?)),
            1 => self.take(8).map(|_| Value::Fixed64),
            2 => Ok(Value::Bytes(self.length_prefixed()?)),
            3 => self.skip_group(number).map(|()| Value::Group),
            4 => Err(DecodeError::Group),
            5 => self.take(4).map(|_| Value::Fixed32),
            _ => Err(DecodeError::WireType),
        }
    }

    fn skip_group(&mut self, number: u32) -> Result<(), DecodeError> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            let (number, wire_type) = self.tag()?;
            match wire_type {
                3 if open.len() >= MAX_DEPTH as usize => return Err(DecodeError::Depth),
                3 => open.push(number),
                4 if number == innermost => drop(open.pop()),
                _ => drop(self.value(number, wire_type)?),
            }
        }
        Ok(())
    }

    /// The next field's number and value, `None` at the end.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        Ok(Some((number, self.value(number, wire_type)?)))
    }
}

/// A message that is a borrowed view of its encoding.
pub trait Message<'a>: Default {
    /// Merges one field; `depth` is how many messages enclose this one.
    ///
    /// Returns whether the field is known with this wire type.
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError>;

    /// Merges an encoding into this message, as `proto.Merge` would.
    fn merge(&mut self, bytes: &'a [u8], depth: u32) -> Result<(), DecodeError> {
        if depth >= MAX_DEPTH {
            return Err(DecodeError::Depth);
        }
        let mut reader = Reader::new(bytes);
        loop {
            let before = reader.rest();
            let Some((number, value)) = reader.field()? else { return Ok(()) };
            if !self.merge_field(number, value, depth)? {
                self.merge_unknown(&before[..before.len() - reader.rest().len()]);
            }
        }
    }

    /// Takes up a field that the message does not know, as it stands on the wire.
    #[inline]
    fn merge_unknown(&mut self, _field: &'a [u8]) {}

    /// Decodes a whole message (`proto.Unmarshal`).
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        message.merge(bytes, 0)?;
        Ok(message)
    }
}

/// The fields of a message that its definition does not know. Go's runtime keeps them, and `proto.Equal` compares them:
/// those of one number in their order, those of different numbers in any.
#[derive(Debug, Clone, Default)]
pub struct Unknown<'a>(Vec<UnknownField<'a>>);

/// Tag, and value as it stands on the wire: Go writes the tag anew.
type UnknownField<'a> = (u64, &'a [u8]);

impl<'a> Unknown<'a> {
    /// Adds a field as it stands on the wire.
    pub fn add(&mut self, field: &'a [u8]) {
        let mut reader = Reader::new(field);
        if let Ok(tag) = reader.varint() {
            self.0.push((tag, reader.rest()));
        }
    }

    /// Tags and values, in the order of the wire.
    pub fn fields(&self) -> impl Iterator<Item = (u64, &'a [u8])> {
        self.0.iter().copied()
    }

    fn by_number(&self) -> Vec<UnknownField<'a>> {
        let mut fields = self.0.clone();
        fields.sort_by_key(|(tag, _)| tag >> 3);
        fields
    }
}

impl PartialEq for Unknown<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.by_number() == other.by_number()
    }
}

impl Eq for Unknown<'_> {}

/// A Rust type that a field's values accumulate in.
pub trait Field<'a> {
    /// Merges one value; returns false where the wire type is not this field's.
    fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError>;
}

impl<'a> Field<'a> for &'a [u8] {
    #[inline]
    fn merge_value(&mut self, value: Value<'a>, _depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        *self = bytes;
        Ok(true)
    }
}

impl<'a> Field<'a> for &'a str {
    #[inline]
    fn merge_value(&mut self, value: Value<'a>, _depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        *self = std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        Ok(true)
    }
}

macro_rules! varint_fields {
    ($($type:ty => |$varint:ident| $convert:expr;)*) => {$(
        impl<'a> Field<'a> for $type {
            #[inline]
            fn merge_value(&mut self, value: Value<'a>, _depth: u32) -> Result<bool, DecodeError> {
                let Value::Varint($varint) = value else { return Ok(false) };
                *self = $convert;
                Ok(true)
            }
        }
    )*};
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "protobuf truncates numbers to the width of the field"
)]
mod varint {
    use super::{DecodeError, Field, Value};

    varint_fields! {
        u64 => |varint| varint;
        i64 => |varint| varint as i64;
        u32 => |varint| varint as u32;
        i32 => |varint| varint as i32;
        bool => |varint| varint != 0;
    }
}

impl<'a, M: Message<'a>> Field<'a> for Option<M> {
    fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        self.get_or_insert_default().merge(bytes, depth + 1)?;
        Ok(true)
    }
}

impl<'a> Field<'a> for Option<&'a [u8]> {
    fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        self.get_or_insert_default().merge_value(value, depth)
    }
}

impl<'a, M: Message<'a>> Field<'a> for Vec<M> {
    fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        let mut message = M::default();
        message.merge(bytes, depth + 1)?;
        self.push(message);
        Ok(true)
    }
}

macro_rules! repeated_scalars {
    ($($type:ty),*) => {$(
        impl<'a> Field<'a> for Vec<$type> {
            fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
                let mut element = <$type>::default();
                let known = element.merge_value(value, depth)?;
                if known {
                    self.push(element);
                }
                Ok(known)
            }
        }
    )*};
}
repeated_scalars!(&'a [u8], &'a str);

impl<'a> Field<'a> for Vec<u64> {
    /// Takes numbers one by one and packed, whichever of the two the definition says.
    fn merge_value(&mut self, value: Value<'a>, _depth: u32) -> Result<bool, DecodeError> {
        match value {
            Value::Varint(number) => self.push(number),
            Value::Bytes(packed) => {
                let mut reader = Reader::new(packed);
                while !reader.rest().is_empty() {
                    self.push(reader.varint()?);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A `map<string, V>`; Go's iteration order is random, ours is the keys' order.
pub type Map<'a, V> = BTreeMap<&'a str, V>;

#[derive(Debug)]
struct MapEntry<'a, V> {
    key: &'a str,
    value: V,
}

impl<V: Default> Default for MapEntry<'_, V> {
    fn default() -> Self {
        Self { key: "", value: V::default() }
    }
}

impl<'a, V: MapValue<'a>> Message<'a> for MapEntry<'a, V> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        match number {
            1 => self.key.merge_value(value, depth),
            2 => self.value.merge_map_value(value, depth),
            _ => Ok(false),
        }
    }
}

/// A type that stands as the value of a `map<string, V>`.
pub trait MapValue<'a>: Default {
    /// Merges field 2 of a map entry.
    fn merge_map_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError>;
}

impl<'a, M: Message<'a>> MapValue<'a> for M {
    fn merge_map_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        self.merge(bytes, depth + 1)?;
        Ok(true)
    }
}

impl<'a> MapValue<'a> for &'a [u8] {
    fn merge_map_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        self.merge_value(value, depth)
    }
}

impl<'a, V: MapValue<'a>> Field<'a> for Map<'a, V> {
    fn merge_value(&mut self, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        let Value::Bytes(bytes) = value else { return Ok(false) };
        let mut entry = MapEntry::<V>::default();
        // The entry is not a level of its own in Go's count.
        entry.merge(bytes, depth)?;
        self.insert(entry.key, entry.value);
        Ok(true)
    }
}

/// Declares borrowed views: each field is `number => name: type`.
///
/// The type says the rest: `&'a [u8]` bytes, `&'a str` string, integers and `bool` varints, `Option<M>` a message
/// (or bytes) whose absence matters, `Vec<…>` repeated, [`Map`] a map. A view `and` a name keeps fields it does not know
/// under that name.
#[macro_export]
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? $(and $unknown:ident)? {
            $($(#[$field_meta:meta])* $number:literal => $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[allow(missing_docs, reason = "a field without a text of its own is Fabric's field of that name")]
        pub struct $name $(<$life>)? {
            $($(#[$field_meta])* pub $field: $type,)*
            $(
                /// Fields that the definition does not know.
                pub $unknown: $crate::protobuf::Unknown<'a>,
            )?
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Field numbers and names, to be held against the protobuf descriptors.
            pub const FIELDS: &'static [(u32, &'static str)] = &[$(($number, stringify!($field))),*];
        }

        impl<'a> $crate::protobuf::Message<'a> for $crate::messages!(@self $name $($life)?) {
            #[inline]
            #[allow(unused_variables, reason = "a message without fields uses none of them")]
            fn merge_field(
                &mut self,
                number: u32,
                value: $crate::protobuf::Value<'a>,
                depth: u32,
            ) -> Result<bool, $crate::protobuf::DecodeError> {
                match number {
                    $($number => $crate::protobuf::Field::merge_value(&mut self.$field, value, depth),)*
                    _ => Ok(false),
                }
            }

            $(
                fn merge_unknown(&mut self, field: &'a [u8]) {
                    self.$unknown.add(field);
                }
            )?
        }
    )*};
    (@self $name:ident) => { $name };
    (@self $name:ident $life:lifetime) => { $name<'a> };
}

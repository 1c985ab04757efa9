// SPDX-License-Identifier: Apache-2.0
//! Mutates protobuf messages, and DER inside them, as trees, so that lengths stay right however deep the change is.
//!
//! A mutator that knows bytes only breaks the length of every enclosing message, and its inputs die in the first
//! decoder. This one takes bytes apart wherever they read as fields or elements, changes something inside, and puts them
//! together again.

use fastledger_wire::encode;
use fastledger_wire::protobuf::{Reader, Value};

/// Times that one field is repeated at most.
const MAX_REPEATS: usize = 40;
/// Levels that a field is wrapped into at most.
const MAX_WRAPS: usize = 40;

/// A small generator of numbers (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }
}

/// How bytes are taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Protobuf,
    Der,
}

/// A field or an element as it stands.
#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    syntax: Syntax,
    /// Number or tag.
    tag: u32,
    /// Tag, length and contents.
    whole: &'a [u8],
    /// `None` for a number.
    content: Option<&'a [u8]>,
}

impl<'a> Field<'a> {
    fn all(bytes: &'a [u8]) -> Option<Vec<Self>> {
        let all = if bytes.first() == Some(&0x30) { elements(bytes).or_else(|| fields(bytes)) } else { fields(bytes) };
        all.or_else(|| elements(bytes)).filter(|all| !all.is_empty())
    }

    /// The same with other contents.
    fn with(&self, tag: u32, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match self.syntax {
            Syntax::Protobuf => encode::present_field(&mut out, tag, content),
            Syntax::Der => out = crate::network::element(tag as u8, &[content]),
        }
        out
    }
}

/// The body of a custom mutator: `data[..size]` is `header` bytes of choices, then a message. Returns the new size.
///
/// `mutate_bytes` mutates bytes as bytes: the fuzzer's own mutator.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    seed: u32,
    header: usize,
    mut mutate_bytes: impl FnMut(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Random::new(u64::from(seed));
    let max_size = data.len();
    if size <= header || random.below(12) == 0 {
        return mutate_bytes(data, size, max_size);
    }
    let room = max_size - header;
    let mut change = Change { random, mutate_bytes: &mut mutate_bytes, room };
    let mutated = change.message(&data[header..size]);
    if mutated.len() > room {
        return mutate_bytes(data, size, max_size);
    }
    data[header..header + mutated.len()].copy_from_slice(&mutated);
    header + mutated.len()
}

struct Change<'m> {
    random: Random,
    mutate_bytes: &'m mut dyn FnMut(&mut [u8], usize, usize) -> usize,
    room: usize,
}

impl Change<'_> {
    /// Changes something in a message, or below it.
    fn message(&mut self, message: &[u8]) -> Vec<u8> {
        let Some(fields) = Field::all(message) else { return self.bytes(message) };
        let chosen = self.random.below(fields.len());
        let field = fields[chosen];
        match field.content {
            Some(content) if !content.is_empty() && self.random.below(8) != 0 => {
                let changed = field.with(field.tag, &self.message(content));
                replaced(&fields, chosen, &changed)
            }
            _ => self.fields(&fields, chosen),
        }
    }

    /// Changes the list of fields.
    fn fields(&mut self, fields: &[Field<'_>], chosen: usize) -> Vec<u8> {
        let (field, other) = (fields[chosen], fields[self.random.below(fields.len())]);
        let replacement = match self.random.below(7) {
            0 => Vec::new(),
            1 => field.whole.repeat(1 + self.random.below(MAX_REPEATS)),
            2 => self.wrapped(field),
            3 => self.number(field),
            4 => field.with(1 + self.random.below(16) as u32, field.content.unwrap_or_default()),
            5 => [field.whole, other.whole].concat(),
            _ => self.bytes(field.whole),
        };
        replaced(fields, chosen, &replacement)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = bytes.to_vec();
        let room = (bytes.len() + 64).min(self.room).max(bytes.len()).max(1);
        buffer.resize(room, 0);
        let size = (self.mutate_bytes)(&mut buffer, bytes.len(), room);
        buffer.truncate(size);
        buffer
    }

    fn wrapped(&mut self, field: Field<'_>) -> Vec<u8> {
        let mut whole = field.whole.to_vec();
        for _ in 0..1 + self.random.below(MAX_WRAPS) {
            whole = field.with(field.tag, &whole);
        }
        whole
    }

    fn number(&mut self, field: Field<'_>) -> Vec<u8> {
        let number = match self.random.below(6) {
            0 => 0,
            1 => u64::MAX,
            2 => i32::MAX as u64,
            3 => 1 << self.random.below(64),
            4 => self.random.below(16) as u64,
            _ => self.random.number(),
        };
        if field.syntax == Syntax::Der {
            return field.with(2, &number.to_be_bytes()[self.random.below(8)..]);
        }
        let mut whole = Vec::new();
        encode::varint(&mut whole, u64::from(field.tag) << 3);
        encode::varint(&mut whole, number);
        whole
    }
}

fn replaced(fields: &[Field<'_>], chosen: usize, replacement: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        out.extend_from_slice(if index == chosen { replacement } else { field.whole });
    }
    out
}

fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut reader = Reader::new(message);
    let mut fields = Vec::new();
    loop {
        let before = reader.rest();
        let Some((tag, value)) = reader.field().ok()? else { return Some(fields) };
        let whole = &before[..before.len() - reader.rest().len()];
        let content = if let Value::Bytes(content) = value { Some(content) } else { None };
        fields.push(Field { syntax: Syntax::Protobuf, tag, whole, content });
    }
}

fn elements(der: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut elements = Vec::new();
    let mut rest = der;
    while let Some((&tag, after)) = rest.split_first() {
        let (&first, after) = after.split_first()?;
        let (length, after) = match first {
            0..=0x7f => (usize::from(first), after),
            0x81..=0x83 => {
                let (digits, after) = after.split_at_checked(usize::from(first - 0x80))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), after)
            }
            _ => return None,
        };
        let (content, after) = after.split_at_checked(length)?;
        let whole = &rest[..rest.len() - after.len()];
        elements.push(Field { syntax: Syntax::Der, tag: u32::from(tag), whole, content: Some(content) });
        rest = after;
    }
    Some(elements)
}

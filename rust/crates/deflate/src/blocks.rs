// SPDX-License-Identifier: Apache-2.0
//! Writes blocks of tokens as bits: the second half of DEFLATE (RFC 1951, section 3.2).

use crate::codes::{Code, bits, codes, fixed_distances, fixed_literals};
use crate::token::Token;

const END: usize = 256;
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const MIN_LENGTH: usize = 3;
const MAX_LENGTH: usize = 258;

/// A stored block, its header included, is smaller.
const STORABLE_BITS: u64 = (65535 + 5) * 8 + 1;

const MAX_CODE_BITS: usize = 15;
const MAX_TABLE_CODE_BITS: usize = 7;

// Kinds of block, in two bits.
const STORED: u64 = 0;
const FIXED: u64 = 1;
const DYNAMIC: u64 = 2;

// Symbols of a table of code lengths that stand for repetitions.
const REPEAT: u8 = 16;
const ZEROS: u8 = 17;
const MANY_ZEROS: u8 = 18;
const TABLE_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const MIN_TABLE_CODES: usize = 4;

/// A symbol, and the bits that follow it: their value and how many.
type Symbol = (usize, usize, u32);

/// The lengths of a block's codes, run-length encoded (section 3.2.7).
struct Table {
    literals: usize,
    distances: usize,
    /// Symbols, and the values of their extra bits.
    entries: Vec<(u8, usize)>,
    codes: Vec<Code>,
    /// How many lengths of `codes` are written.
    sent: usize,
    bits: u64,
}

/// Collects the bits of blocks.
#[derive(Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    /// Bits that do not fill a byte yet.
    held: u64,
    count: u32,
}

impl Writer {
    /// Writes the end, a stored block of nothing, and returns all bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.stored(&[], 1);
        self.out
    }

    /// Writes a block in the smallest of its forms; `content` is what it may be stored as.
    pub fn block(&mut self, tokens: &[Token], content: Option<&[u8]>) {
        let (literals, distances, extra) = frequencies(tokens);
        let (fixed_literals, fixed_distances) = (fixed_literals(), fixed_distances());
        let fixed = 3 + bits(&literals, &fixed_literals) + bits(&distances, &fixed_distances) + extra;
        let literal_codes = codes(&literals, MAX_CODE_BITS);
        let distance_codes = codes(&distances, MAX_CODE_BITS);
        let table = Table::new(&used(&literal_codes), &used(&distance_codes));
        let dynamic = table.bits + bits(&literals, &literal_codes) + bits(&distances, &distance_codes) + extra;
        let smallest = fixed.min(dynamic).min(STORABLE_BITS);
        if let Some(content) = content.filter(|content| (content.len() as u64 + 5) * 8 < smallest) {
            self.stored(content, 0);
        } else if dynamic < fixed {
            self.table(&table);
            self.tokens(tokens, &literal_codes, &distance_codes);
        } else {
            self.write(FIXED << 1, 3);
            self.tokens(tokens, &fixed_literals, &fixed_distances);
        }
    }

    fn table(&mut self, table: &Table) {
        self.write(DYNAMIC << 1, 3);
        self.number(table.literals - (END + 1), 5);
        self.number(table.distances - 1, 5);
        self.number(table.sent - MIN_TABLE_CODES, 4);
        for &symbol in &TABLE_ORDER[..table.sent] {
            self.write(u64::from(table.codes[usize::from(symbol)].length), 3);
        }
        for &(symbol, extra) in &table.entries {
            self.code(table.codes[usize::from(symbol)]);
            self.number(extra, table_extra_bits(symbol));
        }
    }

    fn tokens(&mut self, tokens: &[Token], literals: &[Code], distances: &[Code]) {
        for token in tokens {
            match *token {
                Token::Literal(byte) => self.code(literals[usize::from(byte)]),
                Token::Match(found) => {
                    let (symbol, extra, count) = length_symbol(found.length);
                    self.code(literals[END + 1 + symbol]);
                    self.number(extra, count);
                    let (symbol, extra, count) = distance_symbol(found.distance);
                    self.code(distances[symbol]);
                    self.number(extra, count);
                }
            }
        }
        self.code(literals[END]);
    }

    fn stored(&mut self, content: &[u8], is_final: u64) {
        self.write(STORED << 1 | is_final, 3);
        self.write(0, (8 - self.count) % 8);
        self.number(content.len(), 16);
        self.number(content.len() ^ 0xFFFF, 16);
        self.out.extend_from_slice(content);
    }

    fn code(&mut self, code: Code) {
        self.write(u64::from(code.bits), u32::from(code.length));
    }

    fn number(&mut self, value: usize, count: u32) {
        self.write(value as u64, count);
    }

    /// Writes the lowest `count` bits of a value, 16 at most.
    fn write(&mut self, value: u64, count: u32) {
        self.held |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
    }
}

impl Table {
    fn new(literals: &[u8], distances: &[u8]) -> Self {
        let entries = runs(&[literals, distances].concat());
        let mut frequencies = [0; TABLE_ORDER.len()];
        for &(symbol, _) in &entries {
            frequencies[usize::from(symbol)] += 1;
        }
        let codes = codes(&frequencies, MAX_TABLE_CODE_BITS);
        let mut sent = TABLE_ORDER.len();
        while sent > MIN_TABLE_CODES && frequencies[usize::from(TABLE_ORDER[sent - 1])] == 0 {
            sent -= 1;
        }
        let extra: u32 = entries.iter().map(|&(symbol, _)| table_extra_bits(symbol)).sum();
        let bits = 3 + 5 + 5 + 4 + 3 * sent as u64 + bits(&frequencies, &codes) + u64::from(extra);
        Self { literals: literals.len(), distances: distances.len(), entries, codes, sent, bits }
    }
}

fn table_extra_bits(symbol: u8) -> u32 {
    match symbol {
        REPEAT => 2,
        ZEROS => 3,
        MANY_ZEROS => 7,
        _ => 0,
    }
}

/// Counts how often each symbol occurs, and the extra bits that follow them.
fn frequencies(tokens: &[Token]) -> ([u32; LITERALS], [u32; DISTANCES], u64) {
    let (mut literals, mut distances, mut extra) = ([0; LITERALS], [0; DISTANCES], 0);
    for token in tokens {
        match *token {
            Token::Literal(byte) => literals[usize::from(byte)] += 1,
            Token::Match(found) => {
                let (symbol, _, count) = length_symbol(found.length);
                literals[END + 1 + symbol] += 1;
                extra += u64::from(count);
                let (symbol, _, count) = distance_symbol(found.distance);
                distances[symbol] += 1;
                extra += u64::from(count);
            }
        }
    }
    literals[END] = 1;
    if distances.iter().all(|&count| count == 0) {
        // A table needs one.
        distances[0] = 1;
    }
    (literals, distances, extra)
}

/// Returns the symbol of a length: the first eight have one each, then four for each number of extra bits.
fn length_symbol(length: usize) -> Symbol {
    let value = length - MIN_LENGTH;
    if length == MAX_LENGTH {
        return (28, 0, 0);
    }
    if value < 8 {
        return (value, 0, 0);
    }
    let extra = value.ilog2() - 2;
    (4 * extra as usize + (value >> extra), value & ((1 << extra) - 1), extra)
}

/// Returns the symbol of a distance: the first four have one each, then two for each number of extra bits.
fn distance_symbol(distance: usize) -> Symbol {
    let value = distance - 1;
    if value < 4 {
        return (value, 0, 0);
    }
    let extra = value.ilog2() - 1;
    (2 * extra as usize + (value >> extra), value & ((1 << extra) - 1), extra)
}

/// Returns the lengths of codes up to the last symbol that occurs.
fn used(codes: &[Code]) -> Vec<u8> {
    let count = codes.iter().rposition(|code| code.length > 0).map_or(0, |last| last + 1);
    codes[..count].iter().map(|code| code.length).collect()
}

/// Shortens runs of equal lengths.
fn runs(lengths: &[u8]) -> Vec<(u8, usize)> {
    let mut entries = Vec::new();
    for run in lengths.chunk_by(|one, other| one == other) {
        let (length, mut count) = (run[0], run.len());
        if length > 0 {
            entries.push((length, 0));
            count -= 1;
            while count >= 3 {
                let taken = count.min(6);
                entries.push((REPEAT, taken - 3));
                count -= taken;
            }
        } else {
            while count >= 11 {
                let taken = count.min(138);
                entries.push((MANY_ZEROS, taken - 11));
                count -= taken;
            }
            if count >= 3 {
                entries.push((ZEROS, count - 3));
                count = 0;
            }
        }
        entries.extend(std::iter::repeat_n((length, 0), count));
    }
    entries
}

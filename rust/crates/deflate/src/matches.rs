// SPDX-License-Identifier: Apache-2.0
//! Finds what repeats in a stream: the first half of DEFLATE (RFC 1951, section 4).
//!
//! At each position the chain of earlier positions with the same hash is followed; a match is put off by one byte
//! when the next position may have a longer one. Which match is found, hence every byte of the output, depends on all
//! of the numbers below and on when the window moves. They are those of Go's `compress/flate` at its default level, 6.

use crate::blocks::Writer;
use crate::token::{Match, Token};

const WINDOW: usize = 1 << 15;
const MAX_BLOCK_TOKENS: usize = 1 << 14;
const MIN_MATCH: usize = 4;
const MAX_MATCH: usize = 258;

/// Earlier positions that are looked at.
const CHAIN: usize = 128;

/// A match of this length ends the search.
const NICE: usize = 128;

/// After a match of this length the next position is not searched.
const LAZY: usize = 16;

/// A match of the smallest length may not be farther away.
const NEAR: usize = 4096;

const HASH_MULTIPLIER: u32 = 0x1E35_A7BD;
const HASH_BITS: u32 = 17;

/// So many bytes have to be known before a position is decided.
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;

const NONE: Match = Match { length: MIN_MATCH - 1, distance: 0 };

/// Turns a stream, of which ever more is written, into blocks of tokens.
pub(crate) struct Matcher<'d> {
    data: &'d [u8],
    writer: Writer,
    written: usize,
    window_start: usize,
    position: usize,
    /// Where the block began; none when that has left the window.
    block_start: Option<usize>,
    tokens: Vec<Token>,
    /// The newest position of each hash.
    newest: Vec<Option<usize>>,
    /// The position before, of the same hash, for each position of the last window.
    earlier: Vec<Option<usize>>,
    /// The match at the position before.
    before: Match,
    /// Whether the byte of the position before is still to be told.
    pending: bool,
}

impl<'d> Matcher<'d> {
    /// Takes all that will be written, and what gets the blocks.
    pub fn new(data: &'d [u8], writer: Writer) -> Self {
        Self {
            data,
            writer,
            written: 0,
            window_start: 0,
            position: 0,
            block_start: Some(0),
            tokens: Vec::with_capacity(MAX_BLOCK_TOKENS),
            newest: vec![None; 1 << HASH_BITS],
            earlier: vec![None; WINDOW],
            before: NONE,
            pending: false,
        }
    }

    /// Lets the next `size` bytes be known, or as many as there are.
    pub fn write(&mut self, size: usize) {
        let mut left = size.min(self.data.len() - self.written);
        while left > 0 {
            self.decide(LOOKAHEAD);
            if self.position - self.window_start >= 2 * WINDOW - LOOKAHEAD {
                self.window_start += WINDOW;
                self.block_start = self.block_start.filter(|&start| start >= self.window_start);
            }
            let taken = left.min(self.window_start + 2 * WINDOW - self.written);
            self.written += taken;
            left -= taken;
        }
    }

    /// Decides the rest, and gives the writer back.
    pub fn finish(mut self) -> Writer {
        self.decide(1);
        if self.pending {
            self.tokens.push(Token::Literal(self.data[self.position - 1]));
        }
        if !self.tokens.is_empty() {
            self.end_block(self.position);
        }
        self.writer
    }

    /// Decides the positions that have so many bytes from them on.
    fn decide(&mut self, needed: usize) {
        while self.written - self.position >= needed {
            let before = self.before;
            self.before = self.search(before.length);
            if before.length >= MIN_MATCH && self.before.length <= before.length {
                self.take(before);
            } else {
                self.put_off();
            }
        }
    }

    /// Finds a match at the position, and lets later positions find this one.
    fn search(&mut self, previous_length: usize) -> Match {
        let candidate = self.insert(self.position);
        let lookahead = self.written - self.position;
        if previous_length >= lookahead.min(LAZY) {
            return NONE;
        }
        self.longest(candidate, lookahead.min(MAX_MATCH))
    }

    /// Adds a position to its chain; returns the one before it.
    fn insert(&mut self, position: usize) -> Option<usize> {
        if position + MIN_MATCH > self.written {
            return None;
        }
        let word = self.data[position..position + MIN_MATCH].iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let newest = &mut self.newest[(word.wrapping_mul(HASH_MULTIPLIER) >> (32 - HASH_BITS)) as usize];
        let before = newest.replace(position);
        self.earlier[position % WINDOW] = before;
        before
    }

    fn longest(&self, mut candidate: Option<usize>, limit: usize) -> Match {
        let (data, position) = (self.data, self.position);
        let mut best = NONE;
        let nice = NICE.min(limit);
        let oldest = position.saturating_sub(WINDOW).max(self.window_start);
        for _ in 0..CHAIN {
            let Some(start) = candidate.filter(|&start| start >= oldest) else { break };
            let distance = position - start;
            if data[start + best.length] == data[position + best.length] {
                let length = common(&data[start..start + limit], &data[position..position + limit]);
                if length > best.length && (length > MIN_MATCH || distance <= NEAR) {
                    best = Match { length, distance };
                    if length >= nice {
                        break;
                    }
                }
            }
            // One window back the chain's place is the position's own.
            if distance == WINDOW {
                break;
            }
            candidate = self.earlier[start % WINDOW];
        }
        best
    }

    /// Tells the match of the position before, and goes behind it.
    fn take(&mut self, found: Match) {
        self.tokens.push(Token::Match(found));
        let end = self.position + found.length - 1;
        for position in self.position + 1..end {
            self.insert(position);
        }
        self.position = end;
        self.pending = false;
        self.before = NONE;
        if self.tokens.len() == MAX_BLOCK_TOKENS {
            self.end_block(end);
        }
    }

    /// Tells the byte before, and leaves this position to the next one's match.
    fn put_off(&mut self) {
        if self.pending {
            self.tokens.push(Token::Literal(self.data[self.position - 1]));
            if self.tokens.len() == MAX_BLOCK_TOKENS {
                self.end_block(self.position);
            }
        }
        self.position += 1;
        self.pending = true;
    }

    fn end_block(&mut self, end: usize) {
        let content = self.block_start.map(|start| &self.data[start..end]);
        self.writer.block(&self.tokens, content);
        self.block_start = Some(end);
        self.tokens.clear();
    }
}

/// Counts the bytes at which two slices begin alike.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

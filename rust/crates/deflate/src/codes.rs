// SPDX-License-Identifier: Apache-2.0
//! Huffman codes of limited length (RFC 1951, section 3.2.2).
//!
//! Lengths come from package-merge: each level holds the symbols and pairs of the level below, by weight; the first
//! `2n - 2` items of the top level say how often each symbol's length counts. Of equal weights a pair goes first, as
//! in Go's `compress/flate`.

/// A symbol's bits, the first to be written lowest, and how many they are; none for one that does not occur.
#[derive(Clone, Copy, Default)]
pub(crate) struct Code {
    pub bits: u16,
    pub length: u8,
}

/// Returns the code of every symbol.
pub(crate) fn codes(frequencies: &[u32], max_length: usize) -> Vec<Code> {
    let mut assigned = vec![Code::default(); frequencies.len()];
    let mut present: Vec<usize> = (0..frequencies.len()).filter(|&symbol| frequencies[symbol] > 0).collect();
    if present.len() <= 2 {
        for (bits, symbol) in (0..).zip(present) {
            assigned[symbol] = Code { bits, length: 1 };
        }
        return assigned;
    }
    present.sort_by_key(|&symbol| (frequencies[symbol], symbol));
    let weights: Vec<u32> = present.iter().map(|&symbol| frequencies[symbol]).collect();
    let mut code = 0;
    for (length, count) in (1..).zip(counts(&weights, max_length)) {
        code <<= 1;
        let mut chosen = present.split_off(present.len() - count);
        chosen.sort_unstable();
        for symbol in chosen {
            assigned[symbol] = Code { bits: reversed(code, length), length };
            code += 1;
        }
    }
    assigned
}

/// Returns the codes of literals and lengths that need no table (section 3.2.6).
pub(crate) fn fixed_literals() -> Vec<Code> {
    let ranges = [(144, 8, 48), (112, 9, 400), (24, 7, 0), (6, 8, 192)];
    ranges
        .into_iter()
        .flat_map(|(count, length, first)| {
            (first..first + count).map(move |code| Code { bits: reversed(code, length), length })
        })
        .collect()
}

/// Returns the codes of distances that need no table.
pub(crate) fn fixed_distances() -> Vec<Code> {
    (0..30).map(|symbol| Code { bits: reversed(symbol, 5), length: 5 }).collect()
}

/// Returns how many bits symbols of these frequencies take.
pub(crate) fn bits(frequencies: &[u32], codes: &[Code]) -> u64 {
    frequencies.iter().zip(codes).map(|(&count, code)| u64::from(count) * u64::from(code.length)).sum()
}

/// Returns how many symbols get each length, from 1 on; the weights ascend.
fn counts(weights: &[u32], max_length: usize) -> Vec<usize> {
    let depth = max_length.min(weights.len() - 1);
    let mut levels: Vec<Vec<bool>> = Vec::with_capacity(depth);
    let mut pairs: Vec<u32> = Vec::new();
    for _ in 0..depth {
        let items = merged(weights, &pairs);
        levels.push(items.iter().map(|&(_, is_symbol)| is_symbol).collect());
        pairs = items.chunks_exact(2).map(|pair| pair[0].0 + pair[1].0).collect();
    }
    let mut wanted = 2 * weights.len() - 2;
    let mut symbols = Vec::with_capacity(depth + 1);
    for level in levels.iter().rev() {
        let taken = &level[..wanted.min(level.len())];
        let count = taken.iter().filter(|&&is_symbol| is_symbol).count();
        symbols.push(count);
        wanted = 2 * (taken.len() - count);
    }
    symbols.push(0);
    // A symbol's length is the number of levels at which it was taken.
    symbols.windows(2).map(|pair| pair[0] - pair[1]).collect()
}

/// Merges two ascending lists; the flag tells a symbol from a pair.
fn merged(weights: &[u32], pairs: &[u32]) -> Vec<(u32, bool)> {
    let mut items: Vec<(u32, bool)> = pairs.iter().map(|&weight| (weight, false)).collect();
    items.extend(weights.iter().map(|&weight| (weight, true)));
    items.sort_unstable();
    items
}

fn reversed(code: u16, length: u8) -> u16 {
    code.reverse_bits() >> (16 - length)
}

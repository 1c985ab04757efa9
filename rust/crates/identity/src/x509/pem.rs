// SPDX-License-Identifier: Apache-2.0
//! The first PEM block of a text, found by the rules of Go's `encoding/pem`.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// Go demands padding but not that the bits it cuts off are zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Characters of a line of contents.
const LINE: usize = 64;

/// Writes a block as Go's `pem.Encode` does.
pub(super) fn encode(label: &str, contents: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = BASE64.encode(contents);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// A decoded PEM block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PemBlock<'a> {
    /// What stands after `BEGIN`.
    pub(crate) label: &'a [u8],
    /// The decoded contents.
    pub(crate) contents: Vec<u8>,
    /// What follows the block's last line.
    pub(crate) rest: &'a [u8],
}

impl<'a> PemBlock<'a> {
    /// Finds and decodes the first well-formed block; malformed ones before it are skipped.
    pub(crate) fn first(text: &'a [u8]) -> Option<Self> {
        let mut rest = text;
        loop {
            let end = find(rest, END)?;
            match Self::before(rest, end) {
                Attempt::Block(block) => return Some(block),
                Attempt::Nothing => return None,
                Attempt::Skip(next) => rest = next,
            }
        }
    }

    /// Reads the block whose end marker stands at `rest[end]`.
    fn before(rest: &'a [u8], end: usize) -> Attempt<'a> {
        let after_marker = end + END.len();
        let skip = Attempt::Skip(&rest[after_marker..]);
        let Some(begin) = rfind(&rest[..end], BEGIN).filter(|at| *at == 0 || rest[at - 1] == b'\n') else {
            return skip;
        };
        let (line, body) = split_line(&rest[begin + BEGIN.len()..]);
        let Some(label) = line.strip_suffix(DASHES) else { return skip };
        let Some((body, has_headers)) = skip_headers(body) else { return Attempt::Nothing };
        let body_at = rest.len() - body.len();
        if has_headers && body_at > end {
            return if body_at > after_marker { Attempt::Nothing } else { skip };
        }
        if !ends_line(&rest[after_marker..], label) {
            return skip;
        }
        // An empty block may share the newline of its first line with the end marker, so end may lie before the body.
        let Some(contents) = decode(rest.get(body_at..end).unwrap_or(&[])) else { return skip };
        Attempt::Block(Self { label, contents, rest: split_line(&rest[after_marker..]).1 })
    }
}

enum Attempt<'a> {
    Block(PemBlock<'a>),
    Skip(&'a [u8]),
    Nothing,
}

/// Skips `key: value` lines; `None` where the text ends with them.
fn skip_headers(mut body: &[u8]) -> Option<(&[u8], bool)> {
    let mut found = false;
    loop {
        if body.is_empty() {
            return None;
        }
        let (line, next) = split_line(body);
        if !line.contains(&b':') {
            return Some((body, found));
        }
        (body, found) = (next, true);
    }
}

fn ends_line(after_end: &[u8], label: &[u8]) -> bool {
    let Some(trailer) = after_end.strip_prefix(label).and_then(|rest| rest.strip_prefix(DASHES)) else { return false };
    split_line(trailer).0.is_empty()
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let ignored = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let packed: Cow<'_, [u8]> = if text.iter().any(ignored) {
        text.iter().copied().filter(|byte| !ignored(byte)).collect()
    } else {
        Cow::Borrowed(text)
    };
    BASE64.decode(packed).ok()
}

/// The first line without its end and trailing blanks, and what follows it.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]), &text[at + 1..]),
        None => (text, &text[text.len()..]),
    };
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (&line[..line.len() - blanks], rest)
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).rposition(|window| window == needle)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    fn contents(text: &str) -> Option<Vec<u8>> {
        PemBlock::first(text.as_bytes()).map(|block| block.contents)
    }

    #[test]
    fn finds_the_block_that_go_finds() {
        let hello = Some(b"hello".to_vec());
        for text in [
            "-----BEGIN X-----\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\r\naGVs\r\nbG8=\r\n-----END X-----",
            "text before\n-----BEGIN ANY TYPE-----\n aGV\tsbG8=\n-----END ANY TYPE-----  \ntext after",
            "-----BEGIN X-----\nkey: value\nother: one\n\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN Y-----\n-----BEGIN X-----\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\n!\n-----END X-----\n-----BEGIN X-----\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\naGVsbG9=\n-----END X-----\n",
        ] {
            assert_eq!(contents(text), hello, "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "aGVsbG8=",
            "-----BEGIN X-----\naGVsbG8\n-----END X-----\n",
            "-----BEGIN X-----\naGVsbG8=\n-----END Y-----\n",
            "-----BEGIN X-----\naGVsbG8=\n-----END X-----trailing",
            "blank -----BEGIN X-----\naGVsbG8=\n-----END X-----\n",
            "-----BEGIN X-----\naGVsbG8=",
            "-----BEGIN A:B-----\naGVsbG8=\n-----END A:B----\n",
        ] {
            assert_eq!(contents(text), None, "{text}");
        }
        assert_eq!(contents("-----BEGIN X-----\n-----END X-----\n"), Some(vec![]));
    }

    /// Thousands of shuffled texts, each with what Go's `pem.Decode` makes of it.
    #[test]
    fn agrees_with_go() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/pem.json.zst");
        let cases = std::fs::File::open(path).expect("the vectors");
        let cases: serde_json::Value = serde_json::from_reader(zstd::Decoder::new(cases).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let Some(block) = PemBlock::first(text.as_bytes()) else {
                assert_eq!(case["found"], false, "{text:?}");
                continue;
            };
            assert_eq!(case["found"], true, "{text:?}");
            assert_eq!(block.label, case["label"].as_str().unwrap().as_bytes(), "{text:?}");
            assert_eq!(BASE64.encode(&block.contents), case["bytes"].as_str().unwrap(), "{text:?}");
            assert_eq!(block.rest, case["rest"].as_str().unwrap().as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn tells_what_follows() {
        let block = PemBlock::first(b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\nmore").unwrap();
        assert_eq!((block.label, block.rest), (&b"CERTIFICATE"[..], &b"more"[..]));
    }
}

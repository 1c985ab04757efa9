// SPDX-License-Identifier: Apache-2.0
//! A reader of DER elements with the acceptance of Go's `golang.org/x/crypto/cryptobyte`.

use super::{CertificateError, Result};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const NUMERIC_STRING: u8 = 0x12;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const T61_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// Context-specific class bit; or-ed with a field's number.
pub(super) const CONTEXT: u8 = 0x80;
/// Constructed bit.
pub(super) const CONSTRUCTED: u8 = 0x20;

/// A BIT STRING: whole bytes and how many bits of the last one are padding.
#[derive(Debug, Clone, Copy)]
pub(super) struct BitString<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) padding: u8,
}

impl BitString<'_> {
    /// The bits as a number's bytes: padding shifted out at the right.
    pub(super) fn right_align(&self) -> Vec<u8> {
        let mut aligned = Vec::with_capacity(self.bytes.len());
        let mut carry = 0u16;
        for byte in self.bytes {
            let window = carry << 8 | u16::from(*byte);
            #[expect(clippy::cast_possible_truncation, reason = "the low eight bits are meant")]
            aligned.push((window >> self.padding) as u8);
            carry = u16::from(*byte);
        }
        aligned
    }

    /// Bit `index`, the most significant bit of the first byte being number 0; absent bits are zero.
    pub(super) fn bit(&self, index: usize) -> bool {
        let within = index < self.bytes.len() * 8 - usize::from(self.padding);
        within && self.bytes[index / 8] >> (7 - index % 8) & 1 == 1
    }
}

/// A cursor over consecutive DER elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a> {
    rest: &'a [u8],
}

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// The next element: its tag, its contents and the whole of it.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let [tag, first, ..] = *self.rest else { return None };
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            _ => self.long_length(usize::from(first & 0x7f))?,
        };
        let (element, rest) = self.rest.split_at_checked(header.checked_add(length)?)?;
        self.rest = rest;
        Some((tag, &element[header..], element))
    }

    fn long_length(&self, count: usize) -> Option<(usize, usize)> {
        if !(1..=4).contains(&count) {
            return None;
        }
        let bytes = self.rest.get(2..2 + count)?;
        let length = bytes.iter().fold(0u32, |length, byte| length << 8 | u32::from(*byte));
        let minimal = length >= 0x80 && bytes[0] != 0;
        minimal.then_some((usize::try_from(length).ok()?, 2 + count))
    }

    /// The contents of the next element, whatever its tag.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8])> {
        self.next().map(|(tag, contents, _)| (tag, contents)).ok_or(CertificateError("malformed DER element"))
    }

    /// The whole next element, whatever its tag.
    pub(super) fn any_element(&mut self) -> Result<&'a [u8]> {
        self.next().map(|(_, _, element)| element).ok_or(CertificateError("malformed DER element"))
    }

    /// The contents of the next element, which must have this tag.
    pub(super) fn contents(&mut self, tag: u8, what: &'static str) -> Result<&'a [u8]> {
        match self.next() {
            Some((found, contents, _)) if found == tag => Ok(contents),
            _ => Err(CertificateError(what)),
        }
    }

    /// The whole next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8, what: &'static str) -> Result<&'a [u8]> {
        match self.next() {
            Some((found, _, element)) if found == tag => Ok(element),
            _ => Err(CertificateError(what)),
        }
    }

    /// A reader over the contents of the next element, which must have this tag.
    pub(super) fn nested(&mut self, tag: u8, what: &'static str) -> Result<Der<'a>> {
        self.contents(tag, what).map(Der::new)
    }

    /// [`Self::nested`] where the tag stands next, `None` where another or nothing does.
    pub(super) fn optional(&mut self, tag: u8, what: &'static str) -> Result<Option<Der<'a>>> {
        if self.next_is(tag) { self.nested(tag, what).map(Some) } else { Ok(None) }
    }

    pub(super) fn boolean(&mut self, what: &'static str) -> Result<bool> {
        match self.contents(BOOLEAN, what)? {
            [0] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(CertificateError(what)),
        }
    }

    /// The contents of an INTEGER in its one minimal form.
    pub(super) fn integer(&mut self, what: &'static str) -> Result<&'a [u8]> {
        self.tagged_integer(INTEGER, what)
    }

    /// [`Self::integer`] under an implicit tag.
    pub(super) fn tagged_integer(&mut self, tag: u8, what: &'static str) -> Result<&'a [u8]> {
        match self.contents(tag, what)? {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(CertificateError(what)),
            contents => Ok(contents),
        }
    }

    /// A non-negative INTEGER below 2^63.
    pub(super) fn unsigned(&mut self, what: &'static str) -> Result<u64> {
        unsigned(self.integer(what)?).ok_or(CertificateError(what))
    }

    /// The contents of an OBJECT IDENTIFIER whose arcs are minimal and below 2^31.
    pub(super) fn oid(&mut self, what: &'static str) -> Result<&'a [u8]> {
        let contents = self.contents(OBJECT_IDENTIFIER, what)?;
        if is_oid(contents) { Ok(contents) } else { Err(CertificateError(what)) }
    }

    pub(super) fn bit_string(&mut self, what: &'static str) -> Result<BitString<'a>> {
        let contents = self.contents(BIT_STRING, what)?;
        let (&padding, bytes) = contents.split_first().ok_or(CertificateError(what))?;
        let padding_is_zero = match bytes.last() {
            None => padding == 0,
            Some(last) => padding <= 7 && last & ((1 << padding) - 1) == 0,
        };
        if padding_is_zero { Ok(BitString { bytes, padding }) } else { Err(CertificateError(what)) }
    }
}

/// The value of INTEGER contents, `None` where it does not fit 64 bits with sign.
pub(super) fn signed(contents: &[u8]) -> Option<i64> {
    if contents.len() > 8 {
        return None;
    }
    let sign = if contents.first()? & 0x80 == 0 { 0 } else { -1 };
    Some(contents.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
}

/// The value of INTEGER contents, `None` when negative or not below 2^63.
pub(super) fn unsigned(contents: &[u8]) -> Option<u64> {
    u64::try_from(signed(contents)?).ok()
}

fn is_oid(contents: &[u8]) -> bool {
    let terminated = contents.last().is_some_and(|last| last & 0x80 == 0);
    terminated && contents.split_inclusive(|byte| byte & 0x80 == 0).all(is_arc)
}

/// One base-128 number: no leading zero group, five groups and 31 bits at most, as Go reads it.
fn is_arc(arc: &[u8]) -> bool {
    let mut value = 0u64;
    for (index, byte) in arc.iter().enumerate() {
        if index == 5 || value >= 1 << 24 {
            return false;
        }
        value = value << 7 | u64::from(byte & 0x7f);
    }
    arc.first() != Some(&0x80)
}

/// Appends one element with a definite, minimal length.
pub(super) fn push_element(out: &mut Vec<u8>, tag: u8, contents: &[&[u8]]) {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    out.push(tag);
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        out.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        #[expect(clippy::cast_possible_truncation, reason = "at most eight length bytes")]
        out.push(0x80 | (bytes.len() - first) as u8);
        out.extend_from_slice(&bytes[first..]);
    }
    for part in contents {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_minimal_and_definite() {
        for bad in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x81, 0x05, 0, 0, 0, 0, 0],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x02, 0],
            &[0x1f, 0x01, 0],
            &[0x30],
        ] {
            assert!(Der::new(bad).any().is_err(), "{bad:02x?}");
        }
        let mut long = vec![0x04, 0x81, 0x80];
        long.extend([7; 0x80]);
        assert_eq!(Der::new(&long).any().unwrap(), (OCTET_STRING, &[7; 0x80][..]));
    }

    #[test]
    fn oids_have_one_form() {
        for (contents, good) in [
            (&[0x55, 0x1d, 0x0f][..], true),
            (&[], false),
            (&[0x55, 0x80, 0x01], false),
            (&[0x55, 0x81], false),
            (&[0x87, 0xff, 0xff, 0xff, 0x7f], true),
            (&[0x88, 0x80, 0x80, 0x80, 0x00], false),
        ] {
            assert_eq!(is_oid(contents), good, "{contents:02x?}");
        }
    }

    #[test]
    fn bit_strings_align_right() {
        let bits = Der::new(&[3, 3, 4, 0xab, 0xc0]).bit_string("").unwrap();
        assert_eq!(bits.right_align(), [0x0a, 0xbc]);
        assert!(bits.bit(0) && !bits.bit(1) && !bits.bit(12));
        assert!(Der::new(&[3, 2, 1, 0x01]).bit_string("").is_err());
        assert!(Der::new(&[3, 1, 1]).bit_string("").is_err());
    }
}

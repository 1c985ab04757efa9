// SPDX-License-Identifier: Apache-2.0
//! Distinguished names: the attributes that an MSP looks at, and a text form for people.

use std::fmt::{self, Write};

use super::der::{
    BMP_STRING, Der, IA5_STRING, NUMERIC_STRING, PRINTABLE_STRING, SEQUENCE, SET, T61_STRING, UTF8_STRING,
};
use super::{CertificateError, Result};

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 4, 11];

/// The parts of a distinguished name that Fabric's rules read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// The last common name, empty where there is none.
    pub common_name: String,
    /// Organizational units, in the order of the certificate.
    pub organizational_units: Vec<String>,
    /// `CN=…,OU=…,O=…` in the order of the certificate.
    text: String,
}

impl Name {
    /// Reads a whole DER Name; only strings are allowed as values.
    pub(super) fn parse(element: &[u8]) -> Result<Self> {
        let mut name = Self::default();
        let mut rdns = Der::new(element).nested(SEQUENCE, "malformed name")?;
        while !rdns.is_empty() {
            let mut rdn = rdns.nested(SET, "malformed name")?;
            while !rdn.is_empty() {
                let mut attribute = rdn.nested(SEQUENCE, "malformed name attribute")?;
                let kind = attribute.oid("malformed name attribute")?;
                let (tag, value) = attribute.any()?;
                name.add(kind, string(tag, value)?);
            }
        }
        Ok(name)
    }

    fn add(&mut self, kind: &[u8], value: String) {
        if let Some(label) = label(kind) {
            let comma = if self.text.is_empty() { "" } else { "," };
            // Writing to a string does not fail.
            _ = write!(self.text, "{comma}{label}={value}");
        }
        match kind {
            COMMON_NAME => self.common_name = value,
            ORGANIZATIONAL_UNIT => self.organizational_units.push(value),
            _ => {}
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn label(kind: &[u8]) -> Option<&'static str> {
    let &[0x55, 4, attribute] = kind else { return None };
    Some(match attribute {
        3 => "CN",
        5 => "SERIALNUMBER",
        6 => "C",
        7 => "L",
        8 => "ST",
        9 => "STREET",
        10 => "O",
        11 => "OU",
        17 => "POSTALCODE",
        _ => return None,
    })
}

fn string(tag: u8, value: &[u8]) -> Result<String> {
    let text = match tag {
        // T.61 is read as Latin-1, as everyone does.
        T61_STRING => Some(value.iter().copied().map(char::from).collect()),
        PRINTABLE_STRING => ascii(value, is_printable),
        UTF8_STRING => std::str::from_utf8(value).ok().map(str::to_owned),
        BMP_STRING => bmp(value),
        IA5_STRING => ascii(value, |byte| byte < 0x80),
        NUMERIC_STRING => ascii(value, |byte| byte.is_ascii_digit() || byte == b' '),
        _ => None,
    };
    text.ok_or(CertificateError("malformed or unsupported string in a name"))
}

pub(super) fn ascii(value: &[u8], allowed: impl Fn(u8) -> bool) -> Option<String> {
    let all = value.iter().all(|byte| allowed(*byte));
    all.then(|| value.iter().copied().map(char::from).collect())
}

/// X.680's `PrintableString`, and the `*` and `&` that real certificates use.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte)
}

/// UCS-2, one trailing NUL character dropped; surrogates and permanent non-characters are refused.
fn bmp(value: &[u8]) -> Option<String> {
    if !value.len().is_multiple_of(2) {
        return None;
    }
    let value = value.strip_suffix(&[0, 0]).unwrap_or(value);
    let points = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    points
        .map(|point| match point {
            0xfffe | 0xffff | 0xfdd0..=0xfdef => None,
            _ => char::from_u32(u32::from(point)),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn strings_follow_their_type() {
        assert_eq!(string(PRINTABLE_STRING, b"a*b&c").unwrap(), "a*b&c");
        assert!(string(PRINTABLE_STRING, b"a_b").is_err());
        assert!(string(UTF8_STRING, b"\xff").is_err());
        assert_eq!(string(T61_STRING, b"\xe9").unwrap(), "é");
        assert_eq!(string(BMP_STRING, b"\0a\0\0").unwrap(), "a");
        assert!(string(BMP_STRING, b"\xd8\x00").is_err());
        assert!(string(super::super::der::OCTET_STRING, b"a").is_err());
    }
}

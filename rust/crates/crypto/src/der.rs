// SPDX-License-Identifier: Apache-2.0
//! The signatures that Fabric accepts, read from DER.
//!
//! Fabric (`bccsp/utils/ecdsa.go`, `bccsp/sw/ecdsa.go`) reads a signature with Go's `asn1.Unmarshal` into
//! two big integers, then demands that both are positive and that s is at most half the group order.
//! That reader is stricter than BER and laxer than DER:
//!
//! - tags, lengths and integers must have their one minimal encoding (X.690 10.1, 8.3.2);
//! - bytes after the SEQUENCE are ignored;
//! - bytes after the second INTEGER inside the SEQUENCE are ignored, and need not be ASN.1 at all.

use thiserror::Error;

/// Tag of a universal, constructed SEQUENCE (X.690 8.9).
const SEQUENCE: u8 = 0x30;
/// Tag of a universal, primitive INTEGER (X.690 8.3).
const INTEGER: u8 = 0x02;
/// A length that has reached this value takes no further byte: Go's reader stops here, so do we.
const LENGTH_SHIFT_LIMIT: usize = 1 << 23;

/// Half of the order of P-256, rounded down, big-endian: the largest s that Fabric accepts.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d,
    0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// A low-S ECDSA signature over P-256; both scalars big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The x coordinate of the nonce point, reduced modulo the group order.
    pub r: [u8; 32],
    /// The proof, at most half of the group order when it comes from [`Signature::from_der`].
    pub s: [u8; 32],
}

/// Why a byte string is not a signature that Fabric accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The bytes end before the value they announce.
    #[error("signature DER is truncated")]
    Truncated,
    /// Something else stands where the SEQUENCE or an INTEGER must be.
    #[error("signature DER holds an unexpected tag; want SEQUENCE {{ INTEGER r, INTEGER s }}")]
    Tag,
    /// A length is indefinite, too long, or not in its shortest form.
    #[error("signature DER holds a length that is not in its shortest form")]
    Length,
    /// An integer is empty or not in its shortest form.
    #[error("signature DER holds an integer that is not in its shortest form")]
    Integer,
    /// r or s is zero or negative.
    #[error("signature scalar is not positive")]
    NotPositive,
    /// r has more than 256 bits; no verification could accept it.
    #[error("signature r has more than 256 bits")]
    TooLarge,
    /// s is above half of the group order (Fabric accepts only the lower of the two valid values).
    #[error("signature s is above half of the group order")]
    HighS,
}

impl Signature {
    /// Reads a DER signature by Fabric's rules; see the module's text for them.
    ///
    /// An r between the group order and 2^256 is returned as it is: it never verifies.
    pub fn from_der(der: &[u8]) -> Result<Self, SignatureError> {
        let (sequence, _ignored) = element(der, SEQUENCE)?;
        let (r, rest) = element(sequence, INTEGER)?;
        check_minimal(r)?;
        let (s, _ignored) = element(rest, INTEGER)?;
        check_minimal(s)?;
        let r = positive(r)?;
        // A too large s is a high s, whatever its length.
        let s = match positive(s) {
            Err(SignatureError::TooLarge) => return Err(SignatureError::HighS),
            other => other?,
        };
        if s > HALF_ORDER {
            return Err(SignatureError::HighS);
        }
        Ok(Self { r, s })
    }
}

/// Splits one element with the given tag off the front: its contents, and what follows it.
fn element(input: &[u8], tag: u8) -> Result<(&[u8], &[u8]), SignatureError> {
    let (&found, rest) = input.split_first().ok_or(SignatureError::Truncated)?;
    if found != tag {
        return Err(SignatureError::Tag);
    }
    let (length, rest) = length(rest)?;
    rest.split_at_checked(length).ok_or(SignatureError::Truncated)
}

/// Reads a definite, minimal length (X.690 8.1.3, 10.1).
fn length(input: &[u8]) -> Result<(usize, &[u8]), SignatureError> {
    let (&first, rest) = input.split_first().ok_or(SignatureError::Truncated)?;
    if first & 0x80 == 0 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 {
        return Err(SignatureError::Length);
    }
    let (bytes, rest) = rest.split_at_checked(count).ok_or(SignatureError::Truncated)?;
    let mut length = 0;
    for &byte in bytes {
        if length >= LENGTH_SHIFT_LIMIT {
            return Err(SignatureError::Length);
        }
        length = length << 8 | usize::from(byte);
        if length == 0 {
            return Err(SignatureError::Length);
        }
    }
    if length < 0x80 {
        return Err(SignatureError::Length);
    }
    Ok((length, rest))
}

/// Refuses an empty integer and one whose first nine bits are equal (X.690 8.3.2).
fn check_minimal(contents: &[u8]) -> Result<(), SignatureError> {
    match contents {
        [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(SignatureError::Integer),
        _ => Ok(()),
    }
}

/// The 256-bit value of a minimal, positive INTEGER.
fn positive(contents: &[u8]) -> Result<[u8; 32], SignatureError> {
    let magnitude = match contents {
        [0x80..=0xff, ..] | [0] => return Err(SignatureError::NotPositive),
        [0, magnitude @ ..] | magnitude => magnitude,
    };
    let start = 32usize.checked_sub(magnitude.len()).ok_or(SignatureError::TooLarge)?;
    let mut value = [0; 32];
    value[start..].copy_from_slice(magnitude);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    /// der.go asked Go's reader and applied Fabric's checks.
    #[test]
    fn reads_what_go_reads() {
        let (mut accepted, mut refused) = (0, 0);
        for line in include_str!("../tests/vectors/der.txt").lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let der = unhex(words.next().unwrap().trim_matches('-'));
            let expected = match words.collect::<Vec<_>>()[..] {
                [r, s] => Some(Signature { r: unhex(r).try_into().unwrap(), s: unhex(s).try_into().unwrap() }),
                _ => None,
            };
            assert_eq!(Signature::from_der(&der).ok(), expected, "{line}");
            *if expected.is_some() { &mut accepted } else { &mut refused } += 1;
        }
        assert!(accepted > 100 && refused > 500);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |der: &[u8]| Signature::from_der(der).unwrap_err();
        assert_eq!(error(&[]), SignatureError::Truncated);
        assert_eq!(error(&[0x30, 3, 2, 1, 1]), SignatureError::Truncated);
        assert_eq!(error(&[0x31, 0]), SignatureError::Tag);
        assert_eq!(error(&[0x30, 0x80]), SignatureError::Length);
        assert_eq!(error(&[0x30, 5, 2, 2, 0, 1, 2]), SignatureError::Integer);
        assert_eq!(error(&[0x30, 6, 2, 1, 0, 2, 1, 1]), SignatureError::NotPositive);
        assert_eq!(error(&[0x30, 6, 2, 1, 1, 2, 1, 0xff]), SignatureError::NotPositive);
        let mut high = vec![0x30, 0x25, 2, 1, 1, 2, 0x20];
        high.extend(HALF_ORDER);
        assert!(Signature::from_der(&high).is_ok());
        *high.last_mut().unwrap() += 1;
        assert_eq!(error(&high), SignatureError::HighS);
        let mut large = vec![0x30, 0x26, 2, 0x21, 1];
        large.extend([0; 32]);
        large.extend([2, 1, 1]);
        assert_eq!(error(&large), SignatureError::TooLarge);
    }
}

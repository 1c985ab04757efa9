// SPDX-License-Identifier: Apache-2.0
//! Signatures in DER: the reader against one that is written from the text of X.690 and knows no other code.
#![no_main]

use fastledger_crypto::{Signature, SignatureError};
use libfuzzer_sys::fuzz_target;

/// Half of the order of P-256, in hexadecimal.
const HALF_ORDER: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

fuzz_target!(|der: &[u8]| {
    let found = Signature::from_der(der);
    match (naive(der), found) {
        (Some((r, s)), Ok(found)) => {
            assert_eq!((hex(&found.r), hex(&found.s)), (r, s));
        }
        (None, Err(_)) => {}
        (expected, found) => panic!("{found:?}, but {expected:?}"),
    }
    if let Err(SignatureError::HighS) = found {
        assert!(naive_scalars(der).is_some_and(|(_, s)| (s.len(), s.as_str()) > (64, HALF_ORDER)));
    }
});

/// r and s as 64 hexadecimal digits each, where Fabric accepts the signature.
fn naive(der: &[u8]) -> Option<(String, String)> {
    let (r, s) = naive_scalars(der)?;
    let fits = r.len() <= 64 && s.len() == 64 && s.as_str() <= HALF_ORDER;
    fits.then_some((r, s))
}

/// r and s in hexadecimal, at least 64 digits; both are positive.
fn naive_scalars(der: &[u8]) -> Option<(String, String)> {
    let (sequence, _) = naive_element(der, 0x30)?;
    let (r, rest) = naive_element(sequence, 2)?;
    let (s, _) = naive_element(rest, 2)?;
    Some((naive_positive(r)?, naive_positive(s)?))
}

fn naive_element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if *input.first()? != tag {
        return None;
    }
    let first = *input.get(1)?;
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first - 0x80);
        let digits = input.get(2..2 + count)?;
        // The shortest form: no leading zero, and nothing that one byte can say. Go stops at four bytes.
        if !(1..=4).contains(&count) || digits[0] == 0 || (count == 1 && digits[0] < 0x80) {
            return None;
        }
        (digits.iter().fold(0usize, |length, digit| length * 256 + usize::from(*digit)), 2 + count)
    };
    let end = header.checked_add(length)?;
    Some((input.get(header..end)?, &input[end..]))
}

fn naive_positive(contents: &[u8]) -> Option<String> {
    let text = hex(contents);
    let (first, second) = (*contents.first()?, contents.get(1).copied());
    let padded = second.is_some_and(|second| (first == 0 && second < 0x80) || (first == 0xff && second >= 0x80));
    if padded || first >= 0x80 || contents == [0] {
        return None;
    }
    let digits = text.trim_start_matches("00");
    Some(format!("{digits:0>64}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

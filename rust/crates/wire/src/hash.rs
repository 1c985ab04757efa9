// SPDX-License-Identifier: Apache-2.0
//! The hashes that chain a ledger together, all SHA-256.

use sha2::{Digest, Sha256};

use crate::common::BlockHeader;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// SHA-256 of the concatenation of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// What many messages begin with, hashed once.
#[derive(Debug, Clone)]
pub struct Beginning(Sha256);

impl Beginning {
    /// Hashes the beginning.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(bytes))
    }

    /// SHA-256 of the beginning and the concatenation of `parts`.
    #[must_use]
    pub fn followed_by(&self, parts: &[&[u8]]) -> Hash {
        let mut hasher = self.0.clone();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// Hash of a block's header: SHA-256 of its DER form (`protoutil.BlockHeaderHash`).
#[must_use]
pub fn header_hash(header: &BlockHeader<'_>) -> Hash {
    sha256(&[&header_der(header)])
}

/// Hash of a block's data: SHA-256 of the plain concatenation of its entries (`protoutil.ComputeBlockDataHash`).
#[must_use]
pub fn data_hash(data: &[&[u8]]) -> Hash {
    sha256(data)
}

/// DER of SEQUENCE{INTEGER number, OCTET STRING previous hash, OCTET STRING data hash} (`protoutil.BlockHeaderBytes`).
#[must_use]
pub fn header_der(header: &BlockHeader<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(80);
    der_element(&mut body, 0x02, &der_integer(header.number));
    der_element(&mut body, 0x04, header.previous_hash);
    der_element(&mut body, 0x04, header.data_hash);
    let mut der = Vec::with_capacity(body.len() + 4);
    der_element(&mut der, 0x30, &body);
    der
}

fn der_integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    let mut content = Vec::with_capacity(9);
    if bytes[first] >= 0x80 {
        content.push(0);
    }
    content.extend_from_slice(&bytes[first..]);
    content
}

fn der_element(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    if let Ok(short @ 0..=0x7f) = u8::try_from(content.len()) {
        out.push(short);
    } else {
        let length = content.len().to_be_bytes();
        let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
        #[expect(clippy::cast_possible_truncation, reason = "at most eight length bytes")]
        out.push(0x80 | (length.len() - first) as u8);
        out.extend_from_slice(&length[first..]);
    }
    out.extend_from_slice(content);
}

/// The transaction id that a nonce and a creator give: lower-case hex of SHA-256(nonce ‖ creator) (`protoutil.ComputeTxID`).
#[must_use]
pub fn tx_id(nonce: &[u8], creator: &[u8]) -> String {
    hex(&sha256(&[nonce, creator]))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| byte_digits(*byte)).map(char::from).collect()
}

/// A digest's lower-case hexadecimal digits.
#[must_use]
pub fn hex_digits(digest: &Hash) -> [u8; 64] {
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = byte_digits(*byte);
    }
    digits
}

fn byte_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use super::{Beginning, sha256};

    #[test]
    fn a_beginning_and_what_follows_hash_as_one_message() {
        for length in [0, 1, 55, 64, 65, 1_000] {
            let beginning = vec![7; length];
            let hashed = Beginning::new(&beginning);
            for parts in [&[][..], &[b"one".as_slice()], &[b"one", &[3; 200]]] {
                assert_eq!(hashed.followed_by(parts), sha256(&[&[beginning.as_slice()], parts].concat()));
            }
        }
    }
}

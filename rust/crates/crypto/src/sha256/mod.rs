// SPDX-License-Identifier: Apache-2.0
//! SHA-256 (FIPS 180-4) of one message, and of many at once.
//!
//! One message is a chain: each step waits for the one before. Many messages are many chains, and a processor that
//! works on several at the same time hardly waits at all. So messages are taken side by side, in as many lanes as
//! there are messages for: 32 or 16 lanes of AVX-512 while most of them are busy, then four, two and one of the SHA
//! instructions of x86 or of Arm. A lane whose message ends takes the next; the longest go first, so that little is
//! left over.

#[cfg(target_arch = "aarch64")]
mod armv8;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod blocks;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod shani;

use aws_lc_rs::digest::{Context, SHA256};

/// A message in parts: its bytes are theirs, one after the other.
///
/// Fabric signs and chains concatenations (a proposal response payload followed by the endorser, the entries of a
/// block), and copying them together would cost as much as a tenth of hashing them.
pub type Message<'a> = &'a [&'a [u8]];

/// The SHA-256 digest of one message.
#[must_use]
pub fn sha256(message: &[u8]) -> [u8; 32] {
    by_library(&[message])
}

/// Writes the digest of each message to the same place in `digests`.
///
/// # Panics
/// If the two slices differ in length.
pub fn sha256_many(messages: &[Message<'_>], digests: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), digests.len(), "one digest per message");
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    if messages.len() > 1 && lanes::detected() {
        return lanes::in_lanes(messages, digests, lanes::detected_wide());
    }
    for (message, digest) in messages.iter().zip(digests) {
        *digest = by_library(message);
    }
}

/// What any machine can do.
fn by_library(message: Message<'_>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in message {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that do not repeat soon.
    fn bytes_from(seed: usize, length: usize) -> Vec<u8> {
        (0..length)
            .map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503) >> 13).to_le_bytes()[0])
            .collect()
    }

    /// Digests of all messages by every code that this machine has.
    fn all_ways(messages: &[Message<'_>]) -> Vec<Vec<[u8; 32]>> {
        let mut ways = vec![messages.iter().copied().map(by_library).collect()];
        let mut add = |hash: &dyn Fn(&mut [[u8; 32]])| {
            let mut digests = vec![[0xee; 32]; messages.len()];
            hash(&mut digests);
            ways.push(digests);
        };
        add(&|digests| sha256_many(messages, digests));
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if lanes::detected() {
            add(&|digests| lanes::in_lanes(messages, digests, false));
            if lanes::detected_wide() {
                add(&|digests| lanes::in_lanes(messages, digests, true));
            } else {
                eprintln!("this machine has no AVX-512: that code is not tested");
            }
        } else {
            eprintln!("this machine has no instructions for SHA-256: that code is not tested");
        }
        ways
    }

    fn expect_agreement(messages: &[Message<'_>]) {
        let ways = all_ways(messages);
        for way in &ways[1..] {
            for (i, (digest, expected)) in way.iter().zip(&ways[0]).enumerate() {
                let parts: Vec<usize> = messages[i].iter().map(|part| part.len()).collect();
                assert_eq!(digest, expected, "message {i} of {}: parts of {parts:?} bytes", messages.len());
            }
        }
    }

    /// The examples of FIPS 180-2, appendix B, and the empty message.
    #[test]
    fn published_digests() {
        let long = vec![b'a'; 1_000_000];
        let cases: [(&[u8], &str); 4] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (&long, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ];
        for (message, expected) in cases {
            let spelled = |digest: [u8; 32]| digest.map(|byte| format!("{byte:02x}")).concat();
            assert_eq!(spelled(sha256(message)), expected);
            for way in all_ways(&[&[message][..]; 20]) {
                assert!(way.into_iter().all(|digest| spelled(digest) == expected));
            }
        }
    }

    #[test]
    fn every_length_and_every_split() {
        let data = bytes_from(1, 200);
        for length in 0..data.len() {
            let splits: Vec<_> = (0..=length).map(|at| <[_; 2]>::from(data[..length].split_at(at))).collect();
            let messages: Vec<Message<'_>> = splits.iter().map(|parts| &parts[..]).collect();
            expect_agreement(&messages);
        }
    }

    #[test]
    fn every_number_of_messages() {
        let data: Vec<Vec<u8>> = (0..70).map(|i| bytes_from(i, i * i % 1500)).collect();
        for count in 0..data.len() {
            let parts: Vec<Vec<&[u8]>> = (0..count).map(|i| data[i].chunks(1 + 7 * i).collect()).collect();
            let messages: Vec<Message<'_>> = parts.iter().map(|parts| &parts[..]).collect();
            expect_agreement(&messages);
        }
    }

    #[test]
    fn one_long_message_among_short_ones() {
        let (long, short) = (bytes_from(5, 100_000), bytes_from(6, 100));
        let shorts: [&[u8]; 3] = [&short, &[], &short];
        let mut messages: Vec<Message<'_>> = vec![&shorts; 40];
        let longs: [[&[u8]; 2]; 2] = [[&long, &short], [&[], &long]];
        (messages[17], messages[31]) = (&longs[0], &longs[1]);
        expect_agreement(&messages);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! SHA-256 (FIPS 180-4) of one message, and of many at once.
//!
//! One message is a chain: each step waits for the one before. Many messages are many chains, and a processor that
//! works on several at the same time hardly waits at all. So messages are taken side by side, in as many lanes as
//! there are messages for: 32 or 16 lanes of AVX-512 while most of them are busy, then four, two and one of the SHA
//! instructions. A lane whose message ends takes the next; the longest go first, so that little is left over.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod shani;

use aws_lc_rs::digest::{Context, SHA256};

#[cfg(target_arch = "x86_64")]
use blocks::Blocks;

/// The first 32 bits of the fractional parts of the square roots of the first 8 primes (5.3.3).
#[cfg(target_arch = "x86_64")]
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (4.2.2).
#[cfg(target_arch = "x86_64")]
const ROUND: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

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
    #[cfg(target_arch = "x86_64")]
    if messages.len() > 1 && shani::detected() {
        return in_lanes(messages, digests, avx512::detected());
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

/// Code that works on a block of each of `LANES` messages at the same time.
#[cfg(target_arch = "x86_64")]
trait Lanes<const LANES: usize> {
    /// Puts a state into a lane.
    fn load(&mut self, lane: usize, state: &[u32; 8]);

    /// The state of a lane.
    fn store(&self, lane: usize) -> [u32; 8];

    /// Takes one block into each lane's state (6.2.2).
    fn compress(&mut self, blocks: &[&[u8; 64]; LANES]);
}

/// A message on its way.
#[cfg(target_arch = "x86_64")]
struct Stream<'a> {
    blocks: Blocks<'a>,
    state: [u32; 8],
    /// Where its digest goes.
    place: usize,
}

/// Messages that wait for a lane.
#[cfg(target_arch = "x86_64")]
struct Queue<'a> {
    messages: &'a [Message<'a>],
    /// Numbers of blocks and places of messages not begun, the longest at the end.
    fresh: Vec<(usize, usize)>,
    /// Messages begun in more lanes than there are now.
    begun: Vec<Stream<'a>>,
}

#[cfg(target_arch = "x86_64")]
impl<'a> Queue<'a> {
    fn new(messages: &'a [Message<'a>]) -> Self {
        let count = |(place, message): (usize, &Message<'a>)| (Blocks::new(message).left(), place);
        let mut fresh: Vec<(usize, usize)> = messages.iter().enumerate().map(count).collect();
        fresh.sort_unstable();
        Self { messages, fresh, begun: Vec::new() }
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.begun.len()
    }

    fn pop(&mut self) -> Option<Stream<'a>> {
        self.begun.pop().or_else(|| {
            let (_, place) = self.fresh.pop()?;
            Some(Stream { blocks: Blocks::new(self.messages[place]), state: INITIAL, place })
        })
    }
}

/// Hashes in ever fewer lanes, as fewer messages are left.
#[cfg(target_arch = "x86_64")]
fn in_lanes(messages: &[Message<'_>], digests: &mut [[u8; 32]], wide: bool) {
    let mut queue = Queue::new(messages);
    if wide {
        run::<32>(&mut avx512::States::<2>::new(), &mut queue, digests, avx512::WORTH_TWO);
        run::<16>(&mut avx512::States::<1>::new(), &mut queue, digests, avx512::WORTH_ONE);
    }
    run::<4>(&mut shani::States::new(), &mut queue, digests, 3);
    run::<2>(&mut shani::States::new(), &mut queue, digests, 2);
    run::<1>(&mut shani::States::new(), &mut queue, digests, 1);
}

/// Works on the queue while at least `least` lanes are busy; messages not done go back to it.
#[cfg(target_arch = "x86_64")]
fn run<const LANES: usize>(
    states: &mut impl Lanes<LANES>,
    queue: &mut Queue<'_>,
    digests: &mut [[u8; 32]],
    least: usize,
) {
    let mut lanes: [Option<Stream<'_>>; LANES] = [const { None }; LANES];
    let mut buffers = [[0; 64]; LANES];
    while lanes.iter().flatten().count() + queue.len() >= least {
        for (i, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_none()) {
            *lane = queue.pop().inspect(|stream| states.load(i, &stream.state));
        }
        let left = lanes.iter().flatten().map(|stream| stream.blocks.left());
        for _ in 0..left.min().unwrap_or(0) {
            let mut blocks = [&[0; 64]; LANES];
            for ((block, lane), buffer) in blocks.iter_mut().zip(&mut lanes).zip(&mut buffers) {
                if let Some(stream) = lane {
                    *block = stream.blocks.next(buffer);
                }
            }
            states.compress(&blocks);
        }
        for (i, lane) in lanes.iter_mut().enumerate() {
            if let Some(stream) = lane.take_if(|stream| stream.blocks.left() == 0) {
                digests[stream.place] = bytes(&states.store(i));
            }
        }
    }
    for (i, lane) in lanes.into_iter().enumerate() {
        queue.begun.extend(lane.map(|stream| Stream { state: states.store(i), ..stream }));
    }
}

#[cfg(target_arch = "x86_64")]
fn bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (out, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *out = word.to_be_bytes();
    }
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
        #[cfg(target_arch = "x86_64")]
        if shani::detected() {
            add(&|digests| in_lanes(messages, digests, false));
            if avx512::detected() {
                add(&|digests| in_lanes(messages, digests, true));
            } else {
                eprintln!("this machine has no AVX-512: that code is not tested");
            }
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

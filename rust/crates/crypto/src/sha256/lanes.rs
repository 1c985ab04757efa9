// SPDX-License-Identifier: Apache-2.0
//! Messages side by side, and what they wait for.

use super::Message;
#[cfg(target_arch = "aarch64")]
use super::armv8 as instructions;
#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::blocks::Blocks;
#[cfg(target_arch = "x86_64")]
use super::shani as instructions;

/// The first 32 bits of the fractional parts of the square roots of the first 8 primes (5.3.3).
pub(super) const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (4.2.2).
pub(super) const ROUND: [u32; 64] = [
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

/// Code that works on a block of each of `LANES` messages at the same time.
pub(super) trait Lanes<const LANES: usize> {
    /// Puts a state into a lane.
    fn load(&mut self, lane: usize, state: &[u32; 8]);

    /// The state of a lane.
    fn store(&self, lane: usize) -> [u32; 8];

    /// Takes one block into each lane's state (6.2.2).
    fn compress(&mut self, blocks: &[&[u8; 64]; LANES]);
}

/// A message on its way.
struct Stream<'a> {
    blocks: Blocks<'a>,
    state: [u32; 8],
    /// Where its digest goes.
    place: usize,
}

/// Messages that wait for a lane.
struct Queue<'a> {
    messages: &'a [Message<'a>],
    /// Numbers of blocks and places of messages not begun, the longest at the end.
    fresh: Vec<(usize, usize)>,
    /// Messages begun in more lanes than there are now.
    begun: Vec<Stream<'a>>,
}

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

/// Whether this machine hashes in lanes: it has instructions for SHA-256.
pub(super) fn detected() -> bool {
    instructions::detected()
}

/// Whether it has more lanes than these instructions fill.
pub(super) fn detected_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx512::detected();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Hashes in ever fewer lanes, as fewer messages are left.
pub(super) fn in_lanes(messages: &[Message<'_>], digests: &mut [[u8; 32]], wide: bool) {
    let mut queue = Queue::new(messages);
    #[cfg(target_arch = "x86_64")]
    if wide {
        run::<32>(&mut avx512::States::<2>::new(), &mut queue, digests, avx512::WORTH_TWO);
        run::<16>(&mut avx512::States::<1>::new(), &mut queue, digests, avx512::WORTH_ONE);
    }
    #[cfg(not(target_arch = "x86_64"))]
    debug_assert!(!wide, "only AVX-512 is wider");
    run::<4>(&mut instructions::States::new(), &mut queue, digests, 3);
    run::<2>(&mut instructions::States::new(), &mut queue, digests, 2);
    run::<1>(&mut instructions::States::new(), &mut queue, digests, 1);
}

/// Works on the queue while at least `least` lanes are busy; messages not done go back to it.
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

fn bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (out, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *out = word.to_be_bytes();
    }
    out
}

// SPDX-License-Identifier: Apache-2.0
//! Sixteen messages, or twice as many, at once: word i of sixteen of them in one AVX-512 register.

#![allow(clippy::many_single_char_names, reason = "FIPS 180-4 names the words of a state so")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_load_si512, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_store_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::lanes::{Lanes, ROUND};

/// Fewer busy lanes than this are better left to one group.
pub(super) const WORTH_TWO: usize = 28;

/// Fewer busy lanes than this are better left to the SHA instructions.
pub(super) const WORTH_ONE: usize = 10;

/// Whether this machine has the instructions below.
pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// The states of `GROUPS` times sixteen messages, group by group, word by word.
///
/// A round waits for the one before most of the time: rounds of two groups fill each other's gaps.
#[repr(align(64))]
pub(super) struct States<const GROUPS: usize>([[[u32; GROUP]; 8]; GROUPS]);

/// Messages side by side in one register.
const GROUP: usize = 16;

impl<const GROUPS: usize> States<GROUPS> {
    pub(super) fn new() -> Self {
        Self([[[0; GROUP]; 8]; GROUPS])
    }
}

impl<const GROUPS: usize, const LANES: usize> Lanes<LANES> for States<GROUPS> {
    fn load(&mut self, lane: usize, state: &[u32; 8]) {
        for (words, word) in self.0[lane / GROUP].iter_mut().zip(state) {
            words[lane % GROUP] = *word;
        }
    }

    fn store(&self, lane: usize) -> [u32; 8] {
        self.0[lane / GROUP].map(|words| words[lane % GROUP])
    }

    fn compress(&mut self, blocks: &[&[u8; 64]; LANES]) {
        const { assert!(LANES == GROUP * GROUPS) };
        let blocks = blocks.as_chunks::<GROUP>().0;
        // SAFETY: this module is used only where `detected` has answered yes.
        unsafe { compress(self, std::array::from_fn(|group| &blocks[group])) }
    }
}

/// x ^ y ^ z.
const XOR: i32 = 0x96;
/// Ch: y where x, z elsewhere.
const CHOOSE: i32 = 0xca;
/// Maj: what two of x, y, z agree on.
const MAJORITY: i32 = 0xe8;

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn xor_of_rotations<const A: i32, const B: i32, const C: i32>(x: __m512i) -> __m512i {
    let (a, b, c) = (_mm512_ror_epi32::<A>(x), _mm512_ror_epi32::<B>(x), _mm512_ror_epi32::<C>(x));
    _mm512_ternarylogic_epi32::<XOR>(a, b, c)
}

/// Puts Wₜ = Wₜ₋₁₆ + σ₀(Wₜ₋₁₅) + Wₜ₋₇ + σ₁(Wₜ₋₂) in the place of Wₜ₋₁₆.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn extend<const T: usize>(schedule: &mut [__m512i; 16]) {
    let [w16, w15, w7, w2] = [T, T + 1, T + 9, T + 14].map(|t| schedule[t % 16]);
    let (a, b, c) = (_mm512_ror_epi32::<7>(w15), _mm512_ror_epi32::<18>(w15), _mm512_srli_epi32::<3>(w15));
    let sigma0 = _mm512_ternarylogic_epi32::<XOR>(a, b, c);
    let (a, b, c) = (_mm512_ror_epi32::<17>(w2), _mm512_ror_epi32::<19>(w2), _mm512_srli_epi32::<10>(w2));
    let sigma1 = _mm512_ternarylogic_epi32::<XOR>(a, b, c);
    schedule[T] = _mm512_add_epi32(_mm512_add_epi32(w16, sigma0), _mm512_add_epi32(w7, sigma1));
}

/// Round T of sixteen: the words stand one place further with every round, and are back after eight.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn round<const T: usize>(words: &mut [__m512i; 8], keyed: __m512i) {
    let at = |i: usize| (i + 16 - T) % 8;
    let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| words[at(i)]);
    let sum = xor_of_rotations::<6, 11, 25>(e);
    let chosen = _mm512_ternarylogic_epi32::<CHOOSE>(e, f, g);
    let first = _mm512_add_epi32(_mm512_add_epi32(h, keyed), _mm512_add_epi32(sum, chosen));
    let sum = xor_of_rotations::<2, 13, 22>(a);
    let majority = _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c);
    words[at(3)] = _mm512_add_epi32(d, first);
    words[at(7)] = _mm512_add_epi32(first, _mm512_add_epi32(sum, majority));
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn keyed(word: __m512i, constant: u32) -> __m512i {
    _mm512_add_epi32(word, _mm512_set1_epi32(constant.cast_signed()))
}

/// Sixteen rounds of each group; what the next sixteen need is made of the words that these have used.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn sixteen_rounds<const EXTEND: bool, const GROUPS: usize>(
    words: &mut [[__m512i; 8]; GROUPS],
    schedules: &mut [[__m512i; 16]; GROUPS],
    constants: &[u32; 16],
) {
    macro_rules! rounds {
        ($($t:literal)*) => {$(
            for (words, schedule) in words.iter_mut().zip(&mut *schedules) {
                round::<$t>(words, keyed(schedule[$t], constants[$t]));
                if EXTEND {
                    extend::<$t>(schedule);
                }
            }
        )*};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress<const GROUPS: usize>(states: &mut States<GROUPS>, blocks: [&[&[u8; 64]; GROUP]; GROUPS]) {
    let mut schedules = blocks.map(|blocks| transposed(blocks));
    let mut words = [[_mm512_set1_epi32(0); 8]; GROUPS];
    for (words, state) in words.iter_mut().zip(&states.0) {
        for (word, lanes) in words.iter_mut().zip(state) {
            // SAFETY: each row of the states is 64 bytes, aligned to 64.
            *word = unsafe { _mm512_load_si512(lanes.as_ptr().cast()) };
        }
    }
    for (i, constants) in ROUND.as_chunks::<16>().0.iter().enumerate() {
        if i < 3 {
            sixteen_rounds::<true, GROUPS>(&mut words, &mut schedules, constants);
        } else {
            sixteen_rounds::<false, GROUPS>(&mut words, &mut schedules, constants);
        }
    }
    for (words, state) in words.iter().zip(&mut states.0) {
        for (word, lanes) in words.iter().zip(state) {
            // SAFETY: each row of the states is 64 bytes, aligned to 64.
            unsafe {
                let before = _mm512_load_si512(lanes.as_ptr().cast());
                _mm512_store_si512(lanes.as_mut_ptr().cast(), _mm512_add_epi32(before, *word));
            }
        }
    }
}

/// The sixteen words of sixteen blocks: word i of all blocks in register i.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transposed(blocks: &[&[u8; 64]; 16]) -> [__m512i; 16] {
    let big_endian = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    // SAFETY: each block is 64 bytes; the load needs no alignment.
    let row = |i: usize| _mm512_shuffle_epi8(unsafe { _mm512_loadu_si512(blocks[i].as_ptr().cast()) }, big_endian);
    let mut quarters = [_mm512_set1_epi32(0); 16];
    for i in 0..4 {
        // Four rows become four columns within each quarter of a register.
        let (r0, r1, r2, r3) = (row(4 * i), row(4 * i + 1), row(4 * i + 2), row(4 * i + 3));
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        quarters[i] = _mm512_unpacklo_epi64(low01, low23);
        quarters[4 + i] = _mm512_unpackhi_epi64(low01, low23);
        quarters[8 + i] = _mm512_unpacklo_epi64(high01, high23);
        quarters[12 + i] = _mm512_unpackhi_epi64(high01, high23);
    }
    let mut columns = quarters;
    for i in 0..4 {
        // The quarters of four registers, which hold columns i, 4 + i, 8 + i and 12 + i, are put together.
        let [q0, q1, q2, q3] = [quarters[4 * i], quarters[4 * i + 1], quarters[4 * i + 2], quarters[4 * i + 3]];
        let (even01, odd01) = (_mm512_shuffle_i32x4::<0x88>(q0, q1), _mm512_shuffle_i32x4::<0xdd>(q0, q1));
        let (even23, odd23) = (_mm512_shuffle_i32x4::<0x88>(q2, q3), _mm512_shuffle_i32x4::<0xdd>(q2, q3));
        columns[i] = _mm512_shuffle_i32x4::<0x88>(even01, even23);
        columns[8 + i] = _mm512_shuffle_i32x4::<0xdd>(even01, even23);
        columns[4 + i] = _mm512_shuffle_i32x4::<0x88>(odd01, odd23);
        columns[12 + i] = _mm512_shuffle_i32x4::<0xdd>(odd01, odd23);
    }
    columns
}

// SPDX-License-Identifier: Apache-2.0
//! Sixteen messages at once: word i of all of them in one AVX-512 register.

#![allow(clippy::many_single_char_names, reason = "FIPS 180-4 names the words of a state so")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_load_si512, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_store_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::{Lanes, ROUND};

/// Fewer busy lanes than this are better left to the SHA instructions.
pub(super) const WORTH: usize = 11;

/// Whether this machine has the instructions below.
pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// The states of sixteen messages, word by word.
#[repr(align(64))]
pub(super) struct States([[u32; 16]; 8]);

impl States {
    pub(super) fn new() -> Self {
        Self([[0; 16]; 8])
    }
}

impl Lanes<16> for States {
    fn load(&mut self, lane: usize, state: &[u32; 8]) {
        for (words, word) in self.0.iter_mut().zip(state) {
            words[lane] = *word;
        }
    }

    fn store(&self, lane: usize) -> [u32; 8] {
        self.0.map(|words| words[lane])
    }

    fn compress(&mut self, blocks: &[&[u8; 64]; 16]) {
        // SAFETY: this module is used only where `detected` has answered yes.
        unsafe { compress(self, blocks) }
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

/// One round, which makes the word in d's place the new e and the one in h's place the new a.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $word:expr) => {
        let sum = xor_of_rotations::<6, 11, 25>($e);
        let chosen = _mm512_ternarylogic_epi32::<CHOOSE>($e, $f, $g);
        let first = _mm512_add_epi32(_mm512_add_epi32($h, $word), _mm512_add_epi32(sum, chosen));
        let sum = xor_of_rotations::<2, 13, 22>($a);
        let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
        $d = _mm512_add_epi32($d, first);
        $h = _mm512_add_epi32(first, _mm512_add_epi32(sum, majority));
    };
}

/// Eight rounds, after which every word is back in its place.
macro_rules! eight_rounds {
    ([$a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident], $words:expr, $constants:expr) => {
        round!($a $b $c $d $e $f $g $h, keyed($words[0], $constants[0]));
        round!($h $a $b $c $d $e $f $g, keyed($words[1], $constants[1]));
        round!($g $h $a $b $c $d $e $f, keyed($words[2], $constants[2]));
        round!($f $g $h $a $b $c $d $e, keyed($words[3], $constants[3]));
        round!($e $f $g $h $a $b $c $d, keyed($words[4], $constants[4]));
        round!($d $e $f $g $h $a $b $c, keyed($words[5], $constants[5]));
        round!($c $d $e $f $g $h $a $b, keyed($words[6], $constants[6]));
        round!($b $c $d $e $f $g $h $a, keyed($words[7], $constants[7]));
    };
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn keyed(word: __m512i, constant: u32) -> __m512i {
    _mm512_add_epi32(word, _mm512_set1_epi32(constant.cast_signed()))
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress(states: &mut States, blocks: &[&[u8; 64]; 16]) {
    let mut schedule = transposed(blocks);
    // SAFETY: each row of the states is 64 bytes, aligned to 64.
    let before = states.0.each_ref().map(|words| unsafe { _mm512_load_si512(words.as_ptr().cast()) });
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
    for (i, constants) in ROUND.as_chunks::<16>().0.iter().enumerate() {
        eight_rounds!([a b c d e f g h], schedule[..8], constants[..8]);
        eight_rounds!([a b c d e f g h], schedule[8..], constants[8..]);
        if i < 3 {
            extend::<0>(&mut schedule);
            extend::<1>(&mut schedule);
            extend::<2>(&mut schedule);
            extend::<3>(&mut schedule);
            extend::<4>(&mut schedule);
            extend::<5>(&mut schedule);
            extend::<6>(&mut schedule);
            extend::<7>(&mut schedule);
            extend::<8>(&mut schedule);
            extend::<9>(&mut schedule);
            extend::<10>(&mut schedule);
            extend::<11>(&mut schedule);
            extend::<12>(&mut schedule);
            extend::<13>(&mut schedule);
            extend::<14>(&mut schedule);
            extend::<15>(&mut schedule);
        }
    }
    for ((words, before), after) in states.0.iter_mut().zip(before).zip([a, b, c, d, e, f, g, h]) {
        // SAFETY: each row of the states is 64 bytes, aligned to 64.
        unsafe { _mm512_store_si512(words.as_mut_ptr().cast(), _mm512_add_epi32(before, after)) };
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

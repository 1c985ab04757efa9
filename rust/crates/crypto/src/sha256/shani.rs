// SPDX-License-Identifier: Apache-2.0
//! A few messages at once, by the SHA instructions of x86.

#![allow(clippy::many_single_char_names, reason = "FIPS 180-4 names the words of a state so")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_storeu_si128,
};

use super::lanes::{Lanes, ROUND};

/// Whether this machine has the instructions below.
pub(super) fn detected() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

/// The states of `N` messages, in the order that the instructions want: words f, e, b, a, then h, g, d, c.
pub(super) struct States<const N: usize>([[__m128i; 2]; N]);

impl<const N: usize> States<N> {
    pub(super) fn new() -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self([[unsafe { _mm_setzero_si128() }; 2]; N])
    }
}

impl<const N: usize> Lanes<N> for States<N> {
    fn load(&mut self, lane: usize, state: &[u32; 8]) {
        let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
        // SAFETY: SSE2 is part of x86-64.
        self.0[lane] = unsafe { [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)] };
    }

    fn store(&self, lane: usize) -> [u32; 8] {
        let mut words = [[0; 4]; 2];
        for (words, vector) in words.iter_mut().zip(self.0[lane]) {
            // SAFETY: `words` is 16 bytes; the store needs no alignment.
            unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
        }
        let [[f, e, b, a], [h, g, d, c]] = words;
        [a, b, c, d, e, f, g, h]
    }

    fn compress(&mut self, blocks: &[&[u8; 64]; N]) {
        // SAFETY: this module is used only where `detected` has answered yes.
        unsafe { compress(&mut self.0, blocks) }
    }
}

/// The constants of sixteen rounds at a time.
const fn sixteens() -> [[u32; 16]; 4] {
    let (sixteens, _) = ROUND.as_chunks::<16>();
    [sixteens[0], sixteens[1], sixteens[2], sixteens[3]]
}

/// Four rounds in all lanes, and the words that will be wanted sixteen rounds later, if there are any.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn four_rounds<const N: usize, const NOW: usize, const MORE: bool>(
    work: &mut [[__m128i; 2]; N],
    schedule: &mut [[__m128i; 4]; N],
    constants: &[u32; 16],
) {
    // SAFETY: these are 16 of the constants' 64 bytes, NOW being less than 4; the load needs no alignment.
    let constants = unsafe { _mm_loadu_si128(constants.as_ptr().add(4 * NOW).cast()) };
    for (work, schedule) in work.iter_mut().zip(schedule) {
        let words = _mm_add_epi32(schedule[NOW], constants);
        work[1] = _mm_sha256rnds2_epu32(work[1], work[0], words);
        work[0] = _mm_sha256rnds2_epu32(work[0], work[1], _mm_shuffle_epi32::<0x0e>(words));
        if MORE {
            let [next, third, last] = [1, 2, 3].map(|j| schedule[(NOW + j) % 4]);
            let mixed = _mm_sha256msg1_epu32(schedule[NOW], next);
            let mixed = _mm_add_epi32(mixed, _mm_alignr_epi8::<4>(last, third));
            schedule[NOW] = _mm_sha256msg2_epu32(mixed, last);
        }
    }
}

/// Four rounds in all lanes before the next four: one lane alone would wait for itself.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress<const N: usize>(states: &mut [[__m128i; 2]; N], blocks: &[&[u8; 64]; N]) {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut schedule = [[_mm_setzero_si128(); 4]; N];
    for (schedule, block) in schedule.iter_mut().zip(blocks) {
        for (words, bytes) in schedule.iter_mut().zip(block.as_chunks::<16>().0) {
            // SAFETY: `bytes` is 16 bytes; the load needs no alignment.
            *words = _mm_shuffle_epi8(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }, big_endian);
        }
    }
    let mut work = *states;
    let [first @ .., last] = const { &sixteens() };
    for constants in first {
        four_rounds::<N, 0, true>(&mut work, &mut schedule, constants);
        four_rounds::<N, 1, true>(&mut work, &mut schedule, constants);
        four_rounds::<N, 2, true>(&mut work, &mut schedule, constants);
        four_rounds::<N, 3, true>(&mut work, &mut schedule, constants);
    }
    four_rounds::<N, 0, false>(&mut work, &mut schedule, last);
    four_rounds::<N, 1, false>(&mut work, &mut schedule, last);
    four_rounds::<N, 2, false>(&mut work, &mut schedule, last);
    four_rounds::<N, 3, false>(&mut work, &mut schedule, last);
    for (state, work) in states.iter_mut().zip(work) {
        *state = [_mm_add_epi32(state[0], work[0]), _mm_add_epi32(state[1], work[1])];
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A few messages at once, by the SHA instructions of Arm, version 8.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vld1q_u8, vld1q_u32, vreinterpretq_u32_u8, vrev32q_u8, vsha256h2q_u32,
    vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32, vst1q_u32,
};
use std::arch::is_aarch64_feature_detected;

use super::lanes::{Lanes, ROUND};

/// Whether this machine has the instructions below.
pub(super) fn detected() -> bool {
    is_aarch64_feature_detected!("sha2")
}

/// The states of `N` messages: words a to d, then e to h.
pub(super) struct States<const N: usize>([[uint32x4_t; 2]; N]);

impl<const N: usize> States<N> {
    pub(super) fn new() -> Self {
        // SAFETY: NEON is part of aarch64.
        Self([[unsafe { vdupq_n_u32(0) }; 2]; N])
    }
}

impl<const N: usize> Lanes<N> for States<N> {
    fn load(&mut self, lane: usize, state: &[u32; 8]) {
        let halves = state.as_chunks::<4>().0;
        for (vector, words) in self.0[lane].iter_mut().zip(halves) {
            // SAFETY: `words` is 16 bytes.
            *vector = unsafe { vld1q_u32(words.as_ptr()) };
        }
    }

    fn store(&self, lane: usize) -> [u32; 8] {
        let mut state = [0; 8];
        for (words, vector) in state.as_chunks_mut::<4>().0.iter_mut().zip(self.0[lane]) {
            // SAFETY: `words` is 16 bytes.
            unsafe { vst1q_u32(words.as_mut_ptr(), vector) };
        }
        state
    }

    fn compress(&mut self, blocks: &[&[u8; 64]; N]) {
        // SAFETY: this module is used only where `detected` has answered yes.
        unsafe { compress(&mut self.0, blocks) }
    }
}

/// Four rounds in all lanes, and the words that will be wanted sixteen rounds later, if there are any.
#[target_feature(enable = "neon,sha2")]
#[inline]
fn four_rounds<const N: usize, const NOW: usize, const MORE: bool>(
    work: &mut [[uint32x4_t; 2]; N],
    schedule: &mut [[uint32x4_t; 4]; N],
    constants: &[u32; 16],
) {
    // SAFETY: these are 16 of the constants' 64 bytes, NOW being less than 4.
    let constants = unsafe { vld1q_u32(constants.as_ptr().add(4 * NOW)) };
    for (work, schedule) in work.iter_mut().zip(schedule) {
        let words = vaddq_u32(schedule[NOW], constants);
        let [first, second] = *work;
        *work = [vsha256hq_u32(first, second, words), vsha256h2q_u32(second, first, words)];
        if MORE {
            let [next, third, last] = [1, 2, 3].map(|j| schedule[(NOW + j) % 4]);
            schedule[NOW] = vsha256su1q_u32(vsha256su0q_u32(schedule[NOW], next), third, last);
        }
    }
}

/// Four rounds in all lanes before the next four: one lane alone would wait for itself.
#[target_feature(enable = "neon,sha2")]
fn compress<const N: usize>(states: &mut [[uint32x4_t; 2]; N], blocks: &[&[u8; 64]; N]) {
    let mut schedule = [[vdupq_n_u32(0); 4]; N];
    for (schedule, block) in schedule.iter_mut().zip(blocks) {
        for (words, bytes) in schedule.iter_mut().zip(block.as_chunks::<16>().0) {
            // SAFETY: `bytes` is 16 bytes.
            *words = vreinterpretq_u32_u8(vrev32q_u8(unsafe { vld1q_u8(bytes.as_ptr()) }));
        }
    }
    let mut work = *states;
    let [first @ .., last] = ROUND.as_chunks::<16>().0 else { unreachable!("four times sixteen constants") };
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
        *state = [vaddq_u32(state[0], work[0]), vaddq_u32(state[1], work[1])];
    }
}

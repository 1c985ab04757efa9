// SPDX-License-Identifier: Apache-2.0
//! Four 64-bit words in an AVX register, under safe names, for processors that have IFMA's instructions without AVX-512.
//!
//! What each SAFETY comment rests on: values of this type are made and used only under the entry points of the AVX-IFMA
//! engine, which run after [`detected`] has answered yes.

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castsi256_pd,
    _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_permute2x128_si256,
    _mm256_permute4x64_epi64, _mm256_set1_epi64x, _mm256_setr_epi64x, _mm256_sll_epi64, _mm256_srl_epi64,
    _mm256_storeu_si256, _mm256_sub_epi64, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256,
};
use std::marker::PhantomData;

use super::lanes::Mask;
use super::limbs::Limbs;
use super::words::Words;

/// Whether this machine has the instructions below, and BMI2 for what is not done in lanes.
pub(crate) fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxifma") && is_x86_feature_detected!("bmi2")
}

/// The multiply-add of four words, of which there are two encodings.
pub(crate) trait MultiplyAdd: Copy + Send {
    /// sum + the low 52 bits of a·b.
    ///
    /// # Safety
    /// The machine has the encoding.
    unsafe fn low(sum: __m256i, a: __m256i, b: __m256i) -> __m256i;

    /// sum + the high 52 bits of a·b.
    ///
    /// # Safety
    /// The machine has the encoding.
    unsafe fn high(sum: __m256i, a: __m256i, b: __m256i) -> __m256i;
}

macro_rules! encoding {
    ($(#[$attribute:meta])* $name:ident: $low:ident, $high:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        $(#[$attribute])*
        impl MultiplyAdd for $name {
            #[inline(always)]
            unsafe fn low(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: the caller knows that the machine has the instruction.
                unsafe { std::arch::x86_64::$low(sum, a, b) }
            }

            #[inline(always)]
            unsafe fn high(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: the caller knows that the machine has the instruction.
                unsafe { std::arch::x86_64::$high(sum, a, b) }
            }
        }
    };
}

encoding!(
    /// That of AVX-IFMA.
    Vex: _mm256_madd52lo_avx_epu64, _mm256_madd52hi_avx_epu64
);
encoding!(
    /// That of AVX-512: for tests on machines which have only that one.
    #[cfg(test)]
    Evex: _mm256_madd52lo_epu64, _mm256_madd52hi_epu64
);

/// Four words.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Words4<M>(__m256i, PhantomData<M>);

#[inline(always)]
fn words<M>(register: __m256i) -> Words4<M> {
    Words4(register, PhantomData)
}

macro_rules! binary {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            words(unsafe { $intrinsic(self.0, other.0) })
        }
    )*};
}

macro_rules! shift {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, bits: u32) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            words(unsafe { $intrinsic(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
        }
    )*};
}

impl<M: MultiplyAdd> Words for Words4<M> {
    const LANES: usize = 4;

    binary! {
        add = _mm256_add_epi64;
        sub = _mm256_sub_epi64;
        and = _mm256_and_si256;
        or = _mm256_or_si256;
        xor = _mm256_xor_si256;
    }

    shift! {
        shl = _mm256_sll_epi64;
        shr = _mm256_srl_epi64;
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        words(unsafe { _mm256_set1_epi64x(word.cast_signed()) })
    }

    /// AVX2 has no such shift: the number is made positive by a bias, which is taken off shifted.
    #[inline(always)]
    fn sar(self, bits: u32) -> Self {
        const BIAS: u64 = 1 << 63;
        self.xor(Self::splat(BIAS)).shr(bits).sub(Self::splat(BIAS >> bits))
    }

    #[inline(always)]
    fn funnel(self, high: Self, bits: u32) -> Self {
        self.shr(bits).or(high.shl(64 - bits))
    }

    #[inline(always)]
    fn add_low(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the encoding; see the module's text.
        words(unsafe { M::low(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn add_high(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the encoding; see the module's text.
        words(unsafe { M::high(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe {
            let lanes = _mm256_setr_epi64x(1, 2, 4, 8);
            let all = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(i64::from(mask)), lanes), lanes);
            words(_mm256_blendv_epi8(other.0, chosen.0, all))
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mask of four bits")]
    fn equal(self, other: Self) -> Mask {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe { _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(self.0, other.0))) as Mask }
    }

    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        words(unsafe {
            match distance {
                1 => _mm256_permute4x64_epi64::<0b10_11_00_01>(self.0),
                _ => _mm256_permute4x64_epi64::<0b01_00_11_10>(self.0),
            }
        })
    }

    #[inline(always)]
    fn load_columns(rows: [&Limbs; 8]) -> [Self; 4] {
        // SAFETY: each row is 32 bytes; the loads need no alignment. The machine has the features; see the module's text.
        unsafe {
            let a = _mm256_loadu_si256(rows[0].as_ptr().cast());
            let b = _mm256_loadu_si256(rows[1].as_ptr().cast());
            let c = _mm256_loadu_si256(rows[2].as_ptr().cast());
            let d = _mm256_loadu_si256(rows[3].as_ptr().cast());
            let (even_ab, odd_ab) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            let (even_cd, odd_cd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
            [
                words(_mm256_permute2x128_si256::<0x20>(even_ab, even_cd)),
                words(_mm256_permute2x128_si256::<0x20>(odd_ab, odd_cd)),
                words(_mm256_permute2x128_si256::<0x31>(even_ab, even_cd)),
                words(_mm256_permute2x128_si256::<0x31>(odd_ab, odd_cd)),
            ]
        }
    }

    #[inline(always)]
    fn to_array(self) -> [u64; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` is 64 bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), self.0) };
        out
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Eight 64-bit words in an AVX-512 register, under safe names.
//!
//! What each SAFETY comment rests on: values of this type are made and used only under the entry points of the IFMA
//! engine, which run after [`detected`] has answered yes.

use std::arch::x86_64::{
    __m512i, _mm_cvtsi32_si128, _mm256_loadu_si256, _mm512_add_epi64, _mm512_and_si512, _mm512_castsi256_si512,
    _mm512_cmpeq_epi64_mask, _mm512_inserti64x4, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_blend_epi64,
    _mm512_or_si512, _mm512_permutex_epi64, _mm512_set1_epi64, _mm512_shrdv_epi64, _mm512_shuffle_i64x2,
    _mm512_sll_epi64, _mm512_sra_epi64, _mm512_srl_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::lanes::Mask;
use super::limbs::Limbs;
use super::words::Words;

/// Whether this machine has the instructions below.
pub(crate) fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512ifma")
}

/// Eight words.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Words8(__m512i);

macro_rules! binary {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe { $intrinsic(self.0, other.0) })
        }
    )*};
}

macro_rules! shift {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, bits: u32) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe { $intrinsic(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
        }
    )*};
}

/// Two rows in one register.
#[inline(always)]
fn pair(low: &Limbs, high: &Limbs) -> __m512i {
    // SAFETY: each row is 32 bytes; the loads need no alignment.
    unsafe {
        let low = _mm256_loadu_si256(low.as_ptr().cast());
        let high = _mm256_loadu_si256(high.as_ptr().cast());
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
    }
}

impl Words for Words8 {
    const LANES: usize = 8;

    binary! {
        add = _mm512_add_epi64;
        sub = _mm512_sub_epi64;
        and = _mm512_and_si512;
        or = _mm512_or_si512;
        xor = _mm512_xor_si512;
    }

    shift! {
        shl = _mm512_sll_epi64;
        shr = _mm512_srl_epi64;
        sar = _mm512_sra_epi64;
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_set1_epi64(word.cast_signed()) })
    }

    #[inline(always)]
    fn funnel(self, high: Self, bits: u32) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_shrdv_epi64(self.0, high.0, _mm512_set1_epi64(i64::from(bits))) })
    }

    #[inline(always)]
    fn add_low(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn add_high(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_mask_blend_epi64(mask, other.0, chosen.0) })
    }

    #[inline(always)]
    fn equal(self, other: Self) -> Mask {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe { _mm512_cmpeq_epi64_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe {
            match distance {
                1 => _mm512_permutex_epi64::<0b10_11_00_01>(self.0),
                2 => _mm512_permutex_epi64::<0b01_00_11_10>(self.0),
                _ => _mm512_shuffle_i64x2::<0b01_00_11_10>(self.0, self.0),
            }
        })
    }

    #[inline(always)]
    fn load_columns(rows: [&Limbs; 8]) -> [Self; 4] {
        let (a, b) = (pair(rows[0], rows[2]), pair(rows[1], rows[3]));
        let (c, d) = (pair(rows[4], rows[6]), pair(rows[5], rows[7]));
        // SAFETY: the machine has the features; see the module's text.
        unsafe {
            let (even_ab, odd_ab) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            let (even_cd, odd_cd) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
            [
                Self(_mm512_shuffle_i64x2::<0x88>(even_ab, even_cd)),
                Self(_mm512_shuffle_i64x2::<0x88>(odd_ab, odd_cd)),
                Self(_mm512_shuffle_i64x2::<0xdd>(even_ab, even_cd)),
                Self(_mm512_shuffle_i64x2::<0xdd>(odd_ab, odd_cd)),
            ]
        }
    }

    #[inline(always)]
    fn to_array(self) -> [u64; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` is 64 bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), self.0) };
        out
    }
}

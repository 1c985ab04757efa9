// SPDX-License-Identifier: Apache-2.0
//! Four lanes in an AVX2 register, under safe names.
//!
//! What each SAFETY comment rests on: values of this type are made and used only under the entry points of the AVX2
//! engine, which run after [`detected`] has answered yes.

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi64, _mm256_add_pd, _mm256_and_si256, _mm256_blendv_pd,
    _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_fmadd_pd, _mm256_fmsub_pd, _mm256_loadu_si256,
    _mm256_movemask_pd, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_set1_epi64x,
    _mm256_setr_epi64x, _mm256_sll_epi64, _mm256_sllv_epi64, _mm256_srl_epi64, _mm256_storeu_si256, _mm256_sub_epi64,
    _mm256_sub_pd, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::columns::products;
use super::doubles::Doubles;
use super::lanes::Mask;
use super::limbs::Limbs;

/// Whether this machine has the instructions below, and BMI2 for what is not done in lanes.
pub(crate) fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2")
}

/// Four lanes of 64 bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Avx2(__m256i);

/// Has the sign bit where the mask says so; the other bits mean nothing.
#[inline(always)]
fn signs(mask: Mask) -> __m256i {
    // SAFETY: the machine has the feature; see the module's text.
    unsafe { _mm256_sllv_epi64(_mm256_set1_epi64x(i64::from(mask)), _mm256_setr_epi64x(63, 62, 61, 60)) }
}

macro_rules! binary {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe { $intrinsic(self.0, other.0) })
        }
    )*};
}

macro_rules! binary_of_doubles {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe {
                _mm256_castpd_si256($intrinsic(_mm256_castsi256_pd(self.0), _mm256_castsi256_pd(other.0)))
            })
        }
    )*};
}

macro_rules! fused {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(a: Self, b: Self, c: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe {
                let (a, b, c) = (_mm256_castsi256_pd(a.0), _mm256_castsi256_pd(b.0), _mm256_castsi256_pd(c.0));
                _mm256_castpd_si256($intrinsic(a, b, c))
            })
        }
    )*};
}

impl Doubles for Avx2 {
    const LANES: usize = 4;

    binary! {
        add = _mm256_add_epi64;
        sub = _mm256_sub_epi64;
        and = _mm256_and_si256;
        or = _mm256_or_si256;
        xor = _mm256_xor_si256;
    }

    binary_of_doubles! {
        plus = _mm256_add_pd;
        minus = _mm256_sub_pd;
    }

    fused! {
        multiply_add = _mm256_fmadd_pd;
        multiply_sub = _mm256_fmsub_pd;
    }

    #[inline(always)]
    fn splat(bits: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm256_set1_epi64x(bits.cast_signed()) })
    }

    #[inline(always)]
    fn keep(self, mask: Self, bits: Self) -> Self {
        self.and(mask).or(bits)
    }

    #[inline(always)]
    fn shl(self, bits: u32) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm256_sll_epi64(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
    }

    #[inline(always)]
    fn shr(self, bits: u32) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm256_srl_epi64(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
    }

    #[inline(always)]
    fn negate_where(self, mask: Mask) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        self.xor(Self(unsafe { _mm256_and_si256(signs(mask), _mm256_set1_epi64x(i64::MIN)) }))
    }

    #[inline(always)]
    fn select(mask: Mask, chosen: Self, other: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe {
            let (chosen, other) = (_mm256_castsi256_pd(chosen.0), _mm256_castsi256_pd(other.0));
            _mm256_castpd_si256(_mm256_blendv_pd(other, chosen, _mm256_castsi256_pd(signs(mask))))
        })
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the instruction sets four bits")]
    fn equal(self, other: Self) -> Mask {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe { _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(self.0, other.0))) as Mask }
    }

    #[inline(always)]
    fn swap(self, distance: usize) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe {
            match distance {
                1 => Self(_mm256_permute4x64_epi64::<0b10_11_00_01>(self.0)),
                _ => Self(_mm256_permute4x64_epi64::<0b01_00_11_10>(self.0)),
            }
        }
    }

    #[inline(always)]
    fn load_columns(rows: [&Limbs; 8]) -> [Self; 4] {
        // SAFETY: each row is 32 bytes, and loads need no alignment; the machine has the features, see the module's text.
        unsafe {
            let a = _mm256_loadu_si256(rows[0].as_ptr().cast());
            let b = _mm256_loadu_si256(rows[1].as_ptr().cast());
            let c = _mm256_loadu_si256(rows[2].as_ptr().cast());
            let d = _mm256_loadu_si256(rows[3].as_ptr().cast());
            let (even_ab, odd_ab) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            let (even_cd, odd_cd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
            [
                Self(_mm256_permute2x128_si256::<0x20>(even_ab, even_cd)),
                Self(_mm256_permute2x128_si256::<0x20>(odd_ab, odd_cd)),
                Self(_mm256_permute2x128_si256::<0x31>(even_ab, even_cd)),
                Self(_mm256_permute2x128_si256::<0x31>(odd_ab, odd_cd)),
            ]
        }
    }

    #[inline(always)]
    fn to_array(self) -> [u64; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` has more than 32 bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), self.0) };
        out
    }

    #[inline(always)]
    fn from_array(bits: &[u64; 8]) -> Self {
        // SAFETY: `bits` has more than 32 bytes; the load needs no alignment.
        Self(unsafe { _mm256_loadu_si256(bits.as_ptr().cast()) })
    }
}

products!(Avx2, "avx2,fma");

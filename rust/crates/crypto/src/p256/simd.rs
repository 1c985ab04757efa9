// SPDX-License-Identifier: Apache-2.0
//! Eight 64-bit words in an AVX-512 register, under safe names.
//!
//! Every function is `inline(always)` and enables no feature of its own: it becomes part of a caller compiled for the
//! features that [`detected`] asks for. That is what each SAFETY comment below rests on: values of this type are made
//! and used only under the entry points of the IFMA engine, which run after `detected()` has answered yes.

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_cvtsi64_si128, _mm_prefetch, _mm256_loadu_si256, _mm512_add_epi64, _mm512_and_si512,
    _mm512_castsi256_si512, _mm512_cmpeq_epi64_mask, _mm512_inserti64x4, _mm512_loadu_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_mask_sub_epi64, _mm512_mask_xor_epi64, _mm512_or_si512,
    _mm512_permutexvar_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shrdi_epi64, _mm512_shuffle_i64x2,
    _mm512_sll_epi64, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srl_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
    _mm512_sub_epi64, _mm512_testn_epi64_mask, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// Whether this machine has the instructions below.
pub(crate) fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512ifma")
}

/// Eight 64-bit words. Arithmetic wraps.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Words(__m512i);

macro_rules! binary {
    ($(#[$doc:meta] $name:ident = $intrinsic:ident;)*) => {$(
        #[$doc]
        #[inline(always)]
        pub(crate) fn $name(self, other: Self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe { $intrinsic(self.0, other.0) })
        }
    )*};
}

macro_rules! shift {
    ($(#[$doc:meta] $name:ident = $intrinsic:ident;)*) => {$(
        #[$doc]
        #[inline(always)]
        pub(crate) fn $name<const BITS: u32>(self) -> Self {
            // SAFETY: the machine has the feature; see the module's text.
            Self(unsafe { $intrinsic::<BITS>(self.0) })
        }
    )*};
}

impl Words {
    binary! {
        /// Sums.
        add = _mm512_add_epi64;
        /// Differences.
        sub = _mm512_sub_epi64;
        /// Common bits.
        and = _mm512_and_si512;
        /// All bits.
        or = _mm512_or_si512;
    }

    shift! {
        /// Towards the high end.
        shl = _mm512_slli_epi64;
        /// Towards the low end, zeros coming in.
        shr = _mm512_srli_epi64;
        /// Towards the low end, copies of the sign coming in.
        sar = _mm512_srai_epi64;
    }

    /// The same word eight times.
    #[inline(always)]
    pub(crate) fn splat(word: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_set1_epi64(word.cast_signed()) })
    }

    /// Zeros.
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_setzero_si512() })
    }

    /// self + the low 52 bits of a·b (of the low 52 bits of each).
    #[inline(always)]
    pub(crate) fn add_low(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
    }

    /// self + the high 52 bits of a·b.
    #[inline(always)]
    pub(crate) fn add_high(self, a: Self, b: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
    }

    /// The low words of (high:self) >> BITS.
    #[inline(always)]
    pub(crate) fn funnel<const BITS: i32>(self, high: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_shrdi_epi64::<BITS>(self.0, high.0) })
    }

    /// −self where the mask says so.
    #[inline(always)]
    pub(crate) fn negate_where(self, mask: u8) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_mask_sub_epi64(self.0, mask, _mm512_setzero_si512(), self.0) })
    }

    /// Towards the low end by the same number of bits, known only when running; zeros come in.
    #[inline(always)]
    pub(crate) fn shr_by(self, bits: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_srl_epi64(self.0, _mm_cvtsi64_si128(bits.cast_signed())) })
    }

    /// Towards the high end by the same number of bits; by 64 or more nothing is left.
    #[inline(always)]
    pub(crate) fn shl_by(self, bits: u64) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_sll_epi64(self.0, _mm_cvtsi64_si128(bits.cast_signed())) })
    }

    /// Where the words have none of the bits.
    #[inline(always)]
    pub(crate) fn lack(self, bits: Self) -> u8 {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe { _mm512_testn_epi64_mask(self.0, bits.0) }
    }

    /// self ^ other where the mask says so.
    #[inline(always)]
    pub(crate) fn xor_where(self, mask: u8, other: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_mask_xor_epi64(self.0, mask, self.0, other.0) })
    }

    /// `chosen` where the mask says so, `other` elsewhere.
    #[inline(always)]
    pub(crate) fn select(mask: u8, chosen: Self, other: Self) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_mask_blend_epi64(mask, other.0, chosen.0) })
    }

    /// Where the words are equal.
    #[inline(always)]
    pub(crate) fn equal(self, other: Self) -> u8 {
        // SAFETY: the machine has the feature; see the module's text.
        unsafe { _mm512_cmpeq_epi64_mask(self.0, other.0) }
    }

    /// Word i becomes word `order[i]`.
    #[inline(always)]
    pub(crate) fn permute(self, order: &[u64; 8]) -> Self {
        // SAFETY: the machine has the feature; see the module's text.
        Self(unsafe { _mm512_permutexvar_epi64(Self::from_array(order).0, self.0) })
    }

    /// The words, lowest lane first.
    #[inline(always)]
    pub(crate) fn to_array(self) -> [u64; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` is 64 bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), self.0) };
        out
    }

    /// The other way.
    #[inline(always)]
    pub(crate) fn from_array(words: &[u64; 8]) -> Self {
        // SAFETY: `words` is 64 bytes; the load needs no alignment.
        Self(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn pair(low: &[u64; 4], high: &[u64; 4]) -> Self {
        // SAFETY: each row is 32 bytes; the loads need no alignment.
        unsafe {
            let low = _mm256_loadu_si256(low.as_ptr().cast());
            let high = _mm256_loadu_si256(high.as_ptr().cast());
            Self(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    /// Loads eight rows of four words and turns them into four columns.
    #[inline(always)]
    pub(crate) fn load_columns(rows: [&[u64; 4]; 8]) -> [Self; 4] {
        let (a, b) = (Self::pair(rows[0], rows[2]), Self::pair(rows[1], rows[3]));
        let (c, d) = (Self::pair(rows[4], rows[6]), Self::pair(rows[5], rows[7]));
        let (a, b, c, d) = (a.0, b.0, c.0, d.0);
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
}

/// Brings the cache line of `place` near.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    // SAFETY: a prefetch reads nothing, and SSE is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
}

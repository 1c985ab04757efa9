// SPDX-License-Identifier: Apache-2.0
//! Asks for bytes before they are needed.

/// Bytes that a processor fetches at a time.
const LINE: usize = 64;

/// Most bytes asked for at once: what is far behind would push out what comes first.
const MOST: usize = 16 << 10;

/// Has the beginning of `bytes` brought into the caches, without waiting for it.
///
/// Taking a message apart goes from length to length, and each step waits for memory where nothing foretells the next.
/// Does nothing where it is not known how.
#[inline]
pub fn prefetch(bytes: &[u8]) {
    for line in bytes[..bytes.len().min(MOST)].chunks(LINE) {
        near(&line[0]);
    }
}

/// Has the line of the caches brought near that holds the beginning of `place`.
#[inline(always)]
#[allow(clippy::inline_always, reason = "it is one instruction")]
pub(crate) fn near<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault, and SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch reads nothing and cannot fault.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}

// SPDX-License-Identifier: Apache-2.0
//! Asks for bytes before they are needed.

/// Bytes that a processor fetches at a time.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Most bytes asked for at once: what is far behind would push out what comes first.
#[cfg(target_arch = "x86_64")]
const MOST: usize = 16 << 10;

/// Has the beginning of `bytes` brought into the caches, without waiting for it.
///
/// Taking a message apart goes from length to length, and each step waits for memory where nothing foretells the next.
/// Does nothing where it is not known how.
#[inline]
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes[..bytes.len().min(MOST)].chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

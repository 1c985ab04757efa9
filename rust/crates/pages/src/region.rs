// SPDX-License-Identifier: Apache-2.0
//! Whole huge pages, from the system and back.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::{NonNull, null_mut};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Bytes of a huge page of x86-64, and of aarch64 where small ones have 4 KiB.
pub const HUGE_PAGE: usize = 2 << 20;

/// Memory of whole huge pages, zeros at first. It goes back to the system when it is dropped.
pub(crate) struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a region owns its memory, and gives nothing but the address away.
unsafe impl Send for Region {}

impl Region {
    /// Takes at least this many bytes, more than zero. Ends the program where there is no memory, as any allocation does.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.next_multiple_of(HUGE_PAGE);
        let Some(start) = map(bytes) else {
            handle_alloc_error(Layout::from_size_align(bytes, HUGE_PAGE).expect("a power of two"))
        };
        Self { start, bytes }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        unmap(self.start, self.bytes);
    }
}

/// Takes whole pages, of zeros, that begin with a huge one; none where there is no memory.
pub(crate) fn map(bytes: usize) -> Option<NonNull<u8>> {
    // One page more than wanted has an aligned part that is large enough.
    let mapped = bytes + HUGE_PAGE;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: the system chooses a place where nothing is mapped.
    let mapping = unsafe { mmap_anonymous(null_mut(), mapped, protection, flags) };
    let start = NonNull::new(mapping.ok()?.cast::<u8>())?;
    let before = start.align_offset(HUGE_PAGE);
    // SAFETY: both are inside the mapping, or at its end.
    let (aligned, end) = unsafe { (start.add(before), start.add(before + bytes)) };
    unmap(start, before);
    unmap(end, mapped - before - bytes);
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        // SAFETY: advice about huge pages changes no byte. Where it is refused, the pages are small ones.
        let _refused = unsafe { madvise(aligned.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
    }
    Some(aligned)
}

/// Gives back whole pages that nothing refers to.
pub(crate) fn unmap(start: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the callers own these pages. If the system cannot split its mapping, they stay until the program ends.
        let _kept = unsafe { munmap(start.as_ptr().cast(), bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_aligned_zeroed_whole_and_given_back() {
        for (asked, given) in [(1, HUGE_PAGE), (HUGE_PAGE, HUGE_PAGE), (HUGE_PAGE + 1, 2 * HUGE_PAGE)] {
            let region = Region::new(asked);
            assert_eq!((region.start.as_ptr().addr() % HUGE_PAGE, region.bytes), (0, given));
            // SAFETY: the region has these bytes, and they are zeros.
            let bytes = unsafe { std::slice::from_raw_parts_mut(region.start.as_ptr(), given) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(1);
        }
    }

    /// What the system says of the mapping at an address: its flags.
    #[cfg(target_os = "linux")]
    fn flags(address: usize) -> Option<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let start = format!("{address:x}-");
        maps.lines()
            .skip_while(|line| !line.starts_with(&start))
            .find_map(|line| line.strip_prefix("VmFlags:"))
            .map(str::to_owned)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn huge_pages_are_asked_for() {
        let choice = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
        let region = Region::new(HUGE_PAGE);
        match flags(region.start.as_ptr().addr()) {
            Some(flags) if !choice.is_empty() => assert!(flags.split(' ').any(|flag| flag == "hg"), "{flags}"),
            _ => eprintln!("skipped: this system does not tell of huge pages"),
        }
    }
}

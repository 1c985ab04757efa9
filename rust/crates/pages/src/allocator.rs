// SPDX-License-Identifier: Apache-2.0
//! An allocator that puts on huge pages what is as large as one.
//!
//! Blocks come in megabytes. In small pages a block of 2 MiB is 512 places that the system provides one by one, each
//! when it is first written to, and that takes as long as receiving the block. In a huge page it is one. What is smaller
//! is left to another allocator: scattered over huge pages, it would touch a little of many.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{NonNull, null_mut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::region::{HUGE_PAGE, map, unmap};

/// Lengths are multiples of this, so that one that was let go of fits the next block of about the same size. What is
/// behind the last whole huge page lies on small ones.
const GRAIN: usize = 256 << 10;

/// Most pieces, and bytes of them, that are kept for the next who ask: as many as a peer has in work at a time while it
/// catches up.
const KEPT: usize = 16;
const KEPT_BYTES: usize = 32 << 20;

/// Memory on huge pages for what is as large as one, another allocator's for the rest.
pub struct HugePages<A> {
    small: A,
    kept: Mutex<Kept>,
}

impl<A> HugePages<A> {
    /// An allocator that has nothing yet.
    pub const fn over(small: A) -> Self {
        Self { small, kept: Mutex::new(Kept { pieces: [None; KEPT], count: 0, bytes: 0 }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory that was used before, or else new memory, of zeros; says which.
    fn take(&self, bytes: usize) -> Option<(NonNull<u8>, bool)> {
        let again = self.kept().take(bytes);
        match again {
            Some(start) => Some((start, false)),
            None => map(bytes).map(|start| (start, true)),
        }
    }
}

/// Memory that nobody uses; what was let go of last is taken first.
struct Kept {
    pieces: [Option<(Address, usize)>; KEPT],
    count: usize,
    bytes: usize,
}

/// Where memory begins.
#[derive(Clone, Copy)]
struct Address(NonNull<u8>);

// SAFETY: who has the address of memory that nobody uses may use it, in any thread.
unsafe impl Send for Address {}

impl Kept {
    fn take(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let fits = |piece: &Option<(Address, usize)>| piece.is_some_and(|(_, length)| length == bytes);
        let found = self.pieces[..self.count].iter().rposition(fits)?;
        self.pieces[found..self.count].rotate_left(1);
        self.count -= 1;
        self.bytes -= bytes;
        self.pieces[self.count].take().map(|(Address(start), _)| start)
    }

    /// Keeps memory, unless there is enough.
    fn keep(&mut self, start: NonNull<u8>, bytes: usize) -> bool {
        let fits = self.count < KEPT && bytes <= KEPT_BYTES - self.bytes;
        if fits {
            self.pieces[self.count] = Some((Address(start), bytes));
            self.count += 1;
            self.bytes += bytes;
        }
        fits
    }
}

/// Whether memory lies on huge pages: who lets it go tells the same layout.
fn is_large(layout: Layout) -> bool {
    layout.size() >= HUGE_PAGE && layout.align() <= HUGE_PAGE
}

fn length(bytes: usize) -> usize {
    bytes.next_multiple_of(GRAIN)
}

// SAFETY: memory is handed out once, until it is given back; it begins at a huge page, and is as long as was asked for.
unsafe impl<A: GlobalAlloc> GlobalAlloc for HugePages<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return self.take(length(layout.size())).map_or(null_mut(), |(start, _)| start.as_ptr());
        }
        // SAFETY: the caller's promise.
        unsafe { self.small.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: the caller's promise.
            return unsafe { self.small.alloc_zeroed(layout) };
        }
        let Some((start, is_new)) = self.take(length(layout.size())) else { return null_mut() };
        if !is_new {
            // SAFETY: it has at least these bytes.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        start.as_ptr()
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if !is_large(layout) {
            // SAFETY: the caller's promise.
            return unsafe { self.small.dealloc(memory, layout) };
        }
        let bytes = length(layout.size());
        if let Some(start) = NonNull::new(memory)
            && !self.kept().keep(start, bytes)
        {
            unmap(start, bytes);
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size fits the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(wanted)) {
            // SAFETY: the caller's promise.
            (false, false) => unsafe { self.small.realloc(memory, layout, size) },
            (true, true) if length(layout.size()) == length(size) => memory,
            // SAFETY: both have at least the bytes that are copied, and the old ones are the caller's until then.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(memory, layout.size().min(size));
                    self.dealloc(memory, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).expect("a layout")
    }

    #[test]
    fn what_is_large_begins_at_a_huge_page_and_is_used_again() {
        let pages = HugePages::over(System);
        for bytes in [HUGE_PAGE, HUGE_PAGE + 1, 3 * HUGE_PAGE - 1] {
            // SAFETY: what is allocated is written within its bounds, and given back with its layout.
            unsafe {
                let first = pages.alloc(layout(bytes));
                assert_eq!(first.addr() % HUGE_PAGE, 0);
                first.write_bytes(7, bytes);
                pages.dealloc(first, layout(bytes));
                let second = pages.alloc_zeroed(layout(bytes));
                assert_eq!(second, first);
                assert!(std::slice::from_raw_parts(second, bytes).iter().all(|&byte| byte == 0));
                pages.dealloc(second, layout(bytes));
            }
        }
    }

    #[test]
    fn what_grows_and_shrinks_keeps_its_bytes() {
        let pages = HugePages::over(System);
        let sizes = [10, HUGE_PAGE / 2, HUGE_PAGE, HUGE_PAGE + 5, 4 * HUGE_PAGE, HUGE_PAGE, HUGE_PAGE - 1, 10];
        // SAFETY: as above; ten bytes are there at each size.
        unsafe {
            let mut memory = pages.alloc(layout(sizes[0]));
            memory.write_bytes(9, 10);
            for (before, after) in sizes.iter().zip(&sizes[1..]) {
                memory = pages.realloc(memory, layout(*before), *after);
                assert_eq!(std::slice::from_raw_parts(memory, 10), [9; 10]);
                memory.add(after - 1).write(9);
            }
            pages.dealloc(memory, layout(10));
        }
    }

    #[test]
    fn little_is_kept_of_what_nobody_uses() {
        let pages = HugePages::over(System);
        // SAFETY: as above.
        unsafe {
            let all: Vec<_> = (0..2 * KEPT).map(|_| pages.alloc(layout(HUGE_PAGE))).collect();
            let large = pages.alloc(layout(2 * KEPT_BYTES));
            for memory in all {
                pages.dealloc(memory, layout(HUGE_PAGE));
            }
            pages.dealloc(large, layout(2 * KEPT_BYTES));
        }
        let kept = pages.kept();
        assert_eq!((kept.count, kept.bytes), (KEPT, KEPT_BYTES));
    }

    #[test]
    fn what_is_small_is_anothers() {
        let pages = HugePages::over(System);
        // SAFETY: as above.
        unsafe {
            let memory = pages.alloc_zeroed(layout(HUGE_PAGE - 1));
            memory.write_bytes(1, HUGE_PAGE - 1);
            pages.dealloc(memory, layout(HUGE_PAGE - 1));
        }
        assert_eq!(pages.kept().count, 0);
    }
}

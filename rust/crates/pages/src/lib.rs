// SPDX-License-Identifier: Apache-2.0
//! Memory on huge pages: in pieces of equal size that come and go, and for whatever is as large as a huge page.
//!
//! A processor remembers the places of one or two thousand pages. Of pages of 4 KiB that is less than a second-level
//! cache; what is read in random order from more memory than that waits for the page before it waits for the bytes.
//! The system gives pages of 2 MiB to memory that is aligned to them and asks for them, and a usual allocation is
//! neither.
//!
//! Where the system gives none (`/sys/kernel/mm/transparent_hugepage/enabled` says `never`, or no memory is left in one
//! piece), the same memory comes in small pages, and everything works as before.

mod allocator;
mod region;
mod slabs;

pub use allocator::HugePages;
pub use region::HUGE_PAGE;
pub use slabs::{Piece, Plain, Slabs};

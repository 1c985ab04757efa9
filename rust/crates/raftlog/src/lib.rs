// SPDX-License-Identifier: Apache-2.0
//! A member's Raft log on disk: what it promised to others survives every crash.
//!
//! A folder holds segments, snapshots and a lock file:
//!
//! ```text
//! 0000000000000007.log   header ─ frame ─ frame ─ … ─ zeros
//! 0000000000000008.log   header ─ frame ─ zeros                    ◄─ written
//! 0000000000000002-00000000000003e8.snap   the snapshot of term 2 at entry 1000
//! ```
//!
//! A frame is what one [`save`](RaftLog::save) makes durable, as a whole or not at all: entries, hard state, and which
//! snapshot stands in place of older ones. Its checksum is CRC-32C, its number follows that of the frame before. Segments are filled
//! with zeros before they are used, so that syncing a frame changes nothing but its bytes. A frame is begun when the one before is
//! synced; so whatever is broken before a whole frame was whole once, and is damage, while a broken last frame may be one
//! that was cut short by a crash, which nobody was promised.
//!
//! The log does not know about blocks. Who applies committed entries may sync what comes of it later than the log, but must
//! not [`compact`](RaftLog::compact) beyond what is durable there.

#![forbid(unsafe_code)]

mod disk;
mod error;
mod folder;
mod frame;
mod log;
mod recovery;
mod segment;
mod snapshot;

pub use disk::Disk;
pub use error::LogError;
pub use folder::{Folder, remove};
pub use log::{Batch, RaftLog};
pub use recovery::Opened;
pub use segment::SEGMENT_BYTES;

/// Entries that are kept behind a snapshot, for members that are a little behind; Fabric's `SnapshotCatchUpEntries`.
pub const CATCH_UP_ENTRIES: u64 = 4;

// SPDX-License-Identifier: Apache-2.0
//! The log that is written.

use std::collections::VecDeque;
use std::sync::Arc;

use fastledger_consensus::{Entry, HardState, Ready, Recovered, Snapshot};

use crate::CATCH_UP_ENTRIES;
use crate::disk::Disk;
use crate::error::{LogError, Result};
use crate::frame::{self, MAX_FRAME_BYTES, SnapshotId};
use crate::recovery::{self, Opened, Replay};
use crate::segment::{self, Segment};
use crate::snapshot;

/// What is made durable at once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Term, vote and commit index, where they changed.
    pub hard: Option<HardState>,
    /// It takes the place of the whole log.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The first takes the place of the entry that has its index, and of all behind that.
    pub entries: Vec<Entry>,
    /// Whether the commit index must be durable too.
    pub commit: bool,
}

impl From<&Ready> for Batch {
    fn from(ready: &Ready) -> Self {
        let Ready { hard, snapshot, entries, commit_durable, .. } = ready;
        Self { hard: *hard, snapshot: snapshot.clone(), entries: entries.clone(), commit: *commit_durable }
    }
}

impl From<&Recovered> for Batch {
    fn from(recovered: &Recovered) -> Self {
        let Recovered { hard, snapshot, entries } = recovered;
        Self { hard: Some(*hard), snapshot: snapshot.clone(), entries: entries.clone(), commit: true }
    }
}

/// A member's log, open to be written.
#[derive(Debug)]
pub struct RaftLog<D> {
    disk: D,
    member: u64,
    segment_bytes: u64,
    hard: HardState,
    snapshot: Option<SnapshotId>,
    /// Oldest first; frames go into the last one.
    segments: VecDeque<Segment>,
    /// Where the next frame goes.
    offset: u64,
    /// How far the last segment reaches.
    capacity: u64,
    next_frame: u64,
    /// Bytes from there that may be a frame's whose writing failed.
    remains: usize,
}

impl<D: Disk> RaftLog<D> {
    /// Opens the log of a member, or begins one; its segments are made with so many bytes, mostly [`SEGMENT_BYTES`].
    ///
    /// [`SEGMENT_BYTES`]: crate::SEGMENT_BYTES
    pub fn open(mut disk: D, member: u64, segment_bytes: u64) -> Result<(Self, Opened)> {
        let (replay, opened) = recovery::replay(&mut disk, member)?;
        let Replay { hard, snapshot, segments, offset, capacity, next_frame, .. } = replay;
        let log =
            Self { disk, member, segment_bytes, hard, snapshot, segments, offset, capacity, next_frame, remains: 0 };
        Ok((log, opened))
    }

    /// Saves what a log that is empty begins with.
    pub fn begin(&mut self, with: &Recovered) -> Result<()> {
        self.save(&with.into())
    }

    /// Makes all of this durable by one sync, or nothing of it: then it may be tried again.
    pub fn save(&mut self, batch: &Batch) -> Result<()> {
        let Batch { hard, snapshot, entries, commit } = batch;
        let hard = hard.unwrap_or(self.hard);
        let promises = (hard.term, hard.vote) != (self.hard.term, self.hard.vote);
        if snapshot.is_none() && entries.is_empty() && !promises && !commit {
            // A commit index alone waits for the next frame: whoever restarts learns it again.
            self.hard = hard;
            return Ok(());
        }
        let snapshot = snapshot.as_deref();
        let restored = snapshot.map(|snapshot| snapshot::write(&mut self.disk, snapshot)).transpose()?;
        self.append(hard, restored.map(|id| (id, true)), entries)?;
        self.hard = hard;
        if restored.is_some() {
            self.forget(restored);
        }
        Ok(())
    }

    /// Keeps a snapshot of what this member applied, and forgets older entries but for [`CATCH_UP_ENTRIES`]. What the
    /// snapshot says must be durable elsewhere too.
    pub fn compact(&mut self, snapshot: &Snapshot) -> Result<()> {
        if self.snapshot.is_some_and(|(_, index)| index >= snapshot.index) {
            // The leader's snapshot was faster.
            return Ok(());
        }
        let id = snapshot::write(&mut self.disk, snapshot)?;
        self.append(self.hard, Some((id, false)), &[])?;
        self.forget(Some(id));
        Ok(())
    }

    /// Deletes what a snapshot stands for. What cannot be deleted now is deleted at the next one, or when the log is opened.
    fn forget(&mut self, snapshot: Option<SnapshotId>) {
        self.snapshot = snapshot;
        let needed = snapshot.map_or(0, |(_, index)| index.saturating_sub(CATCH_UP_ENTRIES));
        while self.segments.len() > 1
            && let Some(oldest) = self.segments.front().filter(|oldest| oldest.last_index < needed)
        {
            // One after the other, so that no crash leaves a gap.
            let name = segment::name(oldest.number);
            if self.disk.remove(&name).and_then(|()| self.disk.sync_names()).is_err() {
                return;
            }
            self.segments.pop_front();
        }
        let _ = recovery::remove_remains(&mut self.disk, snapshot);
    }

    fn append(&mut self, hard: HardState, snapshot: Option<(SnapshotId, bool)>, entries: &[Entry]) -> Result<()> {
        let bytes = frame::bytes(entries);
        if bytes > MAX_FRAME_BYTES {
            return Err(LogError::TooLarge { bytes, limit: MAX_FRAME_BYTES });
        }
        self.clear_remains()?;
        if self.offset + bytes as u64 > self.capacity {
            self.next_segment(bytes)?;
        }
        // A segment says all that older ones do, which may be deleted.
        let snapshot = if self.offset == segment::HEADER_BYTES {
            snapshot.or(self.snapshot.map(|id| (id, false)))
        } else {
            snapshot
        };
        let frame = frame::encode(self.next_frame, hard, snapshot, entries);
        self.remains = frame.len();
        self.write(&frame)?;
        self.remains = 0;
        if let (Some(current), Some(last)) = (self.segments.back_mut(), entries.last()) {
            current.last_index = current.last_index.max(last.index);
        }
        self.next_frame += 1;
        self.offset += frame.len() as u64;
        Ok(())
    }

    /// Makes zeros durable where a frame may stand whose writing failed.
    ///
    /// Before another is written there: of two that were not synced a crash may leave a mixture, which nobody could tell from
    /// damage.
    fn clear_remains(&mut self) -> Result<()> {
        if self.remains > 0 {
            self.write(&vec![0; self.remains])?;
            self.remains = 0;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(current) = self.segments.back() else { return Ok(()) };
        let name = segment::name(current.number);
        self.disk.write(&name, self.offset, bytes).map_err(self.failed("write", &name))?;
        self.disk.sync(&name).map_err(self.failed("sync", &name))
    }

    fn next_segment(&mut self, frame: usize) -> Result<()> {
        let number = self.segments.back().map_or(0, |last| last.number + 1);
        let bytes = self.segment_bytes.max(segment::HEADER_BYTES + frame as u64);
        segment::create(&mut self.disk, number, self.member, bytes)?;
        (self.offset, self.capacity) = (segment::HEADER_BYTES, bytes);
        self.segments.push_back(Segment { number, last_index: 0 });
        Ok(())
    }

    fn failed(&self, action: &'static str, name: &str) -> impl Fn(std::io::Error) -> LogError + use<D> {
        let path = self.disk.path(name);
        move |source| LogError::Io { action, path: path.clone(), source }
    }
}

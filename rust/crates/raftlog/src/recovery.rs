// SPDX-License-Identifier: Apache-2.0
//! What a log held when it is opened.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fastledger_consensus::{Entry, HardState, Recovered};

use crate::CATCH_UP_ENTRIES;
use crate::disk::Disk;
use crate::error::{LogError, Result};
use crate::frame::{self, Batch, Found, SnapshotId};
use crate::segment::{self, Segment};
use crate::snapshot;

/// A log's content.
#[derive(Debug)]
pub struct Opened {
    /// What a member goes on from.
    pub recovered: Recovered,
    /// Nothing was ever saved here.
    pub empty: bool,
    /// Bytes at its end that were cut off, because a crash had left them there.
    pub torn_bytes: u64,
}

/// What the frames say, one after the other.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) hard: HardState,
    pub(crate) snapshot: Option<SnapshotId>,
    entries: VecDeque<Entry>,
    pub(crate) segments: VecDeque<Segment>,
    /// Where the next frame goes in the last segment, and how far that reaches.
    pub(crate) offset: u64,
    pub(crate) capacity: u64,
    pub(crate) next_frame: u64,
    torn_bytes: u64,
}

/// Where something is wrong.
struct Place<'a, D> {
    disk: &'a D,
    name: &'a str,
    offset: usize,
}

impl<D: Disk> Place<'_, D> {
    fn damaged<T>(&self, reason: &str) -> Result<T> {
        let (path, offset) = (self.disk.path(self.name), self.offset as u64);
        Err(LogError::Damaged { path, offset, reason: reason.to_string() })
    }
}

/// Reads the log of `member`, and cuts off what a crash left at its end.
pub(crate) fn replay(disk: &mut impl Disk, member: u64) -> Result<(Replay, Opened)> {
    let mut replay = Replay::default();
    let numbers = segments(disk)?;
    for number in &numbers {
        let name = segment::name(*number);
        let bytes = read(disk, &name)?;
        segment::check(disk, *number, member, &bytes)?;
        let newest = Some(number) == numbers.back();
        replay.take_segment(disk, *number, &bytes, newest)?;
        if newest {
            replay.torn_bytes = make_durable(disk, &name, bytes, replay.offset)?;
        }
    }
    let snapshot = replay.snapshot.map(|id| snapshot::read(disk, id)).transpose()?;
    remove_remains(disk, replay.snapshot)?;
    let base = snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
    let mut entries = std::mem::take(&mut replay.entries);
    while entries.front().is_some_and(|first| first.index + CATCH_UP_ENTRIES < base) {
        entries.pop_front();
    }
    let name = numbers.back().map_or_else(String::new, |number| segment::name(*number));
    let end = Place { disk, name: &name, offset: usize::try_from(replay.offset).unwrap_or(usize::MAX) };
    if entries.front().is_some_and(|first| first.index > base + 1) {
        return end.damaged(&format!("entries from {} on are missing", base + 1));
    }
    let last = entries.back().map_or(base, |last| last.index.max(base));
    if replay.hard.commit > last {
        return end.damaged(&format!("entries up to {} are committed, but the last is {last}", replay.hard.commit));
    }
    // Behind a snapshot there may be nothing but what precedes it.
    if entries.back().is_some_and(|last| last.index < base) {
        entries.clear();
    }
    let recovered = Recovered { hard: replay.hard, snapshot: snapshot.map(Arc::new), entries: entries.into() };
    let opened = Opened { recovered, empty: replay.next_frame == 0, torn_bytes: replay.torn_bytes };
    Ok((replay, opened))
}

/// The numbers of the segments, which follow each other.
fn segments(disk: &mut impl Disk) -> Result<VecDeque<u64>> {
    let mut numbers: Vec<_> = names(disk)?.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    if let Some(gap) = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        let name = segment::name(gap[0] + 1);
        return Place { disk, name: &name, offset: 0 }.damaged("the segment is missing");
    }
    Ok(numbers.into())
}

fn names(disk: &mut impl Disk) -> Result<Vec<String>> {
    disk.names().map_err(|source| LogError::Io { action: "list", path: disk.path(""), source })
}

fn read(disk: &mut impl Disk, name: &str) -> Result<Bytes> {
    let bytes = disk.read(name).map_err(|source| LogError::Io { action: "read", path: disk.path(name), source })?;
    Ok(bytes.into())
}

/// Removes files that a crash left, and snapshots that others took the place of.
pub(crate) fn remove_remains(disk: &mut impl Disk, kept: Option<SnapshotId>) -> Result<()> {
    let kept = kept.map(snapshot::name);
    for name in names(disk)? {
        let temporary = name == segment::TEMPORARY || name == snapshot::TEMPORARY;
        if temporary || (snapshot::is_one(&name) && Some(&name) != kept.as_ref()) {
            disk.remove(&name).map_err(|source| LogError::Io { action: "remove", path: disk.path(&name), source })?;
        }
    }
    Ok(())
}

impl Replay {
    fn take_segment(&mut self, disk: &mut impl Disk, number: u64, segment: &Bytes, newest: bool) -> Result<()> {
        let name = segment::name(number);
        let mut offset = usize::try_from(segment::HEADER_BYTES).unwrap_or(usize::MAX);
        self.segments.push_back(Segment { number, last_index: 0 });
        loop {
            let place = Place { disk, name: &name, offset };
            match frame::find(segment, offset) {
                Found::Frame { number, payload, bytes } => {
                    if self.next_frame != 0 && number != self.next_frame {
                        return place.damaged(&format!("frame {number} stands where {} should", self.next_frame));
                    }
                    let batch = frame::read(payload).or_else(|error| place.damaged(&error.to_string()))?;
                    self.take_batch(&place, &batch, segment)?;
                    self.next_frame = number + 1;
                    offset += bytes;
                }
                Found::Nothing => break,
                Found::Torn if newest && !frame::whole_frame_behind(segment, offset, self.next_frame) => break,
                Found::Torn => return place.damaged("a frame is not whole, and others follow it"),
                Found::Damage(reason) => return place.damaged(reason),
            }
        }
        (self.offset, self.capacity) = (offset as u64, segment.len() as u64);
        Ok(())
    }

    fn take_batch<D: Disk>(&mut self, place: &Place<'_, D>, batch: &Batch<'_>, segment: &Bytes) -> Result<()> {
        if let Some(hard) = &batch.hard {
            self.hard = HardState { term: hard.term, vote: hard.vote, commit: hard.commit };
        }
        if let Some(snapshot) = &batch.snapshot {
            self.snapshot = Some((snapshot.term, snapshot.index));
            if batch.replaces {
                self.entries.clear();
            }
        }
        for view in &batch.entries {
            let entry = Entry::of(view, segment);
            let first = self.entries.front().map_or(entry.index, |first| first.index);
            match entry.index.checked_sub(first) {
                // What follows a snapshot may be older than the first entry that is left.
                None => self.entries.clear(),
                Some(kept) if kept <= self.entries.len() as u64 => {
                    self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
                }
                Some(_) => return place.damaged(&format!("entry {} follows none", entry.index)),
            }
            if let Some(current) = self.segments.back_mut() {
                current.last_index = current.last_index.max(entry.index);
            }
            self.entries.push_back(entry);
        }
        Ok(())
    }
}

/// Writes the newest segment again, with zeros behind its last frame; how many bytes of a torn one were there.
///
/// What was read may be known to the operating system alone, if the process that wrote it was killed, and other remains may
/// be on the disk than it knows of: after a sync that failed only what is written again is sure to be there.
fn make_durable(disk: &mut impl Disk, name: &str, read: Bytes, end: u64) -> Result<u64> {
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(read.len());
    let torn = read[end..].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut segment = Vec::from(read);
    segment[end..end + torn].fill(0);
    let mut write = || {
        disk.write(name, 0, &segment)?;
        disk.sync(name)?;
        disk.sync_names()
    };
    let written = write();
    written.map_err(|source| LogError::Io { action: "make durable", path: disk.path(name), source })?;
    Ok(torn as u64)
}

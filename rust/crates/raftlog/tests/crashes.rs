// SPDX-License-Identifier: Apache-2.0
//! What is left of a log in a folder after each thing that can happen to it.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fastledger_consensus::{ConfState, Entry, HardState, Recovered, Snapshot};
use fastledger_raftlog::{Batch, Folder, LogError, Opened, RaftLog, remove};

const MEMBER: u64 = 3;
const SMALL: u64 = 4096;

fn open(folder: &Path) -> Result<(RaftLog<Folder>, Opened), LogError> {
    RaftLog::open(Folder::open(folder)?, MEMBER, SMALL)
}

fn entry(term: u64, index: u64) -> Entry {
    Entry { term, index, data: Bytes::from(format!("entry {index} of term {term}").into_bytes()), ..Entry::default() }
}

fn entries(term: u64, indexes: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    indexes.map(|index| entry(term, index)).collect()
}

fn hard(term: u64, vote: u64, commit: u64) -> Option<HardState> {
    Some(HardState { term, vote, commit })
}

fn snapshot(term: u64, index: u64) -> Snapshot {
    Snapshot { term, index, members: ConfState { voters: vec![1, 2, 3] }, data: Bytes::from_static(b"a block") }
}

fn save(
    log: &mut RaftLog<Folder>,
    hard: Option<HardState>,
    snapshot: Option<&Snapshot>,
    entries: &[Entry],
) -> Result<(), LogError> {
    let snapshot = snapshot.cloned().map(Arc::new);
    log.save(&Batch { hard, snapshot, entries: entries.to_vec(), commit: false })
}

/// The segments, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    found.sort();
    found
}

/// What can be read of a log: hard state, snapshot's entry, first and last entry.
fn content(opened: &Opened) -> (HardState, Option<u64>, Vec<(u64, u64)>) {
    let Recovered { hard, snapshot, entries } = &opened.recovered;
    let ids = entries.iter().map(|entry| (entry.term, entry.index)).collect();
    (*hard, snapshot.as_ref().map(|snapshot| snapshot.index), ids)
}

fn reopened(folder: &Path) -> Opened {
    open(folder).unwrap().1
}

#[test]
fn what_was_saved_is_there_again_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, opened) = open(folder.path()).unwrap();
    assert!(opened.empty);
    save(&mut log, hard(1, 2, 0), None, &entries(1, 1..=3)).unwrap();
    save(&mut log, hard(1, 2, 2), None, &entries(1, 4..=4)).unwrap();
    // A commit index alone is not worth a sync, and comes with the next frame.
    save(&mut log, hard(1, 2, 4), None, &[]).unwrap();
    drop(log);
    let opened = reopened(folder.path());
    assert_eq!(
        content(&opened),
        (HardState { term: 1, vote: 2, commit: 2 }, None, vec![(1, 1), (1, 2), (1, 3), (1, 4)])
    );
    assert_eq!(opened.recovered.entries, entries(1, 1..=4));
    assert!(!opened.empty);
}

#[test]
fn entries_take_the_place_of_those_that_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    save(&mut log, hard(1, 0, 0), None, &entries(1, 1..=5)).unwrap();
    save(&mut log, hard(2, 0, 0), None, &entries(2, 3..=4)).unwrap();
    drop(log);
    assert_eq!(reopened(folder.path()).recovered.entries, [entries(1, 1..=2), entries(2, 3..=4)].concat());
}

#[test]
fn a_snapshot_of_the_leaders_takes_the_place_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    save(&mut log, hard(1, 0, 0), None, &entries(1, 1..=5)).unwrap();
    save(&mut log, hard(4, 0, 90), Some(&snapshot(3, 90)), &entries(4, 91..=92)).unwrap();
    drop(log);
    let opened = reopened(folder.path());
    assert_eq!(content(&opened).1, Some(90));
    assert_eq!(opened.recovered.entries, entries(4, 91..=92));
    assert_eq!(opened.recovered.snapshot, Some(Arc::new(snapshot(3, 90))));
}

#[test]
fn compaction_keeps_four_entries_and_deletes_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    for index in 1..=200 {
        save(&mut log, hard(1, 0, index), None, &[entry(1, index)]).unwrap();
    }
    assert!(segments(folder.path()).len() > 3, "the log has several segments");
    log.compact(&snapshot(1, 150)).unwrap();
    log.compact(&snapshot(1, 190)).unwrap();
    let left = segments(folder.path()).len();
    assert!(left <= 2, "{left} segments are left");
    let snapshots = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "snap"));
    assert_eq!(snapshots.count(), 1);
    drop(log);
    let opened = reopened(folder.path());
    let (hard, snapshot, ids) = content(&opened);
    assert_eq!((hard.commit, snapshot), (200, Some(190)));
    assert_eq!((ids[0].1, ids[ids.len() - 1].1), (186, 200));
}

#[test]
fn a_late_snapshot_does_not_undo_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    save(&mut log, hard(1, 0, 5), None, &entries(1, 1..=5)).unwrap();
    save(&mut log, hard(4, 0, 90), Some(&snapshot(3, 90)), &[]).unwrap();
    log.compact(&snapshot(1, 4)).unwrap();
    drop(log);
    assert_eq!(content(&reopened(folder.path())).1, Some(90));
}

/// Length of what is written in the newest segment, and its path.
fn written(folder: &Path) -> (PathBuf, u64) {
    let newest = segments(folder).pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    (newest, end)
}

/// A log of three frames of which the last takes several sectors; where that begins.
fn three_frames(folder: &Path) -> u64 {
    let (mut log, _) = open(folder).unwrap();
    save(&mut log, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    save(&mut log, hard(1, 0, 0), None, &entries(1, 2..=2)).unwrap();
    let (_, end) = written(folder);
    let data = Bytes::from(vec![0xab; 2000]);
    save(&mut log, hard(1, 0, 0), None, &[Entry { data, ..entry(1, 3) }]).unwrap();
    end.next_multiple_of(8)
}

#[test]
fn a_frame_that_was_cut_short_is_cut_off_and_the_log_goes_on() {
    for missing in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let start = three_frames(folder.path());
        let (newest, _) = written(folder.path());
        let file = OpenOptions::new().write(true).open(&newest).unwrap();
        // One sector was not written, be it the first or one further back.
        let sector = start / 512 + missing;
        let from = start.max(sector * 512);
        file.write_all_at(&vec![0; usize::try_from((sector + 1) * 512 - from).unwrap()], from).unwrap();
        let (mut log, opened) = open(folder.path()).unwrap();
        assert!(opened.torn_bytes > 0, "sector {missing}");
        assert_eq!(opened.recovered.entries, entries(1, 1..=2), "sector {missing}");
        save(&mut log, hard(1, 0, 0), None, &entries(1, 3..=3)).unwrap();
        drop(log);
        let opened = reopened(folder.path());
        assert_eq!((opened.recovered.entries, opened.torn_bytes), (entries(1, 1..=3), 0), "sector {missing}");
    }
}

fn refusal(folder: &Path) -> String {
    open(folder).err().unwrap().to_string()
}

#[test]
fn a_bit_that_changed_is_refused_in_the_last_frame_and_in_those_before() {
    let whole = tempfile::tempdir().unwrap();
    let start = three_frames(whole.path());
    let (newest, end) = written(whole.path());
    let mut bytes = fs::read(&newest).unwrap();
    for place in [70, start - 9, start + 30, end - 1] {
        let place = usize::try_from(place).unwrap();
        bytes[place] ^= 0x10;
        fs::write(&newest, &bytes).unwrap();
        let said = refusal(whole.path());
        assert!(
            said.contains("is damaged at offset") && said.contains("add it again under a new id"),
            "{place}: {said}"
        );
        bytes[place] ^= 0x10;
    }
    fs::write(&newest, &bytes).unwrap();
    assert_eq!(reopened(whole.path()).recovered.entries.len(), 3);
}

#[test]
fn a_hole_before_whole_frames_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    let data = Bytes::from(vec![0xab; 1000]);
    for index in 1..=3 {
        save(&mut log, hard(1, 0, 0), None, &[Entry { data: data.clone(), ..entry(1, index) }]).unwrap();
    }
    drop(log);
    let (newest, _) = written(folder.path());
    OpenOptions::new().write(true).open(&newest).unwrap().write_all_at(&[0; 512], 1536).unwrap();
    assert!(refusal(folder.path()).contains("a frame is not whole, and others follow it"));
}

#[test]
fn a_missing_segment_or_snapshot_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    for index in 1..=200 {
        save(&mut log, hard(1, 0, index), None, &[entry(1, index)]).unwrap();
    }
    drop(log);
    fs::remove_file(&segments(folder.path())[1]).unwrap();
    assert!(refusal(folder.path()).contains("the segment is missing"));

    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    save(&mut log, hard(4, 0, 90), Some(&snapshot(3, 90)), &[]).unwrap();
    drop(log);
    fs::remove_file(folder.path().join("0000000000000003-000000000000005a.snap")).unwrap();
    assert!(refusal(folder.path()).starts_with("cannot read"));
}

#[test]
fn files_that_a_crash_left_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    save(&mut open(folder.path()).unwrap().0, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    for name in ["new.tmp", "snapshot.tmp", "0000000000000009-0000000000000009.snap"] {
        fs::write(folder.path().join(name), b"half").unwrap();
    }
    drop(open(folder.path()).unwrap());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_log_belongs_to_one_process_and_one_member() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    save(&mut log, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    assert!(matches!(open(folder.path()), Err(LogError::InUse { .. })));
    assert!(matches!(remove(folder.path()), Err(LogError::InUse { .. })));
    drop(log);
    let other = RaftLog::open(Folder::open(folder.path()).unwrap(), 4, SMALL);
    assert!(matches!(other, Err(LogError::OtherMember { found: 3, wanted: 4, .. })));
}

#[test]
fn a_log_is_removed_whole_and_may_be_begun_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("channel");
    save(&mut open(&folder).unwrap().0, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    remove(&folder).unwrap();
    remove(&folder).unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);

    // A crash between the renaming and the deleting: whoever opens it next finds nothing.
    save(&mut open(&folder).unwrap().0, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    fs::rename(&folder, parent.path().join("channel.removed")).unwrap();
    assert!(open(&folder).unwrap().1.empty);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_frame_longer_than_a_segment_gets_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    let large = Entry { data: Bytes::from(vec![7; 100_000]), ..entry(1, 2) };
    save(&mut log, hard(1, 0, 0), None, &entries(1, 1..=1)).unwrap();
    save(&mut log, None, None, std::slice::from_ref(&large)).unwrap();
    save(&mut log, None, None, &entries(1, 3..=3)).unwrap();
    drop(log);
    let saved = reopened(folder.path()).recovered.entries;
    assert_eq!(saved, [entry(1, 1), large, entry(1, 3)]);
}

// SPDX-License-Identifier: Apache-2.0
//! What a log does with a disk whose writes or syncs fail, and with what a killed process left.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fastledger_consensus::{ConfState, Entry, HardState, Snapshot};
use fastledger_raftlog::{Batch, Disk, Folder, RaftLog};

const SEGMENT_BYTES: u64 = 4096;

/// A folder that tells what is done, and whose syncs fail when they are told to.
struct Failing {
    folder: Folder,
    syncs_fail: Arc<Mutex<bool>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Failing {
    fn tell(&self, text: String) {
        self.told.lock().unwrap().push(text);
    }
}

impl Disk for Failing {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn names(&mut self) -> Result<Vec<String>> {
        self.folder.names()
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        self.folder.read(name)
    }

    fn create(&mut self, name: &str, bytes: u64) -> Result<()> {
        self.folder.create(name, bytes)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let what = if bytes.iter().all(|byte| *byte == 0) { "zeros" } else { "data" };
        self.tell(format!("{what} {}..{}", offset, offset + bytes.len() as u64));
        self.folder.write(name, offset, bytes)
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        // Only frames' syncs do: a segment that is made goes by another name until it is whole.
        let fails = *self.syncs_fail.lock().unwrap() && is_segment(name);
        self.tell(if fails { "no sync" } else { "sync" }.to_owned());
        if fails { Err(Error::other("the disk failed")) } else { self.folder.sync(name) }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.folder.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.folder.remove(name)
    }

    fn sync_names(&mut self) -> Result<()> {
        self.tell("sync names".to_owned());
        self.folder.sync_names()
    }
}

fn is_segment(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "log")
}

/// A log, whether its syncs fail, and what was done since one asked last.
struct Fixture {
    log: RaftLog<Failing>,
    syncs_fail: Arc<Mutex<bool>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    fn open(path: &Path) -> Self {
        let (syncs_fail, told) = (Arc::default(), Arc::default());
        let disk = Failing {
            folder: Folder::open(path).unwrap(),
            syncs_fail: Arc::clone(&syncs_fail),
            told: Arc::clone(&told),
        };
        Self { log: RaftLog::open(disk, 3, SEGMENT_BYTES).unwrap().0, syncs_fail, told }
    }

    fn fail_syncs(&self, fail: bool) {
        *self.syncs_fail.lock().unwrap() = fail;
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

fn entries(index: u64, bytes: usize) -> Batch {
    let entry = Entry { term: 1, index, data: Bytes::from(vec![7; bytes]), ..Entry::default() };
    Batch { hard: Some(HardState { term: 1, vote: 2, commit: 0 }), entries: vec![entry], ..Batch::default() }
}

#[test]
fn what_a_failed_save_left_is_cleared_for_good_before_another_frame_is_written_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(folder.path());
    fixture.log.save(&entries(1, 10)).unwrap();
    let end = fixture.done()[..].iter().rev().nth(1).unwrap().split("..").nth(1).unwrap().parse::<u64>().unwrap();
    fixture.fail_syncs(true);
    assert!(fixture.log.save(&entries(2, 900)).is_err());
    assert!(fixture.log.save(&entries(2, 900)).is_err());
    let failed = fixture.done();
    let remains = failed[0].strip_prefix("data ").unwrap().to_owned();
    assert!(remains.starts_with(&end.to_string()));
    assert_eq!(failed[1..], ["no sync".to_owned(), format!("zeros {remains}"), "no sync".to_owned()]);
    fixture.fail_syncs(false);
    fixture.log.save(&entries(2, 10)).unwrap();
    let done = fixture.done();
    assert_eq!(done[..2], [format!("zeros {remains}"), "sync".to_owned()]);
    assert!(done[2].starts_with(&format!("data {end}..")) && done[3] == "sync", "{done:?}");
}

#[test]
fn what_was_read_is_durable_before_anybody_relies_on_it() {
    let folder = tempfile::tempdir().unwrap();
    Fixture::open(folder.path()).log.save(&entries(1, 10)).unwrap();
    let fixture = Fixture::open(folder.path());
    assert_eq!(fixture.done(), [format!("data 0..{SEGMENT_BYTES}"), "sync".to_owned(), "sync names".to_owned()]);
}

#[test]
fn a_segment_whose_first_frame_was_tried_again_names_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(folder.path());
    fixture.log.save(&entries(1, 10)).unwrap();
    fixture.log.save(&entries(2, 3000)).unwrap();
    let members = ConfState { voters: vec![1, 2, 3] };
    fixture.log.compact(&Snapshot { term: 1, index: 2, members, data: Bytes::from_static(b"a block") }).unwrap();
    fixture.fail_syncs(true);
    assert!(fixture.log.save(&entries(3, 3000)).is_err());
    fixture.fail_syncs(false);
    fixture.log.save(&entries(3, 3000)).unwrap();
    drop(fixture);
    let names = Folder::open(folder.path()).unwrap().names().unwrap();
    let oldest = names.iter().filter(|name| is_segment(name)).min().unwrap();
    std::fs::remove_file(folder.path().join(oldest)).unwrap();
    let opened = RaftLog::open(Folder::open(folder.path()).unwrap(), 3, SEGMENT_BYTES).unwrap().1;
    assert_eq!(opened.recovered.snapshot.map(|snapshot| snapshot.index), Some(2));
}

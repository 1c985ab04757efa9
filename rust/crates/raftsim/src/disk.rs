// SPDX-License-Identifier: Apache-2.0
//! A disk that keeps what was synced, and of the rest what chance leaves.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastledger_consensus::Random;
use fastledger_raftlog::Disk;

/// What is written whole or not at all.
const SECTOR: usize = 512;

/// One member's disk; its clones are the same one, so that it outlasts who writes it.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: Vec<File>,
    /// Which file has which name, as whoever asks sees it.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names that are not synced.
    pending: Vec<Rename>,
    random: Random,
    /// Operations until the machine goes down in the midst of one.
    fuse: Option<u64>,
    down: bool,
    full: bool,
    /// How many in a thousand syncs fail.
    failing_syncs: u64,
    pub(crate) failed_syncs: u64,
    pub(crate) refused_full: u64,
    pub(crate) lost_sectors: u64,
}

#[derive(Debug, Clone)]
enum Rename {
    Put(String, usize),
    Gone(String),
    /// One change: nobody sees the file under both names, or under none.
    Moved(String, String, usize),
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Put(name, file) => drop(names.insert(name.clone(), *file)),
            Self::Gone(name) => drop(names.remove(name)),
            Self::Moved(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

#[derive(Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Offset and length of what was written and not synced.
    unsynced: Vec<(usize, usize)>,
}

/// What a disk did to whoever wrote it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Harm {
    pub(crate) failed_syncs: u64,
    pub(crate) refused_full: u64,
    pub(crate) lost_sectors: u64,
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            random: Random::new(seed),
            fuse: None,
            down: false,
            full: false,
            failing_syncs: 0,
            failed_syncs: 0,
            refused_full: 0,
            lost_sectors: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the machine go down after so many more operations.
    pub(crate) fn light_fuse(&self, operations: u64) {
        self.state().fuse = Some(operations);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state().down
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    pub(crate) fn set_failing_syncs(&self, in_thousand: u64) {
        self.state().failing_syncs = in_thousand;
    }

    pub(crate) fn harm(&self) -> Harm {
        let state = self.state();
        let State { failed_syncs, refused_full, lost_sectors, .. } = *state;
        Harm { failed_syncs, refused_full, lost_sectors }
    }

    /// The machine goes down, and comes up with what the disk kept.
    pub(crate) fn crash(&self) {
        self.state().crash();
    }

    /// The process goes, and the machine stays with what it has in memory.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        (state.fuse, state.down) = (None, false);
    }
}

impl State {
    fn crash(&mut self) {
        // Names go through a journal: those that were changed first are durable first.
        let kept = self.random.below(self.pending.len() as u64 + 1);
        let kept = usize::try_from(kept).unwrap_or_default();
        for rename in self.pending.drain(..).take(kept).collect::<Vec<_>>() {
            rename.apply(&mut self.durable_names);
        }
        self.names.clone_from(&self.durable_names);
        for file in &mut self.files {
            self.lost_sectors += file.crash(&mut self.random);
        }
        (self.fuse, self.down) = (None, false);
    }

    /// One operation: refused if the machine is down, which it may be from now on.
    fn operate(&mut self) -> Result<()> {
        if let Some(left) = &mut self.fuse {
            self.down |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.down { Err(Error::other("the machine went down")) } else { Ok(()) }
    }

    fn file(&mut self, name: &str) -> Result<&mut File> {
        let file = *self.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(&mut self.files[file])
    }

    /// Writes by chance, and takes all for written, as Linux does after a failed sync: only what is written again is not lost.
    fn fail_sync(&mut self, name: &str) -> Result<()> {
        let mut random = Random::new(self.random.draw());
        let file = self.file(name)?;
        file.write_by_chance(&mut random);
        Ok(())
    }

    fn room_for(&mut self, grows: bool) -> Result<()> {
        if grows && self.full {
            self.refused_full += 1;
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn rename(&mut self, change: Rename) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl File {
    /// Keeps what is durable, and each sector that is not by chance; how many were lost.
    fn crash(&mut self, random: &mut Random) -> u64 {
        let lost = self.write_by_chance(random);
        self.now.clone_from(&self.durable);
        lost
    }

    /// Makes each sector that is not durable so by chance; how many were not.
    fn write_by_chance(&mut self, random: &mut Random) -> u64 {
        let mut lost = 0;
        for (offset, length) in self.unsynced.drain(..) {
            let end = (offset + length).min(self.now.len());
            let mut start = offset.min(end);
            while start < end {
                let stop = (start + 1).next_multiple_of(SECTOR).min(end);
                if random.below(2) == 0 {
                    if self.durable.len() < stop {
                        self.durable.resize(stop, 0);
                    }
                    self.durable[start..stop].copy_from_slice(&self.now[start..stop]);
                } else {
                    lost += 1;
                }
                start = stop;
            }
        }
        lost
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.unsynced.push((offset, bytes.len()));
    }

    fn sync(&mut self) {
        if self.durable.len() != self.now.len() {
            self.durable.resize(self.now.len(), 0);
        }
        for (offset, length) in self.unsynced.drain(..) {
            self.durable[offset..offset + length].copy_from_slice(&self.now[offset..offset + length]);
        }
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Disk for SimDisk {
    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn names(&mut self) -> Result<Vec<String>> {
        let mut state = self.state();
        state.operate()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut state = self.state();
        state.operate()?;
        Ok(state.file(name)?.now.clone())
    }

    fn create(&mut self, name: &str, bytes: u64) -> Result<()> {
        let mut state = self.state();
        state.room_for(bytes > 0)?;
        state.operate()?;
        let now = vec![0; place(bytes)];
        let unsynced = if now.is_empty() { Vec::new() } else { vec![(0, now.len())] };
        state.files.push(File { now, durable: Vec::new(), unsynced });
        let file = state.files.len() - 1;
        state.rename(Rename::Put(name.to_owned(), file));
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let grows = state.file(name)?.now.len() < place(offset) + bytes.len();
        state.room_for(grows)?;
        let done = state.operate();
        // Who goes down in a write has written some of it.
        state.file(name)?.write(place(offset), bytes);
        done
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.operate()?;
        let failing = state.failing_syncs;
        if state.random.below(1000) < failing {
            state.failed_syncs += 1;
            state.fail_sync(name)?;
            return Err(Error::other("the disk failed"));
        }
        state.file(name)?.sync();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let mut state = self.state();
        state.operate()?;
        let file = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        state.rename(Rename::Moved(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.file(name)?;
        state.rename(Rename::Gone(name.to_owned()));
        Ok(())
    }

    fn sync_names(&mut self) -> Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.pending.clear();
        let names = state.names.clone();
        state.durable_names = names;
        Ok(())
    }
}

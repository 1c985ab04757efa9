// SPDX-License-Identifier: Apache-2.0
//! A member's state machine and its log on disk, and how they go together.
//!
//! Two locks, never held together: the state machine's for moments, the log's while the disk is written. So
//! messages and ticks come in while a save is on its way.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fastledger_consensus::{Config, ConfigInvalid, Node, Ready, Recovered, Snapshot, SoftState};
use fastledger_raftlog::{Batch, CATCH_UP_ENTRIES, Folder, LogError, RaftLog, SEGMENT_BYTES};

/// Why a member does not do what it is asked.
pub(super) enum MemberError {
    Config(ConfigInvalid),
    Log(LogError),
    Closed,
    /// The last turn is not done.
    Busy,
    /// It cannot make a snapshot at this entry.
    NoEntry(u64),
}

impl From<LogError> for MemberError {
    fn from(failure: LogError) -> Self {
        Self::Log(failure)
    }
}

impl From<ConfigInvalid> for MemberError {
    fn from(invalid: ConfigInvalid) -> Self {
        Self::Config(invalid)
    }
}

/// What has to be done now, by whom it was found.
pub(super) struct Turn {
    pub(super) ready: Ready,
    pub(super) soft: SoftState,
    pub(super) term: u64,
}

pub(super) struct Member {
    pub(super) started_empty: bool,
    pub(super) torn_bytes: u64,
    node: Mutex<Node>,
    log: Mutex<Option<RaftLog<Folder>>>,
    unsaved: Mutex<Option<Batch>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Member {
    /// Opens the log, or begins one with `first` where there is none.
    pub(super) fn open(folder: &Path, config: Config, first: Option<Recovered>) -> Result<Self, MemberError> {
        config.check()?;
        let (mut log, opened) = RaftLog::open(Folder::open(folder)?, config.id, SEGMENT_BYTES)?;
        let mut recovered = opened.recovered;
        if opened.empty
            && let Some(first) = first
        {
            log.begin(&first)?;
            recovered = first;
        }
        Ok(Self {
            started_empty: opened.empty,
            torn_bytes: opened.torn_bytes,
            node: Mutex::new(Node::new(config, recovered)?),
            log: Mutex::new(Some(log)),
            unsaved: Mutex::new(None),
        })
    }

    pub(super) fn node(&self) -> MutexGuard<'_, Node> {
        lock(&self.node)
    }

    pub(super) fn ready(&self) -> Result<Option<Turn>, MemberError> {
        let mut node = self.node();
        let ready = if node.has_ready() { node.ready() } else { return Ok(None) };
        let (soft, term) = (node.soft_state(), node.hard_state().term);
        drop(node);
        let ready = ready.ok_or(MemberError::Busy)?;
        *lock(&self.unsaved) = Some(Batch::from(&ready));
        Ok(Some(Turn { ready, soft, term }))
    }

    /// Makes durable what the latest turn wants saved.
    pub(super) fn save(&self) -> Result<(), MemberError> {
        let mut log = lock(&self.log);
        let log = log.as_mut().ok_or(MemberError::Closed)?;
        let Some(batch) = lock(&self.unsaved).clone() else { return Ok(()) };
        log.save(&batch)?;
        *lock(&self.unsaved) = None;
        Ok(())
    }

    pub(super) fn is_saved(&self) -> bool {
        lock(&self.unsaved).is_none()
    }

    /// Makes a snapshot at an applied entry, and forgets what is before it.
    pub(super) fn compact(&self, index: u64, data: Bytes) -> Result<(), MemberError> {
        let snapshot = self.node().snapshot_at(index, data).map(Arc::<Snapshot>::new);
        let snapshot = snapshot.ok_or(MemberError::NoEntry(index))?;
        lock(&self.log).as_mut().ok_or(MemberError::Closed)?.compact(&snapshot)?;
        let mut node = self.node();
        node.keep_snapshot(snapshot);
        node.compact(index.saturating_sub(CATCH_UP_ENTRIES));
        Ok(())
    }

    pub(super) fn close(&self) {
        drop(lock(&self.log).take());
    }
}

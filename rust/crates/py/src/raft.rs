// SPDX-License-Identifier: Apache-2.0
//! A member of a Raft cluster from Python: its state machine and its log on disk.
//!
//! Two locks, never held together: the state machine's for moments, the log's while the disk is written. So messages and ticks
//! come in while a save is on its way. No Python object is made under either.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fastledger_consensus::{
    ConfChange, ConfState, Config, Entry, EntryKind, Message, MessageKind, Node, Progress, Recovered, Replication,
    Role, Snapshot, StepError,
};
use fastledger_raftlog::{Batch, CATCH_UP_ENTRIES, Folder, LogError, RaftLog, SEGMENT_BYTES};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::delivered::Encoded;
use crate::{door, error};

/// A message to another member.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftMessage {
    kind: MessageKind,
    to: u64,
    payload: Vec<u8>,
}

impl From<Message> for RaftMessage {
    fn from(message: Message) -> Self {
        Self { kind: message.kind, to: message.to, payload: message.encode() }
    }
}

#[pymethods]
impl RaftMessage {
    #[getter]
    fn to(&self) -> u64 {
        self.to
    }

    #[getter]
    fn kind(&self) -> String {
        self.kind.to_string()
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.payload)
    }

    #[getter]
    fn is_snapshot(&self) -> bool {
        self.kind == MessageKind::Snap
    }
}

/// A committed entry.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftEntry(Entry);

#[pymethods]
impl RaftEntry {
    #[getter]
    fn index(&self) -> u64 {
        self.0.index
    }

    #[getter]
    fn term(&self) -> u64 {
        self.0.term
    }

    #[getter]
    fn kind(&self) -> u64 {
        self.0.kind.into()
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }
}

/// A state in place of the log up to it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftSnapshot(Arc<Snapshot>);

#[pymethods]
impl RaftSnapshot {
    #[new]
    fn new(index: u64, term: u64, members: Vec<u64>, data: PyBackedBytes) -> Self {
        let mut voters = members;
        voters.sort_unstable();
        voters.dedup();
        Self(Arc::new(Snapshot { index, term, members: ConfState { voters }, data: Bytes::from_owner(data) }))
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index
    }

    #[getter]
    fn term(&self) -> u64 {
        self.0.term
    }

    #[getter]
    fn members(&self) -> Vec<u64> {
        self.0.members.voters.clone()
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }
}

/// What has to be done now.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct RaftReady {
    messages: Vec<Py<RaftMessage>>,
    replies: Vec<Py<RaftMessage>>,
    committed: Vec<Py<RaftEntry>>,
    snapshot: Option<Py<RaftSnapshot>>,
    leader: u64,
    term: u64,
    state: &'static str,
    must_sync: bool,
}

/// A member and its log.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftNode {
    folder: PathBuf,
    member: u64,
    started_empty: bool,
    torn_bytes: u64,
    node: Mutex<Node>,
    log: Mutex<Option<RaftLog<Folder>>>,
    unsaved: Mutex<Option<Batch>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RaftNode {
    fn node(&self) -> MutexGuard<'_, Node> {
        lock(&self.node)
    }

    fn state_name(&self) -> &'static str {
        name(self.node().soft_state().role)
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "precandidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

/// Why a save does nothing: the log is closed, or the disk said no.
enum SaveError {
    Closed,
    Log(LogError),
}

fn save_error(folder: &std::path::Path) -> impl FnOnce(Python<'_>, SaveError) -> PyErr {
    move |py, failure| match failure {
        SaveError::Closed => error::input(py, format!("the Raft log {} is closed", folder.display())),
        SaveError::Log(failure) => error::raft_log(py, failure),
    }
}

fn stepped(py: Python<'_>, result: Result<(), StepError>) -> PyResult<()> {
    result.map_err(|failure| error::raft(py, &failure))
}

#[pymethods]
impl RaftNode {
    #[new]
    #[pyo3(signature = (folder, member, *, election_tick, heartbeat_tick, max_message_bytes, max_inflight_messages, seed,
                        members = Vec::new(), snapshot = None))]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        member: u64,
        election_tick: u32,
        heartbeat_tick: u32,
        max_message_bytes: u64,
        max_inflight_messages: usize,
        seed: u64,
        members: Vec<u64>,
        snapshot: Option<Py<RaftSnapshot>>,
    ) -> PyResult<Self> {
        let config = Config {
            id: member,
            election_tick,
            heartbeat_tick,
            max_message_bytes,
            max_committed_bytes: max_message_bytes,
            max_inflight_messages,
            check_quorum: true,
            pre_vote: true,
            step_down_on_removal: false,
            seed,
        };
        config.check().map_err(|invalid| error::input(py, invalid.to_string()))?;
        let first = match snapshot {
            Some(snapshot) => Some(Recovered::from_snapshot(Arc::clone(&snapshot.get().0))),
            None if members.is_empty() => None,
            None => Some(Recovered::bootstrap(&members)),
        };
        let open = || {
            let (mut log, opened) = RaftLog::open(Folder::open(&folder)?, member, SEGMENT_BYTES)?;
            let mut recovered = opened.recovered;
            if opened.empty
                && let Some(first) = first
            {
                log.begin(&first)?;
                recovered = first;
            }
            Ok((log, recovered, opened.empty, opened.torn_bytes))
        };
        let (log, recovered, started_empty, torn_bytes) = door::work(py, open, error::raft_log)?;
        let node = Node::new(config, recovered).map_err(|invalid| error::input(py, invalid.to_string()))?;
        let (node, log) = (Mutex::new(node), Mutex::new(Some(log)));
        Ok(Self { folder, member, started_empty, torn_bytes, node, log, unsaved: Mutex::new(None) })
    }

    #[getter]
    fn member(&self) -> u64 {
        self.member
    }

    #[getter]
    fn started_empty(&self) -> bool {
        self.started_empty
    }

    #[getter]
    fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    #[getter]
    fn term(&self) -> u64 {
        self.node().hard_state().term
    }

    #[getter]
    fn leader(&self) -> u64 {
        self.node().soft_state().leader
    }

    #[getter]
    fn state(&self) -> &'static str {
        self.state_name()
    }

    #[getter]
    fn applied(&self) -> u64 {
        self.node().applied()
    }

    #[getter]
    fn committed(&self) -> u64 {
        self.node().hard_state().commit
    }

    #[getter]
    fn last_index(&self) -> u64 {
        self.node().last_index()
    }

    #[getter]
    fn first_index(&self) -> u64 {
        self.node().first_index()
    }

    #[getter]
    fn snapshot_index(&self) -> u64 {
        self.node().snapshot().map_or(0, |snapshot| snapshot.index)
    }

    #[getter]
    fn members(&self) -> Vec<u64> {
        self.node().members()
    }

    #[getter]
    fn transferee(&self) -> u64 {
        self.node().transferee()
    }

    #[getter]
    fn conf_change_pending(&self) -> bool {
        self.node().conf_change_pending()
    }

    fn progress(&self) -> Vec<(u64, u64, bool, &'static str)> {
        let row = |(id, progress): (u64, &Progress)| {
            let replication = match progress.replication {
                Replication::Probe => "probe",
                Replication::Replicate => "replicate",
                Replication::Snapshot => "snapshot",
            };
            (id, progress.matched, progress.recently_active, replication)
        };
        let node = self.node();
        let leads = node.soft_state().role == Role::Leader;
        if leads { node.progress().map(row).collect() } else { Vec::new() }
    }

    fn tick(&self) {
        self.node().tick();
    }

    fn step(&self, py: Python<'_>, message: Encoded) -> PyResult<()> {
        let bytes = message.into_bytes();
        let stepped = match Message::decode(&bytes) {
            Ok(message) => self.node().step(message),
            Err(failure) => Err(failure.into()),
        };
        self::stepped(py, stepped)
    }

    fn campaign(&self) {
        self.node().campaign();
    }

    fn propose(&self, py: Python<'_>, data: Encoded) -> PyResult<()> {
        let proposed = self.node().propose(data.into_bytes());
        stepped(py, proposed)
    }

    fn propose_conf_change(&self, py: Python<'_>, kind: u64, member: u64) -> PyResult<()> {
        let proposed = self.node().propose_conf_change(ConfChange { kind: kind.into(), member });
        stepped(py, proposed)
    }

    fn apply_conf_change(&self, py: Python<'_>, entry: Py<RaftEntry>) -> PyResult<Vec<u64>> {
        let entry = &entry.get().0;
        let refuse = |reason: String| error::input(py, format!("entry {}: {reason}", entry.index));
        if entry.kind != EntryKind::ConfChange {
            return Err(refuse("it changes no members".to_owned()));
        }
        let change = ConfChange::decode(&entry.data).map_err(|failure| refuse(failure.to_string()))?;
        Ok(self.node().apply_conf_change(entry.index, change).voters)
    }

    fn transfer_leadership(&self, member: u64) {
        self.node().transfer_leadership(member);
    }

    fn report_unreachable(&self, member: u64) {
        self.node().report_unreachable(member);
    }

    fn report_snapshot(&self, member: u64, arrived: bool) {
        self.node().report_snapshot(member, arrived);
    }

    fn has_ready(&self) -> bool {
        self.node().has_ready()
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Option<RaftReady>> {
        let take = || {
            let mut node = self.node();
            let ready = if node.has_ready() { node.ready() } else { return Ok(None) };
            let (soft, term) = (node.soft_state(), node.hard_state().term);
            drop(node);
            let ready = ready.ok_or(())?;
            *lock(&self.unsaved) = Some(Batch::from(&ready));
            let encoded = |messages: Vec<Message>| messages.into_iter().map(RaftMessage::from).collect::<Vec<_>>();
            Ok(Some((
                encoded(ready.messages),
                encoded(ready.replies),
                ready.committed,
                ready.snapshot,
                (soft, term, ready.must_sync),
            )))
        };
        let twice = |py: Python<'_>, ()| error::input(py, "advance() must follow before the next ready()".to_owned());
        let Some((messages, replies, committed, snapshot, (soft, term, must_sync))) = door::work(py, take, twice)?
        else {
            return Ok(None);
        };
        let made = |messages: Vec<RaftMessage>| -> PyResult<Vec<_>> {
            messages.into_iter().map(|message| Py::new(py, message)).collect()
        };
        Ok(Some(RaftReady {
            messages: made(messages)?,
            replies: made(replies)?,
            committed: committed.into_iter().map(|entry| Py::new(py, RaftEntry(entry))).collect::<PyResult<_>>()?,
            snapshot: snapshot.map(|snapshot| Py::new(py, RaftSnapshot(snapshot))).transpose()?,
            leader: soft.leader,
            term,
            state: name(soft.role),
            must_sync,
        }))
    }

    fn save(&self, py: Python<'_>) -> PyResult<()> {
        let save = || {
            let mut log = lock(&self.log);
            let log = log.as_mut().ok_or(SaveError::Closed)?;
            let Some(batch) = lock(&self.unsaved).clone() else { return Ok(()) };
            log.save(&batch).map_err(SaveError::Log)?;
            *lock(&self.unsaved) = None;
            Ok(())
        };
        door::work(py, save, save_error(&self.folder))
    }

    fn advance(&self, py: Python<'_>) -> PyResult<()> {
        if lock(&self.unsaved).is_some() {
            return Err(error::input(py, "save() must return before advance()".to_owned()));
        }
        let advanced = self.node().advance();
        stepped(py, advanced)
    }

    fn compact(&self, py: Python<'_>, index: u64, data: Encoded) -> PyResult<()> {
        let Some(snapshot) = self.node().snapshot_at(index, data.into_bytes()).map(Arc::new) else {
            return Err(error::input(py, format!("entry {index} is compacted already, or not applied")));
        };
        let compact = || {
            let mut log = lock(&self.log);
            log.as_mut().ok_or(SaveError::Closed)?.compact(&snapshot).map_err(SaveError::Log)?;
            drop(log);
            let mut node = self.node();
            node.keep_snapshot(Arc::clone(&snapshot));
            node.compact(index.saturating_sub(CATCH_UP_ENTRIES));
            Ok(())
        };
        door::work(py, compact, save_error(&self.folder))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(lock(&self.log).take()));
    }
}

/// From whom, to whom, what and in which term an encoded message is.
#[pyfunction]
pub(crate) fn raft_route(py: Python<'_>, message: Encoded) -> PyResult<(u64, u64, String, u64)> {
    let message = Message::decode(&message.into_bytes()).map_err(|failure| error::raft(py, &failure.into()))?;
    Ok((message.from, message.to, message.kind.to_string(), message.term))
}

/// Removes the log in a folder.
#[pyfunction]
pub(crate) fn remove_raft_log(py: Python<'_>, folder: PathBuf) -> PyResult<()> {
    door::work(py, || fastledger_raftlog::remove(&folder), error::raft_log)
}

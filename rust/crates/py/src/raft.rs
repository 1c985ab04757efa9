// SPDX-License-Identifier: Apache-2.0
//! A member of a Raft cluster from Python. No Python object is made under a lock of it.

mod member;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use fastledger_consensus::{ConfChange, Config, EntryKind, Message, Progress, Recovered, Replication, Role, StepError};
use pyo3::prelude::*;

use self::member::{Member, MemberError};
pub(crate) use self::values::{RaftEntry, RaftMessage, RaftReady, RaftSnapshot};
use crate::delivered::Encoded;
use crate::{door, error};

/// A member and its log.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftNode {
    folder: PathBuf,
    id: u64,
    member: Member,
}

impl RaftNode {
    fn refuse(&self) -> impl FnOnce(Python<'_>, MemberError) -> PyErr {
        refused(&self.folder)
    }
}

fn refused(folder: &std::path::Path) -> impl FnOnce(Python<'_>, MemberError) -> PyErr {
    move |py, failure| match failure {
        MemberError::Config(invalid) => error::input(py, invalid.to_string()),
        MemberError::Log(failure) => error::raft_log(py, failure),
        MemberError::Closed => error::input(py, format!("the Raft log {} is closed", folder.display())),
        MemberError::Busy => error::input(py, "advance() must follow before the next ready()".to_owned()),
        MemberError::NoEntry(index) => error::input(py, format!("entry {index} is compacted already, or not applied")),
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
            careful_membership: true,
            seed,
        };
        let first = match snapshot {
            Some(snapshot) => Some(Recovered::from_snapshot(Arc::clone(&snapshot.get().0))),
            None if members.is_empty() => None,
            None => Some(Recovered::bootstrap(&members)),
        };
        let open = || Member::open(&folder, config, first);
        let opened = door::work(py, open, refused(&folder))?;
        Ok(Self { folder, id: member, member: opened })
    }

    #[getter]
    fn member(&self) -> u64 {
        self.id
    }

    #[getter]
    fn started_empty(&self) -> bool {
        self.member.started_empty
    }

    #[getter]
    fn torn_bytes(&self) -> u64 {
        self.member.torn_bytes
    }

    #[getter]
    fn term(&self) -> u64 {
        self.member.node().hard_state().term
    }

    #[getter]
    fn leader(&self) -> u64 {
        self.member.node().soft_state().leader
    }

    #[getter]
    fn state(&self) -> &'static str {
        values::name(self.member.node().soft_state().role)
    }

    #[getter]
    fn applied(&self) -> u64 {
        self.member.node().applied()
    }

    #[getter]
    fn committed(&self) -> u64 {
        self.member.node().hard_state().commit
    }

    #[getter]
    fn last_index(&self) -> u64 {
        self.member.node().last_index()
    }

    #[getter]
    fn first_index(&self) -> u64 {
        self.member.node().first_index()
    }

    #[getter]
    fn snapshot_index(&self) -> u64 {
        self.member.node().snapshot().map_or(0, |snapshot| snapshot.index)
    }

    #[getter]
    fn members(&self) -> Vec<u64> {
        self.member.node().members()
    }

    #[getter]
    fn transferee(&self) -> u64 {
        self.member.node().transferee()
    }

    #[getter]
    fn conf_change_pending(&self) -> bool {
        self.member.node().conf_change_pending()
    }

    #[getter]
    fn wants_snapshot(&self) -> bool {
        self.member.node().wants_snapshot()
    }

    #[getter]
    fn removal_is_known(&self) -> bool {
        self.member.node().removal_is_known()
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
        let node = self.member.node();
        let leads = node.soft_state().role == Role::Leader;
        if leads { node.progress().map(row).collect() } else { Vec::new() }
    }

    fn tick(&self) {
        self.member.node().tick();
    }

    fn step(&self, py: Python<'_>, message: Encoded) -> PyResult<()> {
        let bytes = message.into_bytes();
        let stepped = match Message::decode(&bytes) {
            Ok(message) => self.member.node().step(message),
            Err(failure) => Err(failure.into()),
        };
        self::stepped(py, stepped)
    }

    fn campaign(&self) {
        self.member.node().campaign();
    }

    fn propose(&self, py: Python<'_>, data: Encoded) -> PyResult<()> {
        let proposed = self.member.node().propose(data.into_bytes());
        stepped(py, proposed)
    }

    fn propose_conf_change(&self, py: Python<'_>, kind: u64, member: u64) -> PyResult<()> {
        let proposed = self.member.node().propose_conf_change(ConfChange { kind: kind.into(), member });
        stepped(py, proposed)
    }

    fn apply_conf_change(&self, py: Python<'_>, entry: Py<RaftEntry>) -> PyResult<Vec<u64>> {
        let entry = &entry.get().0;
        let refuse = |reason: String| error::input(py, format!("entry {}: {reason}", entry.index));
        if entry.kind != EntryKind::ConfChange {
            return Err(refuse("it changes no members".to_owned()));
        }
        let change = ConfChange::decode(&entry.data).map_err(|failure| refuse(failure.to_string()))?;
        Ok(self.member.node().apply_conf_change(entry.index, change).voters)
    }

    fn transfer_leadership(&self, member: u64) {
        self.member.node().transfer_leadership(member);
    }

    fn report_unreachable(&self, member: u64) {
        self.member.node().report_unreachable(member);
    }

    fn report_snapshot(&self, member: u64, arrived: bool) {
        self.member.node().report_snapshot(member, arrived);
    }

    fn has_ready(&self) -> bool {
        self.member.node().has_ready()
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Option<RaftReady>> {
        let take = || Ok(self.member.ready()?.map(values::Encoded::from));
        let turn = door::work(py, take, self.refuse())?;
        turn.map(|turn| turn.into_python(py)).transpose()
    }

    fn save(&self, py: Python<'_>) -> PyResult<()> {
        door::work(py, || self.member.save(), self.refuse())
    }

    fn advance(&self, py: Python<'_>) -> PyResult<()> {
        if !self.member.is_saved() {
            return Err(error::input(py, "save() must return before advance()".to_owned()));
        }
        let advanced = self.member.node().advance();
        stepped(py, advanced)
    }

    fn compact(&self, py: Python<'_>, index: u64, data: Encoded) -> PyResult<()> {
        door::work(py, || self.member.compact(index, data.into_bytes()), self.refuse())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.member.close());
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

// SPDX-License-Identifier: Apache-2.0
//! What a member hands to Python.

use std::sync::Arc;

use bytes::Bytes;
use fastledger_comm::LARGE_BYTES;
use fastledger_consensus::{ConfState, Entry, Message, MessageKind, Role, Snapshot};
use fastledger_wire::cluster::around_consensus;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::member::Turn;
use crate::delivered::{CoreBytes, StepMessage};

/// A message to another member.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftMessage {
    kind: MessageKind,
    to: u64,
    /// The encoding; large data lie where the log has them, which goes to several members.
    payload: Vec<Bytes>,
}

impl From<Message> for RaftMessage {
    fn from(message: Message) -> Self {
        let data = message.entries.iter().map(|entry| &entry.data);
        let data = data.chain(message.snapshot.iter().map(|snapshot| &snapshot.data));
        let mut large = data.filter(|data| data.len() >= LARGE_BYTES).cloned();
        let (rest, left_out) = message.view().encode_around(LARGE_BYTES);
        let (rest, mut done, mut payload) = (Bytes::from(rest), 0, Vec::new());
        for (place, _) in left_out {
            payload.push(rest.slice(done..place));
            payload.extend(large.next());
            done = place;
        }
        payload.push(rest.slice(done..));
        Self { kind: message.kind, to: message.to, payload }
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
        PyBytes::new(py, &self.payload.concat())
    }

    fn step_request(&self, channel: &str, metadata: &[u8]) -> StepMessage {
        let bytes = self.payload.iter().map(Bytes::len).sum();
        let [before, behind] = around_consensus(channel, bytes, metadata).map(Bytes::from);
        StepMessage([before].into_iter().chain(self.payload.iter().cloned()).chain([behind]).collect())
    }

    #[getter]
    fn is_snapshot(&self) -> bool {
        self.kind == MessageKind::Snap
    }
}

/// A committed entry.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftEntry(pub(super) Entry);

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
    fn data(&self) -> CoreBytes {
        CoreBytes(self.0.data.clone())
    }
}

/// A state in place of the log up to it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RaftSnapshot(pub(super) Arc<Snapshot>);

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

/// A turn whose messages are encoded, so that Python objects are all that is left to make.
pub(super) struct Encoded {
    messages: Vec<RaftMessage>,
    replies: Vec<RaftMessage>,
    turn: Turn,
}

impl From<Turn> for Encoded {
    fn from(mut turn: Turn) -> Self {
        let encoded = |messages: Vec<Message>| messages.into_iter().map(RaftMessage::from).collect();
        Self {
            messages: encoded(std::mem::take(&mut turn.ready.messages)),
            replies: encoded(std::mem::take(&mut turn.ready.replies)),
            turn,
        }
    }
}

impl Encoded {
    pub(super) fn into_python(self, py: Python<'_>) -> PyResult<RaftReady> {
        let Turn { ready, soft, term } = self.turn;
        let made = |messages: Vec<RaftMessage>| -> PyResult<Vec<_>> {
            messages.into_iter().map(|message| Py::new(py, message)).collect()
        };
        Ok(RaftReady {
            messages: made(self.messages)?,
            replies: made(self.replies)?,
            committed: ready
                .committed
                .into_iter()
                .map(|entry| Py::new(py, RaftEntry(entry)))
                .collect::<PyResult<_>>()?,
            snapshot: ready.snapshot.map(|snapshot| Py::new(py, RaftSnapshot(snapshot))).transpose()?,
            leader: soft.leader,
            term,
            state: name(soft.role),
            must_sync: ready.must_sync || ready.commit_durable,
        })
    }
}

pub(super) fn name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "precandidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

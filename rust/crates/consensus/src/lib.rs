// SPDX-License-Identifier: Apache-2.0
//! Raft as etcd does it (`go.etcd.io/raft`, release 3.6), message by message, because etcdraft's orderers are its peers.
//!
//! A [`Node`] is a pure state machine. What happens to it is told by calls ([`tick`](Node::tick), [`step`](Node::step),
//! [`propose`](Node::propose), …); what has to happen in the world is taken from it as a [`Ready`]. It knows no disk, no clock,
//! no thread and no network, and draws its randomness from a seed, so that every run can be played again.
//!
//! ```text
//!        tick, step, propose
//!               │
//!               ▼            messages ─────► other members (at once)
//!             Node ── Ready ─┬─ entries, hard state, snapshot ──► durable log
//!               ▲            │                       then
//!               │            ├─ replies ──────► other members
//!               │            └─ committed ────► application
//!               └──────────────── advance ◄─────────┘
//! ```
//!
//! What Fabric does not use is left out: joint configurations, learners, reads by index, forwarded proposals.
//!
//! Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm, 2014; Ongaro: Consensus: Bridging Theory and
//! Practice, 2014 (the thesis; its sections are named where a rule comes from one).

#![forbid(unsafe_code)]

mod admission;
mod config;
mod election;
mod error;
mod follower;
mod leader;
mod log;
mod membership;
mod message;
mod node;
mod progress;
mod quorum;
mod raft;
mod random;
mod ready;
mod replication;

pub use config::Config;
pub use error::{ConfigInvalid, StepError};
pub use message::{ConfChange, ConfChangeKind, ConfState, Entry, EntryKind, HardState, Message, MessageKind, Snapshot};
pub use node::{Node, Recovered};
pub use progress::{Progress, Replication};
pub use quorum::{Vote, committed_index, vote_result};
pub use raft::Role;
pub use random::Random;
pub use ready::{Ready, SoftState};

// SPDX-License-Identifier: Apache-2.0
//! What has to happen in the world.

use std::sync::Arc;

use crate::message::{Entry, HardState, Message, Snapshot};
use crate::raft::Role;

/// Who leads and what this member does; nothing that must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftState {
    /// The leader, 0 when none is known.
    pub leader: u64,
    /// What this member does.
    pub role: Role,
}

/// What a [`Node`](crate::Node) wants done, in the order of the fields. `advance` is called when it is done.
#[derive(Debug, Clone)]
pub struct Ready {
    /// To be sent at any time from now on, even before anything is saved (thesis, 10.2.1).
    pub messages: Vec<Message>,
    /// The state, where it changed.
    pub soft: Option<SoftState>,
    /// To be made durable, where it changed.
    pub hard: Option<HardState>,
    /// To be made durable: it takes the place of the whole log.
    pub snapshot: Option<Arc<Snapshot>>,
    /// To be made durable: the first takes the place of the entry with its index, and of all behind that.
    pub entries: Vec<Entry>,
    /// Whether the three above must be synced; a commit index alone need not be, but for `commit_durable`.
    pub must_sync: bool,
    /// Whether the commit index must be durable: it commits a change of members, after which those who are gone must not be
    /// needed to learn again that they are.
    pub commit_durable: bool,
    /// To be sent when the above is durable.
    pub replies: Vec<Message>,
    /// To be applied when the above is durable.
    pub committed: Vec<Entry>,
}

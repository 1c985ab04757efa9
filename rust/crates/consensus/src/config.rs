// SPDX-License-Identifier: Apache-2.0
//! What a member is told when it starts.

use crate::error::ConfigInvalid;

/// Settings of one member. All members of a cluster should have the same.
#[derive(Debug, Clone)]
pub struct Config {
    /// This member's id, not zero.
    pub id: u64,
    /// Ticks without a leader after which a member campaigns: a random number from this to twice this.
    pub election_tick: u32,
    /// Ticks between two heartbeats.
    pub heartbeat_tick: u32,
    /// Bytes of encoded entries in a message; the first entry is sent however large it is (`MaxSizePerMsg`).
    pub max_message_bytes: u64,
    /// Bytes of encoded entries that are handed out as committed at once, the first however large it is.
    pub max_committed_bytes: u64,
    /// Messages with entries that are on their way to one member at most.
    pub max_inflight_messages: usize,
    /// Whether a leader that does not hear from a majority steps down, and members do not vote while they hear from one.
    pub check_quorum: bool,
    /// Whether a member asks if it could win before it campaigns (thesis, 9.6).
    pub pre_vote: bool,
    /// Whether a leader that is removed steps down by itself. Fabric's does not: it halts.
    pub step_down_on_removal: bool,
    /// Whether a leader that is removed learns that the others know, and whether a member that is removed goes on standing for
    /// election until then: otherwise a crash in a removal may leave a cluster without a leader for ever, as etcd's. And whether
    /// a snapshot is sent only to members that it names.
    pub careful_membership: bool,
    /// What election timeouts are drawn from.
    pub seed: u64,
}

impl Config {
    /// Refuses settings under which no cluster works, naming the relation that is broken.
    pub fn check(&self) -> Result<(), ConfigInvalid> {
        let refuse = |broken: &'static str| Err(ConfigInvalid(broken));
        match self {
            Self { id: 0, .. } => refuse("id must not be 0"),
            Self { heartbeat_tick: 0, .. } => refuse("heartbeat_tick must be greater than 0"),
            Self { election_tick, heartbeat_tick, .. } if election_tick <= heartbeat_tick => {
                refuse("election_tick must be greater than heartbeat_tick")
            }
            Self { max_inflight_messages: 0, .. } => refuse("max_inflight_messages must be greater than 0"),
            _ => Ok(()),
        }
    }
}

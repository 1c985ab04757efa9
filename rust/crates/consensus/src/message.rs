// SPDX-License-Identifier: Apache-2.0
//! etcd's messages with data that is shared, and their way from and to the wire.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use fastledger_wire::protobuf::{DecodeError, Message as _, Reader, Value};
use fastledger_wire::raftpb;

/// Entries in one message. Nearly all are blocks, of some hundred bytes at least, and a leader sends few MB of them at once.
const MAX_ENTRIES: usize = 1 << 16;

/// Bytes of a snapshot's members: thousands of them.
const MAX_CONF_STATE_BYTES: usize = 1 << 16;

/// Fields of `raftpb.Message`: its entries, and what leads to its snapshot's members.
const ENTRIES: &[u32] = &[7];
const CONF_STATE: &[u32] = &[9, 2, 1];

macro_rules! message_kinds {
    ($($name:ident = $number:literal,)*) => {
        /// `raftpb.MessageType`; etcd's names are these with `Msg` before them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is etcd's message of that name")]
        pub enum MessageKind {
            $($name,)*
            /// One that this release does not know.
            Other(u64),
        }

        impl From<u64> for MessageKind {
            fn from(number: u64) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<MessageKind> for u64 {
            fn from(kind: MessageKind) -> Self {
                match kind {
                    $(MessageKind::$name => $number,)*
                    MessageKind::Other(number) => number,
                }
            }
        }
    };
}

message_kinds! {
    Hup = 0,
    Beat = 1,
    Prop = 2,
    App = 3,
    AppResp = 4,
    Vote = 5,
    VoteResp = 6,
    Snap = 7,
    Heartbeat = 8,
    HeartbeatResp = 9,
    Unreachable = 10,
    SnapStatus = 11,
    CheckQuorum = 12,
    TransferLeader = 13,
    TimeoutNow = 14,
    ReadIndex = 15,
    ReadIndexResp = 16,
    PreVote = 17,
    PreVoteResp = 18,
    StorageAppend = 19,
    StorageAppendResp = 20,
    StorageApply = 21,
    StorageApplyResp = 22,
    ForgetLeader = 23,
}

impl fmt::Display for MessageKind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(to, "message type {number}"),
            kind => write!(to, "Msg{kind:?}"),
        }
    }
}

/// `raftpb.EntryType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryKind {
    /// The application's.
    #[default]
    Normal,
    /// A [`ConfChange`].
    ConfChange,
    /// What Fabric's clusters do not use, such as changes of more than one member.
    Other(u64),
}

impl From<u64> for EntryKind {
    fn from(number: u64) -> Self {
        match number {
            0 => Self::Normal,
            1 => Self::ConfChange,
            other => Self::Other(other),
        }
    }
}

impl From<EntryKind> for u64 {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Normal => 0,
            EntryKind::ConfChange => 1,
            EntryKind::Other(number) => number,
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// What `data` is.
    pub kind: EntryKind,
    /// The term of the leader that made it.
    pub term: u64,
    /// Its place in the log, from 1.
    pub index: u64,
    /// Shared by everybody who has this entry.
    pub data: Bytes,
}

impl Entry {
    /// The entry as it stands on the wire.
    #[must_use]
    pub fn view(&self) -> raftpb::Entry<'_> {
        raftpb::Entry { kind: self.kind.into(), term: self.term, index: self.index, data: &self.data }
    }

    /// The entry of a view into `whole`, whose memory it goes on sharing.
    #[must_use]
    pub fn of(view: &raftpb::Entry<'_>, whole: &Bytes) -> Self {
        Self { kind: view.kind.into(), term: view.term, index: view.index, data: whole.slice_ref(view.data) }
    }

    /// Bytes that limits count.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        self.view().encoded_len() as u64
    }
}

/// The members of a cluster, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfState {
    /// Their ids.
    pub voters: Vec<u64>,
}

/// The application's state at an entry, in place of the log up to there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The entry.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The members at that entry, or later ones: the changes in between come again and change nothing.
    pub members: ConfState,
    /// The application's.
    pub data: Bytes,
}

impl Snapshot {
    /// The snapshot as it stands on the wire.
    #[must_use]
    pub fn view(&self) -> raftpb::Snapshot<'_> {
        let members = raftpb::ConfState { voters: self.members.voters.clone(), ..Default::default() };
        raftpb::Snapshot {
            data: &self.data,
            metadata: Some(raftpb::SnapshotMetadata { conf_state: Some(members), index: self.index, term: self.term }),
        }
    }

    /// The snapshot of a view into `whole`; `None` for one with members that do not only vote.
    #[must_use]
    pub fn of(view: &raftpb::Snapshot<'_>, whole: &Bytes) -> Option<Self> {
        let metadata = view.metadata.clone().unwrap_or_default();
        let raftpb::ConfState { mut voters, learners, voters_outgoing, learners_next, auto_leave } =
            metadata.conf_state.unwrap_or_default();
        if auto_leave || !learners.is_empty() || !voters_outgoing.is_empty() || !learners_next.is_empty() {
            return None;
        }
        voters.sort_unstable();
        voters.dedup();
        let members = ConfState { voters };
        Some(Self { index: metadata.index, term: metadata.term, members, data: whole.slice_ref(view.data) })
    }
}

/// What must be durable beside the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardState {
    /// The highest term seen.
    pub term: u64,
    /// For whom this member voted in it; 0 for nobody.
    pub vote: u64,
    /// Up to where the log is known to be committed.
    pub commit: u64,
}

/// What a [`ConfChange`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfChangeKind {
    /// Adds a member that votes.
    AddNode,
    /// Removes a member.
    RemoveNode,
    /// Changes nothing.
    UpdateNode,
    /// What Fabric's clusters do not use.
    Other(u64),
}

impl From<u64> for ConfChangeKind {
    fn from(number: u64) -> Self {
        match number {
            0 => Self::AddNode,
            1 => Self::RemoveNode,
            2 => Self::UpdateNode,
            other => Self::Other(other),
        }
    }
}

impl From<ConfChangeKind> for u64 {
    fn from(kind: ConfChangeKind) -> Self {
        match kind {
            ConfChangeKind::AddNode => 0,
            ConfChangeKind::RemoveNode => 1,
            ConfChangeKind::UpdateNode => 2,
            ConfChangeKind::Other(number) => number,
        }
    }
}

/// A change of one member, which an entry of kind [`EntryKind::ConfChange`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfChange {
    /// What is done.
    pub kind: ConfChangeKind,
    /// To which member.
    pub member: u64,
}

impl ConfChange {
    /// The data of the entry, as Fabric writes it: type and id alone.
    #[must_use]
    pub fn encode(self) -> Bytes {
        let Self { kind, member } = self;
        raftpb::ConfChange { kind: kind.into(), node_id: member, ..Default::default() }.encode().into()
    }

    /// Reads the data of an entry.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let view = raftpb::ConfChange::decode(data)?;
        Ok(Self { kind: view.kind.into(), member: view.node_id })
    }
}

/// A message between members, or from a member to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub kind: MessageKind,
    /// The member that it is for.
    pub to: u64,
    /// The member that sent it, or that it is about.
    pub from: u64,
    /// The sender's term; the one that it would have, in what precedes a campaign. 0 in what a member tells itself.
    pub term: u64,
    /// The term of the entry `index`.
    pub log_term: u64,
    /// The entry that is spoken of: before `entries`, acknowledged, refused, or the candidate's last.
    pub index: u64,
    /// Entries to append.
    pub entries: Vec<Entry>,
    /// The sender's commit index.
    pub commit: u64,
    /// In place of entries that the leader has no more.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Whether it is a refusal.
    pub reject: bool,
    /// Where the refuser's log may agree.
    pub reject_hint: u64,
    /// That a campaign follows a transfer of leadership.
    pub context: Bytes,
}

impl Message {
    /// A message of this kind in which all else is zero.
    #[must_use]
    pub fn new(kind: MessageKind) -> Self {
        Self {
            kind,
            to: 0,
            from: 0,
            term: 0,
            log_term: 0,
            index: 0,
            entries: Vec::new(),
            commit: 0,
            snapshot: None,
            reject: false,
            reject_hint: 0,
            context: Bytes::new(),
        }
    }

    /// The encoding, as etcd 3.5 writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.view().encode()
    }

    /// What is to be encoded.
    #[must_use]
    pub fn view(&self) -> raftpb::Message<'_> {
        raftpb::Message {
            kind: self.kind.into(),
            to: self.to,
            from: self.from,
            term: self.term,
            log_term: self.log_term,
            index: self.index,
            entries: self.entries.iter().map(Entry::view).collect(),
            commit: self.commit,
            snapshot: self.snapshot.as_deref().map(Snapshot::view),
            reject: self.reject,
            reject_hint: self.reject_hint,
            context: &self.context,
        }
    }

    /// Reads an encoding, of which entries and snapshot go on sharing the memory.
    ///
    /// A snapshot that is empty is none. One with members that do not only vote is an empty one, so that it is not taken.
    /// No member sends 65,536 entries at once: two bytes of such a message would become a hundred here.
    pub fn decode(encoded: &Bytes) -> Result<Self, DecodeError> {
        check_elements(encoded)?;
        let view = raftpb::Message::decode(encoded)?;
        let snapshot = view.snapshot.as_ref().and_then(|view| Snapshot::of(view, encoded));
        Ok(Self {
            kind: view.kind.into(),
            to: view.to,
            from: view.from,
            term: view.term,
            log_term: view.log_term,
            index: view.index,
            entries: view.entries.iter().map(|entry| Entry::of(entry, encoded)).collect(),
            commit: view.commit,
            snapshot: snapshot.filter(|snapshot| snapshot.index != 0).map(Arc::new),
            reject: view.reject,
            reject_hint: view.reject_hint,
            context: encoded.slice_ref(view.context),
        })
    }
}

/// Refuses a message that would take far more memory than its encoding.
fn check_elements(encoded: &[u8]) -> Result<(), DecodeError> {
    let (mut entries, mut members) = (0, 0);
    visit(encoded, ENTRIES, &mut |_| entries += 1)?;
    visit(encoded, CONF_STATE, &mut |conf_state| members += conf_state.len())?;
    if entries > MAX_ENTRIES || members > MAX_CONF_STATE_BYTES { Err(DecodeError::Elements) } else { Ok(()) }
}

/// Finds all messages that a path of fields leads to.
fn visit(message: &[u8], path: &[u32], found: &mut dyn FnMut(&[u8])) -> Result<(), DecodeError> {
    let [field, deeper @ ..] = path else {
        found(message);
        return Ok(());
    };
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        if let (true, Value::Bytes(inner)) = (number == *field, value) {
            visit(inner, deeper, found)?;
        }
    }
    Ok(())
}

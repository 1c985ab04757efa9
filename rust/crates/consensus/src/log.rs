// SPDX-License-Identifier: Apache-2.0
//! The log as a member has it in memory.
//!
//! ```text
//!   base    first                                                  last
//!    │  compacted  │ ── applied ── applying ── committed ──────────── │
//!                  │ ───────────────── stable ── in progress ──────── │
//! ```
//!
//! Up to `stable` entries are durable; up to `in_progress` they were handed out to be made so. What is committed may be
//! applied once it is durable.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::{Entry, EntryKind, Snapshot};

/// An entry without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct EntryId {
    /// First, so that of two logs the one whose last entry is greater is newer.
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// What the leader wants where this log is committed otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contradiction(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Log {
    /// What precedes the first entry.
    base: EntryId,
    entries: VecDeque<Entry>,
    stable: u64,
    in_progress: u64,
    /// The newest snapshot, which is sent to those who lack what is compacted.
    snapshot: Option<Arc<Snapshot>>,
    /// A snapshot of the leader's that is not durable and applied yet, and whether it was handed out.
    pending: Option<(Arc<Snapshot>, bool)>,
    pub(crate) committed: u64,
    applying: u64,
    pub(crate) applied: u64,
    max_committed_bytes: u64,
    /// Not everything that is committed was handed out, so as not to exceed the limit.
    more_to_apply: bool,
}

impl Log {
    /// A log whose entries are durable, and whose snapshot is applied.
    pub(crate) fn new(snapshot: Option<Arc<Snapshot>>, entries: Vec<Entry>, max_committed_bytes: u64) -> Self {
        let start = snapshot.as_ref().map_or_else(EntryId::default, |snapshot| id_of(snapshot));
        let (mut base, mut entries) = (start, VecDeque::from(entries));
        // Entries before the snapshot's are kept for members that are a little behind. Of the first only the term is of use, to
        // say what precedes the second; but nothing precedes the first of all.
        match entries.front() {
            Some(first) if first.index == 1 => base = EntryId::default(),
            Some(first) if first.index <= start.index => {
                base = EntryId { term: first.term, index: first.index };
                entries.pop_front();
            }
            _ => {}
        }
        let mut log = Self {
            base,
            entries,
            stable: 0,
            in_progress: 0,
            snapshot,
            pending: None,
            committed: start.index,
            applying: start.index,
            applied: start.index,
            max_committed_bytes,
            more_to_apply: false,
        };
        (log.stable, log.in_progress) = (log.last_index(), log.last_index());
        log
    }

    pub(crate) fn first_index(&self) -> u64 {
        self.base.index + 1
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    pub(crate) fn last_id(&self) -> EntryId {
        self.entries.back().map_or(self.base, |last| EntryId { term: last.term, index: last.index })
    }

    /// The term of an entry that the log has, or that precedes its first.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        let behind_base = index.checked_sub(self.base.index)?;
        match behind_base.checked_sub(1) {
            None => Some(self.base.term),
            Some(place) => self.entries.get(usize::try_from(place).ok()?).map(|entry| entry.term),
        }
    }

    pub(crate) fn matches(&self, id: EntryId) -> bool {
        self.term(id.index) == Some(id.term)
    }

    /// Whether a log that ends with `last` has at least what this one has (thesis, 3.6.1).
    pub(crate) fn is_up_to_date(&self, last: EntryId) -> bool {
        last >= self.last_id()
    }

    /// Where `index` lies in `entries`; it is none that is compacted.
    fn place(&self, index: u64) -> usize {
        usize::try_from(index - self.first_index()).unwrap_or(usize::MAX)
    }

    /// Entries from `from` up to `to`, as many as have `max_bytes`, the first in any case; `None` where it is compacted.
    pub(crate) fn slice(&self, from: u64, to: u64, max_bytes: u64) -> Option<Vec<Entry>> {
        if from < self.first_index() {
            return None;
        }
        if from > to {
            return Some(Vec::new());
        }
        let mut bytes = 0u64;
        let wanted = self.entries.range(self.place(from)..=self.place(to));
        let fitting = wanted.enumerate().take_while(|(place, entry)| {
            bytes = bytes.saturating_add(entry.encoded_len());
            *place == 0 || bytes <= max_bytes
        });
        Some(fitting.map(|(_, entry)| entry.clone()).collect())
    }

    /// Appends what a leader sent to follow `previous`, and what conflicts with it goes; the last entry that is then known to
    /// agree with the leader's log, or `None` where `previous` does not.
    pub(crate) fn append_from_leader(
        &mut self,
        previous: EntryId,
        entries: Vec<Entry>,
        committed: u64,
    ) -> Result<Option<u64>, Contradiction> {
        if !self.matches(previous) {
            // A leader has all that is committed: one whose refusal it had to take would be asked again for ever.
            return if previous.index <= self.committed { Err(Contradiction(previous.index)) } else { Ok(None) };
        }
        let last = previous.index + entries.len() as u64;
        let agrees = |entry: &Entry| self.matches(EntryId { term: entry.term, index: entry.index });
        if let Some(first) = entries.iter().position(|entry| !agrees(entry)) {
            if entries[first].index <= self.committed {
                return Err(Contradiction(entries[first].index));
            }
            self.append(entries.into_iter().skip(first));
        }
        self.commit_to(committed.min(last));
        Ok(Some(last))
    }

    /// Appends entries, the first of which may take the place of one that is not committed.
    pub(crate) fn append(&mut self, entries: impl Iterator<Item = Entry>) {
        let mut entries = entries.peekable();
        let Some(first) = entries.peek().map(|entry| entry.index) else { return };
        self.entries.truncate(self.place(first));
        self.stable = self.stable.min(first - 1);
        self.in_progress = self.in_progress.min(first - 1);
        self.entries.extend(entries);
    }

    /// The last entry up to `index` whose term is not above `term`, and its term; 0 for one that is not known.
    pub(crate) fn last_not_above(&self, index: u64, term: u64) -> EntryId {
        let mut index = index;
        while index > 0 {
            match self.term(index) {
                None => return EntryId { term: 0, index },
                Some(found) if found <= term => return EntryId { term: found, index },
                Some(_) => index -= 1,
            }
        }
        EntryId::default()
    }

    /// Takes up that the log is committed up to `index`, which it has.
    pub(crate) fn commit_to(&mut self, index: u64) {
        debug_assert!(index <= self.last_index() || index <= self.committed, "what is committed is there");
        self.committed = self.committed.max(index);
    }

    /// Commits up to `index` if that entry is of `term`: a leader counts acknowledgements of its own entries alone (thesis,
    /// 3.6.2).
    pub(crate) fn commit_own(&mut self, index: u64, term: u64) -> bool {
        let news = index > self.committed && self.matches(EntryId { term, index });
        if news {
            self.commit_to(index);
        }
        news
    }

    /// Entries to be made durable that were not handed out yet.
    pub(crate) fn to_save(&self) -> Vec<Entry> {
        if self.in_progress >= self.last_index() {
            return Vec::new();
        }
        self.entries.range(self.place(self.in_progress + 1)..).cloned().collect()
    }

    pub(crate) fn has_to_save(&self) -> bool {
        self.in_progress < self.last_index()
    }

    /// Whether some entries are not durable yet.
    pub(crate) fn has_unstable(&self) -> bool {
        self.stable < self.last_index()
    }

    /// The snapshot to be made durable that was not handed out yet.
    pub(crate) fn snapshot_to_save(&self) -> Option<&Arc<Snapshot>> {
        self.pending.as_ref().filter(|(_, handed_out)| !handed_out).map(|(snapshot, _)| snapshot)
    }

    pub(crate) fn has_pending_snapshot(&self) -> bool {
        self.pending.is_some()
    }

    /// All that is to be saved was handed out.
    pub(crate) fn accept_unstable(&mut self) {
        self.in_progress = self.last_index();
        if let Some((_, handed_out)) = &mut self.pending {
            *handed_out = true;
        }
    }

    /// Entries up to this one are durable, unless others have taken its place since.
    pub(crate) fn stable_to(&mut self, id: EntryId) {
        if id.index > self.stable && self.matches(id) {
            self.stable = id.index;
            self.in_progress = self.in_progress.max(id.index);
        }
    }

    /// The leader's snapshot is durable, and is now the one that is sent on.
    pub(crate) fn stable_snapshot(&mut self, index: u64) {
        if let Some((snapshot, _)) = self.pending.take_if(|(snapshot, _)| snapshot.index == index) {
            self.snapshot = Some(snapshot);
        }
    }

    pub(crate) fn stable_index(&self) -> u64 {
        self.stable
    }

    /// Whether [`to_apply`](Self::to_apply) gives any.
    pub(crate) fn has_to_apply(&self) -> bool {
        !self.has_pending_snapshot() && !self.more_to_apply && self.applying < self.committed
    }

    /// Committed entries that were not handed out yet; none before a pending snapshot is applied.
    pub(crate) fn to_apply(&self) -> Vec<Entry> {
        if !self.has_to_apply() {
            return Vec::new();
        }
        self.slice(self.applying + 1, self.committed, self.max_committed_bytes).unwrap_or_default()
    }

    /// Entries up to `index` were handed out to be applied.
    pub(crate) fn accept_applying(&mut self, index: u64) {
        self.applying = index;
        self.more_to_apply = index < self.committed;
    }

    pub(crate) fn applied_to(&mut self, index: u64) {
        self.applied = self.applied.max(index);
        self.applying = self.applying.max(self.applied);
        self.more_to_apply = false;
    }

    /// Whether a change of members is committed and not applied.
    pub(crate) fn has_unapplied_conf_change(&self) -> bool {
        self.has_conf_change_behind(self.applied)
    }

    /// Whether a change of members is committed behind an entry.
    pub(crate) fn has_conf_change_behind(&self, index: u64) -> bool {
        let first = (index + 1).max(self.first_index());
        first <= self.committed
            && self
                .entries
                .range(self.place(first)..=self.place(self.committed))
                .any(|entry| entry.kind != EntryKind::Normal)
    }

    /// The snapshot that is sent to who lacks what is compacted.
    pub(crate) fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.pending.as_ref().map(|(snapshot, _)| snapshot).or(self.snapshot.as_ref())
    }

    pub(crate) fn set_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        if self.snapshot.as_ref().is_none_or(|kept| kept.index < snapshot.index) {
            self.snapshot = Some(snapshot);
        }
    }

    /// Forgets entries up to `index`, which is applied.
    pub(crate) fn compact(&mut self, index: u64) {
        if let Some(term) = self.term(index).filter(|_| index > self.base.index) {
            self.entries.drain(..=self.place(index));
            self.base = EntryId { term, index };
        }
    }

    /// Puts a snapshot of the leader's in place of everything.
    pub(crate) fn restore(&mut self, snapshot: Arc<Snapshot>) {
        self.base = id_of(&snapshot);
        self.entries.clear();
        (self.stable, self.in_progress) = (snapshot.index, snapshot.index);
        self.committed = snapshot.index;
        self.pending = Some((snapshot, false));
    }
}

fn id_of(snapshot: &Snapshot) -> EntryId {
    EntryId { term: snapshot.term, index: snapshot.index }
}

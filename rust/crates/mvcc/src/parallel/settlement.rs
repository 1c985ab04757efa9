// SPDX-License-Identifier: Apache-2.0
//! What the block's own order makes of the speculations.

use std::borrow::Cow;

use fastledger_wire::Height;

use super::overlay::{Keeps, Overlay, Staged};
use super::speculation::{Speculation, Write};
use crate::checks::{Check, checks};
use crate::conflict::Conflict;
use crate::phantom;
use crate::state::{StateReader, Update, ValueAndMetadata};
use crate::writes::Effect;
use crate::{Transaction, Validated};

/// The block in order: its state so far, and its conflicts.
pub(super) struct Settlement<'s, 'a, R> {
    block_number: u64,
    state: &'s R,
    overlay: Overlay<'a>,
    conflicts: Vec<(u32, Conflict<'a>)>,
    /// Updates of one transaction, which take effect together.
    staged: Vec<Staged<'a>>,
}

impl<'s, 'a, R: StateReader> Settlement<'s, 'a, R> {
    pub(super) fn new(block_number: u64, txs: &[Transaction<'a>], state: &'s R) -> Self {
        let overlay = Overlay::new(txs.len(), txs.iter().any(has_range_queries));
        Self { block_number, state, overlay, conflicts: Vec::new(), staged: Vec::new() }
    }

    /// Notes a transaction's conflict, or lets its writes take effect.
    pub(super) fn settle(&mut self, tx: &Transaction<'a>, speculation: Speculation<'a>) -> Result<(), R::Error> {
        let Speculation { hashes, failures, writes } = speculation;
        let conflict = match self.conflict(tx, hashes, failures)? {
            Some(conflict) => Some(conflict),
            None => self.apply(writes, Height { block: self.block_number, tx: u64::from(tx.index) })?,
        };
        self.conflicts.extend(conflict.map(|conflict| (tx.index, conflict)));
        Ok(())
    }

    pub(super) fn into_validated(self) -> Validated<'a> {
        Validated { conflicts: self.conflicts, batch: self.overlay.into_batch() }
    }

    /// The first check that fails, now that the block's earlier writes are known.
    fn conflict(
        &mut self,
        tx: &Transaction<'a>,
        hashes: Vec<u64>,
        failures: Vec<(usize, Conflict<'a>)>,
    ) -> Result<Option<Conflict<'a>>, R::Error> {
        let mut failures = failures.into_iter().peekable();
        for ((number, check), hash) in checks(tx.rwset).enumerate().zip(hashes) {
            let speculated = failures.next_if(|(failed, _)| *failed == number).map(|(_, conflict)| conflict);
            let conflict = match check {
                Check::Read { key, expected } => match self.overlay.get(hash, key) {
                    Some(update) => Some(overwritten(update, expected)),
                    None => speculated,
                },
                Check::ReadOfNowhere { .. } => speculated,
                Check::Range { namespace, query } => match self.overlay.changes() {
                    Some(changes) if changes.touch(namespace, query) => {
                        phantom::check(namespace, query, self.state, changes)?
                    }
                    _ => speculated,
                },
            };
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(None)
    }

    /// Puts all updates that the writes make, or none if one of them cannot be.
    fn apply(&mut self, writes: Vec<Write<'a>>, version: Height) -> Result<Option<Conflict<'a>>, R::Error> {
        self.staged.clear();
        for write in writes {
            let (hash, key) = (write.hash, write.key);
            match self.state_after(write)? {
                After::State(state, keeps) => {
                    self.staged.push(Staged { hash, update: Update { key, version, state }, keeps });
                }
                After::Nothing => {}
                After::Conflict(conflict) => return Ok(Some(conflict)),
            }
        }
        for staged in self.staged.drain(..) {
            self.overlay.put(staged);
        }
        Ok(None)
    }

    /// What a write makes of its key.
    fn state_after(&self, write: Write<'a>) -> Result<After<'a>, R::Error> {
        let Write { hash, key, effect, metadata: speculated } = write;
        let earlier = self.overlay.get(hash, key);
        Ok(match effect {
            Effect::Delete => After::State(None, Keeps::Nothing),
            Effect::Put { value, metadata } => After::State(Some((Cow::Borrowed(value), metadata)), Keeps::Nothing),
            Effect::PutValue(value) => {
                let (metadata, keeps) = match (earlier, speculated) {
                    (Some(_), _) => (Cow::default(), Keeps::Metadata),
                    (None, Some(metadata)) => (metadata, Keeps::Nothing),
                    (None, None) => (self.state.metadata(key)?, Keeps::Nothing),
                };
                After::State(Some((Cow::Borrowed(value), metadata)), keeps)
            }
            Effect::PutMetadata(metadata) => match earlier {
                Some(Update { state: Some(_), .. }) => After::State(Some((Cow::default(), metadata)), Keeps::Value),
                Some(deleted) => After::Conflict(Conflict::Write { key, in_block: Some(deleted.writer()) }),
                None => match self.state.get(key)? {
                    Some(found) => After::State(Some((found.value, metadata)), Keeps::Nothing),
                    None => After::Nothing,
                },
            },
            Effect::Void => After::Conflict(Conflict::Write { key, in_block: None }),
        })
    }
}

/// What a write comes to.
enum After<'a> {
    State(Option<ValueAndMetadata<'a>>, Keeps),
    Nothing,
    Conflict(Conflict<'a>),
}

fn has_range_queries(tx: &Transaction<'_>) -> bool {
    tx.rwset.namespaces.iter().any(|namespace| !namespace.public.range_queries_info.is_empty())
}

fn overwritten<'a>(update: &Update<'a>, expected: Option<Height>) -> Conflict<'a> {
    let found = update.state.is_some().then_some(update.version);
    Conflict::Read { key: update.key, expected, found, in_block: Some(update.writer()) }
}

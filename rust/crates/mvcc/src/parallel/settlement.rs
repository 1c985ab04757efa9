// SPDX-License-Identifier: Apache-2.0
//! What the block's own order makes of the speculations.

use std::borrow::Cow;

use fastledger_wire::Height;

use super::overlay::{Keeps, Overlay};
use super::speculation::{Committed, Speculation, Speculator, Write};
use crate::checks::{Check, checks};
use crate::conflict::Conflict;
use crate::phantom;
use crate::state::{StateReader, Update, ValueAndMetadata};
use crate::writes::Effect;
use crate::{Transaction, Validated};

/// The block in order: its state so far, and its conflicts.
pub(super) struct Settlement<'c, 's, 'a, R> {
    block_number: u64,
    committed: &'c Committed<'s, 'a, R>,
    overlay: Overlay<'a>,
    conflicts: Vec<(u32, Conflict<'a>)>,
}

impl<'c, 's, 'a, R: StateReader> Settlement<'c, 's, 'a, R> {
    pub(super) fn new(block_number: u64, txs: &[Transaction<'a>], committed: &'c Committed<'s, 'a, R>) -> Self {
        let overlay = Overlay::new(txs.len(), txs.iter().any(has_range_queries));
        Self { block_number, committed, overlay, conflicts: Vec::new() }
    }

    /// Notes a transaction's conflict, or lets its writes take effect.
    pub(super) fn settle(&mut self, tx: &Transaction<'a>, speculation: Speculation<'a>) -> Result<(), R::Error> {
        let Speculation { hashes, failure, writes } = speculation;
        let mut conflict = self.conflict(tx, &hashes, failure)?;
        if conflict.is_none() {
            let writes = writes.map_or_else(|| Speculator::new(self.committed).writes(tx), Ok)?;
            conflict = self.apply(writes, Height { block: self.block_number, tx: u64::from(tx.index) })?;
        }
        self.conflicts.extend(conflict.map(|conflict| (tx.index, conflict)));
        Ok(())
    }

    pub(super) fn into_validated(self) -> Validated<'a> {
        Validated { conflicts: self.conflicts, batch: self.overlay.into_batch() }
    }

    /// The first check that fails, now that the block's earlier writes are known. What stands behind a range query that
    /// failed and was redeemed by them is checked here.
    fn conflict(
        &mut self,
        tx: &Transaction<'a>,
        hashes: &[u64],
        mut failure: Option<Conflict<'a>>,
    ) -> Result<Option<Conflict<'a>>, R::Error> {
        let last = hashes.len().checked_sub(1);
        for (number, check) in checks(tx.rwset).enumerate() {
            let conflict = match (hashes.get(number), check) {
                (_, Check::Range { namespace, query }) if self.overlay.touches(namespace, query) => {
                    let (changes, summaries) = self.overlay.changes();
                    phantom::check(namespace, query, self.committed.state, changes, summaries)?
                }
                (Some(hash), check) => self.settled(*hash, check, failure.take_if(|_| Some(number) == last)),
                (None, check) => {
                    let (hash, failure) = self.committed.check(check)?;
                    self.settled(hash, check, failure)
                }
            };
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(None)
    }

    /// What becomes of a check that had this outcome in committed state.
    fn settled(&self, hash: u64, check: Check<'a>, failure: Option<Conflict<'a>>) -> Option<Conflict<'a>> {
        match check {
            Check::Read { key, expected } => match self.overlay.get(hash, key) {
                Some(update) => Some(overwritten(update, expected)),
                None => failure,
            },
            Check::ReadOfNowhere { .. } | Check::Range { .. } => failure,
        }
    }

    /// Puts all updates that the writes make, or none if one of them cannot be.
    fn apply(&mut self, writes: Vec<Write<'a>>, version: Height) -> Result<Option<Conflict<'a>>, R::Error> {
        if let Some(conflict) = writes.iter().find_map(|write| self.impossible(write)) {
            return Ok(Some(conflict));
        }
        for write in writes {
            let (hash, key) = (write.hash, write.key);
            if let Some((state, keeps)) = self.state_after(write)? {
                self.overlay.put(hash, Update { key, version, state }, keeps);
            }
        }
        Ok(None)
    }

    fn impossible(&self, write: &Write<'a>) -> Option<Conflict<'a>> {
        let key = write.key;
        match write.effect {
            Effect::Void => Some(Conflict::Write { key, in_block: None }),
            Effect::PutMetadata(_) => {
                let deleted = self.overlay.get(write.hash, key).filter(|earlier| earlier.state.is_none())?;
                Some(Conflict::Write { key, in_block: Some(deleted.writer()) })
            }
            Effect::Delete | Effect::Put { .. } | Effect::PutValue(_) => None,
        }
    }

    /// What a write that is possible makes of its key; none where it does nothing.
    fn state_after(&self, write: Write<'a>) -> Result<Option<(Option<ValueAndMetadata<'a>>, Keeps)>, R::Error> {
        let Write { hash, key, effect, metadata: speculated } = write;
        let put = |value, metadata, keeps| Ok(Some((Some((value, metadata)), keeps)));
        match effect {
            Effect::Void => Ok(None),
            Effect::Delete => Ok(Some((None, Keeps::Nothing))),
            Effect::Put { value, metadata } => put(Cow::Borrowed(value), metadata, Keeps::Nothing),
            Effect::PutValue(value) => match (self.overlay.get(hash, key), speculated) {
                (Some(_), _) => put(Cow::Borrowed(value), Cow::default(), Keeps::Metadata),
                (None, Some(metadata)) => put(Cow::Borrowed(value), metadata, Keeps::Nothing),
                (None, None) => put(Cow::Borrowed(value), self.committed.state.metadata(key)?, Keeps::Nothing),
            },
            Effect::PutMetadata(metadata) => match self.overlay.get(hash, key) {
                Some(_) => put(Cow::default(), metadata, Keeps::Value),
                None => match self.committed.state.get(key)? {
                    Some(found) => put(found.value, metadata, Keeps::Nothing),
                    None => Ok(None),
                },
            },
        }
    }
}

fn has_range_queries(tx: &Transaction<'_>) -> bool {
    tx.rwset.namespaces.iter().any(|namespace| !namespace.public.range_queries_info.is_empty())
}

fn overwritten<'a>(update: &Update<'a>, expected: Option<Height>) -> Conflict<'a> {
    let found = update.state.is_some().then_some(update.version);
    Conflict::Read { key: update.key, expected, found, in_block: Some(update.writer()) }
}

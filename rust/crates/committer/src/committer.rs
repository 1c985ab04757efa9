// SPDX-License-Identifier: Apache-2.0
//! The one who decides: takes checked blocks in order, judges them, and makes the ledger remember.

use std::borrow::Cow;
use std::sync::Arc;

use fastledger_crypto::Verifier;
use fastledger_identity::{ChannelConfig, IdentityError};
use fastledger_ledger::{Appended, CommittedBlock, Ledger, LedgerError, Location, View};
use fastledger_mvcc::{commit_hash, update_bytes};
use fastledger_wire::common::{Metadata, metadata_slot};
use fastledger_wire::{Hash, Message, TxValidationCode, block, encode};

use crate::block::{self as judging, BlockRules, Judged, Mvcc, Tip, World};
use crate::checked::Chunk;
use crate::collections;
use crate::current_config::CurrentConfig;
use crate::era::Era;
use crate::error::{CommitError, Refusal};
use crate::flusher::Flusher;
use crate::genesis::{self, Genesis};
use crate::incoming::Incoming;
use crate::judge::TxIdIndex;
use crate::outcome::CommitResult;
use crate::pipeline::{Checks, InFlight, Intent};
use crate::private;
use crate::rules::Rules;
use crate::stored_config;
use crate::timings::{Stage, Stopwatch, Timings};

/// How a block is to be gone about.
struct Task {
    intent: Intent,
    /// See [`Committer::is_copy`].
    is_copy: bool,
    /// Whether no other block waits behind it.
    idle: bool,
}

/// What the committer's thread owns.
pub(crate) struct Committer {
    ledger: Arc<Ledger>,
    flusher: Flusher,
    config: CurrentConfig,
    verifier: Arc<Verifier>,
    rules: BlockRules,
    mvcc: Mvcc,
    /// Whether what comes in may still be a peer's copies: no block without verdicts has come yet.
    copies: bool,
    /// Where records are put together; kept because a fresh one of some megabytes costs as much as filling it.
    record: Vec<u8>,
    /// After the last block that was judged, which in a replay is not the last one stored.
    tip: Tip,
    commit_hash: Option<Hash>,
}

impl Committer {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        config: CurrentConfig,
        verifier: Arc<Verifier>,
        rules: BlockRules,
        mvcc: Mvcc,
    ) -> Result<Self, CommitError> {
        let flusher = Flusher::start(Arc::clone(&ledger)).map_err(|error| CommitError::Threads(error.to_string()))?;
        let savepoint = ledger.savepoint();
        let tip = Tip {
            height: savepoint.map_or(0, |savepoint| savepoint.tip.number + 1),
            header_hash: savepoint.map(|savepoint| savepoint.tip.header_hash),
        };
        let commit_hash = savepoint.and_then(|savepoint| savepoint.commit_hash);
        let copies = !rules.delivered;
        if let Some(stored) = stored_config::load(&ledger, &ledger.view()?)? {
            config.set(stored);
        }
        let record = Vec::new();
        Ok(Self { ledger, flusher, config, verifier, rules, mvcc, copies, record, tip, commit_hash })
    }

    /// Takes one block to its end; `idle` says that no other waits behind it.
    pub(crate) fn process(
        &mut self,
        InFlight { incoming, intent, pieces, .. }: InFlight,
        idle: bool,
    ) -> Result<CommitResult, CommitError> {
        let expected = self.tip.height;
        let number = incoming.as_ref().map_or(expected, |incoming| incoming.number);
        let refused = |refusal| CommitError::Refused { number, refusal: Box::new(refusal) };
        let incoming = &incoming.map_err(refused)?;
        let checks = pieces.wait().map_err(|defect| CommitError::Defect { number, defect })?;
        let config = self.config.get();
        judging::check_block(incoming, &self.tip, &checks.data_hash, config.as_deref(), self.rules, &self.verifier)
            .map_err(refused)?;
        let is_copy = self.is_copy(incoming, intent);
        let outcome = match &config {
            None => self.begin(incoming, &checks, intent),
            Some(config) => self.go_on(incoming, &checks, config, Task { intent, is_copy, idle }),
        };
        if outcome.is_ok() && intent == Intent::Commit {
            self.copies = is_copy;
        }
        outcome
    }

    /// The number of the next block.
    pub(crate) fn height(&self) -> u64 {
        self.tip.height
    }

    /// Whether the block is a peer's copy, which has that peer's verdicts in its metadata. What an orderer puts in their
    /// place, nobody looks at; so a copy is only what follows copies.
    fn is_copy(&self, incoming: &Incoming, intent: Intent) -> bool {
        let is_stored = matches!(intent, Intent::Replay(_));
        is_stored || self.copies && !incoming.metadata()[metadata_slot::TRANSACTIONS_FILTER].is_empty()
    }

    /// Block 0: its configuration is the channel's beginning and is trusted as such.
    fn begin(&mut self, incoming: &Incoming, checks: &Checks, intent: Intent) -> Result<CommitResult, CommitError> {
        let Genesis { config, judged, tx_id } = genesis::judge(incoming)
            .map_err(|refusal| CommitError::Refused { number: incoming.number, refusal: Box::new(refusal) })?;
        let view = self.ledger.view()?;
        let tx_ids = vec![(0, Cow::Owned(tx_id), TxValidationCode::Valid as u8)];
        let block = JudgedBlock { judged, tx_ids, commit_hash: None, notes: Vec::new() };
        let result = self.conclude(incoming, checks, block, &view, intent, checks.timings)?;
        if intent != Intent::Judge {
            self.config.set(config);
        }
        Ok(result)
    }

    fn go_on(
        &mut self,
        incoming: &Incoming,
        checks: &Checks,
        config: &Arc<ChannelConfig>,
        Task { intent, is_copy, idle }: Task,
    ) -> Result<CommitResult, CommitError> {
        let refused = |refusal| CommitError::Refused { number: incoming.number, refusal: Box::new(refusal) };
        if let Some((index, text)) = &incoming.malformed {
            return Err(refused(Refusal::Malformed { index: *index, text: text.clone() }));
        }
        let view = self.ledger.view()?;
        let world = World { config, state: &view, tx_ids: &LedgerTxIds(&view), mvcc: self.mvcc.beside(idle) };
        let mut timings = checks.timings;
        let block = judging::Block { number: incoming.number, chunks: &checks.chunks };
        let mut notes = Vec::new();
        let judged = if is_copy {
            let stored = incoming.metadata()[metadata_slot::TRANSACTIONS_FILTER];
            judging::judge_copy(block, stored, &world, &mut timings, &mut notes)?
        } else {
            judging::judge(block, Rules::of(config), &world, &mut timings)?
        };
        let as_1_0_0 = (is_copy || !self.rules.delivered) && Era::older(config).any(|era| era == Era::V1_0);
        let next = next_config(config, &judged, as_1_0_0, &mut notes).map_err(refused)?;
        note_created_channels(config, &judged, as_1_0_0, &mut notes).map_err(refused)?;
        let watch = Stopwatch::start();
        let codes: Vec<u8> = judged.codes.iter().map(|code| *code as u8).collect();
        let updates = || update_bytes(&judged.batch);
        let commit_hash = self.commit_hash(incoming, is_copy, &codes, updates, &mut notes);
        timings.count(Stage::Mvcc, watch.spent());
        let tx_ids = tx_ids(checks, &codes);
        let block = JudgedBlock { judged, tx_ids, commit_hash, notes };
        let result = self.conclude(incoming, checks, block, &view, intent, timings)?;
        if let Some(next) = next
            && intent != Intent::Judge
        {
            self.config.set(next);
        }
        Ok(result)
    }

    /// The commit hash. Block 1 has one and whatever follows a block that has one (`kvLedger.commit`): a ledger that was
    /// begun before 1.4.1 has none, and does not come to any by an upgrade of its peer.
    ///
    /// Among copies the first is where a peer gave one. If that is not block 1, what went before may be unknown; then it
    /// is believed.
    fn commit_hash(
        &self,
        incoming: &Incoming,
        is_copy: bool,
        codes: &[u8],
        updates: impl FnOnce() -> Vec<u8>,
        notes: &mut Vec<String>,
    ) -> Option<Hash> {
        let metadata = incoming.metadata();
        let stored = if is_copy { stored_commit_hash(&metadata) } else { &[] };
        let is_first = if is_copy { !stored.is_empty() } else { incoming.number == 1 };
        if !is_first && self.commit_hash.is_none() {
            return None;
        }
        let computed = commit_hash(codes, &updates(), self.commit_hash.as_ref());
        let begins = incoming.number > 1 && self.commit_hash.is_none();
        match Hash::try_from(stored) {
            Ok(stored) if begins && stored != computed => {
                notes.push("its commit hash is believed: that of the block before is not known".to_owned());
                Some(stored)
            }
            _ => Some(computed),
        }
    }

    fn conclude(
        &mut self,
        incoming: &Incoming,
        checks: &Checks,
        mut block: JudgedBlock<'_>,
        view: &View,
        intent: Intent,
        mut timings: Timings,
    ) -> Result<CommitResult, CommitError> {
        let header_hash = incoming.header_hash();
        let location = match intent {
            Intent::Judge => None,
            Intent::Replay(location) => Some(self.replayed(incoming, &block, location)?),
            Intent::Commit => {
                let watch = Stopwatch::start();
                block.write_record(incoming, &mut self.record);
                let appended = self.ledger.append(&self.record)?;
                timings.count(Stage::Append, watch.spent());
                Some(appended)
            }
        };
        if let Some(appended) = location {
            let watch = Stopwatch::start();
            self.store(incoming.number, appended, &mut block, view)?;
            timings.count(Stage::State, watch.spent());
            self.tip = Tip { height: incoming.number + 1, header_hash: Some(header_hash) };
            self.commit_hash = block.commit_hash;
        }
        let metadata = incoming.metadata();
        let checked = checks.chunks.iter().flat_map(Chunk::borrow_dependent);
        Ok(CommitResult {
            number: incoming.number,
            header_hash,
            data_hash: checks.data_hash,
            commit_hash: block.commit_hash,
            private_effects: private::of_checked(checked, incoming.data(), &block.judged.codes),
            codes: block.judged.codes,
            notes: block.notes,
            stored_codes: metadata[metadata_slot::TRANSACTIONS_FILTER].to_vec(),
            stored_commit_hash: stored_commit_hash(&metadata).to_vec(),
            timings,
        })
    }

    /// A block that is in the block file must be judged as it was when it came there.
    fn replayed(
        &self,
        incoming: &Incoming,
        block: &JudgedBlock<'_>,
        location: Location,
    ) -> Result<Appended, CommitError> {
        let metadata = incoming.metadata();
        let differs = |what: String| Err(CommitError::Replay { number: incoming.number, what });
        let (stored, ours) = (metadata[metadata_slot::TRANSACTIONS_FILTER], block.codes());
        if stored.len() != ours.len() {
            return differs(format!("it has {} verdicts for {} transactions", stored.len(), ours.len()));
        }
        if let Some(index) = (0..ours.len()).find(|index| stored[*index] != ours[*index]) {
            let name = |code: u8| {
                TxValidationCode::from_number(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
            };
            let (stored, ours) = (name(stored[index]), name(ours[index]));
            return differs(format!("transaction {index} is stored as {stored}, but it is {ours}"));
        }
        if stored_commit_hash(&metadata) != block.commit_hash.as_ref().map_or([].as_slice(), |hash| hash) {
            return differs("it is stored with another commit hash than follows from its verdicts".to_owned());
        }
        let tip = fastledger_ledger::ChainTip {
            number: incoming.number,
            header_hash: incoming.header_hash(),
            previous_hash: self.tip.header_hash,
        };
        Ok(Appended { tip, location })
    }

    fn store(
        &self,
        number: u64,
        appended: Appended,
        block: &mut JudgedBlock<'_>,
        view: &View,
    ) -> Result<(), LedgerError> {
        let batch = &block.judged.batch;
        self.ledger.stage(&CommittedBlock {
            tip: appended.tip,
            location: appended.location,
            updates: batch,
            tx_ids: std::mem::take(&mut block.tx_ids),
            history: std::mem::take(&mut block.judged.history),
            commit_hash: block.commit_hash,
            collection_configs: collections::collection_updates(batch, view)?,
            expiries: collections::expiries(number, batch, view)?,
            explanations: Cow::Owned(block.judged.explanations()),
        })?;
        self.flusher.staged();
        Ok(())
    }
}

/// A block as it will be remembered.
struct JudgedBlock<'a> {
    judged: Judged<'a>,
    /// See [`CommittedBlock::tx_ids`].
    tx_ids: Vec<(u32, Cow<'a, str>, u8)>,
    commit_hash: Option<Hash>,
    /// See [`CommitResult::notes`].
    notes: Vec<String>,
}

impl JudgedBlock<'_> {
    fn codes(&self) -> Vec<u8> {
        self.judged.codes.iter().map(|code| *code as u8).collect()
    }

    /// Makes the block file's record: the block with our filter and commit hash in its metadata.
    fn write_record(&self, incoming: &Incoming, record: &mut Vec<u8>) {
        let codes = self.codes();
        let mut commit_hash = Vec::new();
        if let Some(hash) = &self.commit_hash {
            encode::bytes_field(&mut commit_hash, 1, hash);
        }
        let mut metadata = incoming.metadata();
        metadata[metadata_slot::TRANSACTIONS_FILTER] = &codes;
        metadata[metadata_slot::COMMIT_HASH] = &commit_hash;
        record.clear();
        block::write_record(record, &incoming.header(), incoming.data(), &metadata);
    }
}

/// The configuration after the block, if it brings one; `as_1_0_0` also takes what only 1.0.0 took.
fn next_config(
    config: &ChannelConfig,
    judged: &Judged<'_>,
    as_1_0_0: bool,
    notes: &mut Vec<String>,
) -> Result<Option<ChannelConfig>, Refusal> {
    let Some((index, envelope)) = judged.config else { return Ok(None) };
    let refused = |error: IdentityError| Refusal::Config { index: index as usize, text: error.to_string() };
    let next = match config.apply(envelope) {
        Err(error) if as_1_0_0 => {
            let next = config.apply_as_1_0_0(envelope).map_err(|_| refused(error.clone()))?;
            notes.push(taken_by_1_0_0(index, &error));
            next
        }
        applied => applied.map_err(refused)?,
    };
    next.supported_by_peers().map(Some).map_err(refused)
}

/// Tells of the channels that the block creates; a creation against the rules refuses the block.
fn note_created_channels(
    config: &ChannelConfig,
    judged: &Judged<'_>,
    as_1_0_0: bool,
    notes: &mut Vec<String>,
) -> Result<(), Refusal> {
    for (index, envelope) in &judged.creations {
        let refused = |error: IdentityError| Refusal::Creation { index: *index as usize, text: error.to_string() };
        let channel = match config.created_channel(envelope) {
            Err(error) if as_1_0_0 => {
                let channel = config.created_channel_as_1_0_0(envelope).map_err(|_| refused(error.clone()))?;
                notes.push(taken_by_1_0_0(*index, &error));
                channel
            }
            created => created.map_err(refused)?,
        };
        let members = channel.application().map_or_else(Vec::new, |application| application.mspids());
        notes.push(format!(
            "transaction {index} creates channel {:?} of consortium {:?} with {}",
            channel.channel_id(),
            channel.consortium(),
            if members.is_empty() { "no members".to_owned() } else { members.join(", ") },
        ));
    }
    Ok(())
}

fn taken_by_1_0_0(index: u32, error: &IdentityError) -> String {
    format!("transaction {index} is a configuration that Fabric 1.0.0 took; every release since refuses it: {error}")
}

pub(crate) fn stored_commit_hash<'a>(metadata: &[&'a [u8]]) -> &'a [u8] {
    Metadata::decode(metadata[metadata_slot::COMMIT_HASH]).map_or(&[], |stored| stored.value)
}

/// What is found by its id. The first of an id counts; a block may consist of nothing but entries without one.
fn tx_ids<'a>(checks: &'a Checks, codes: &[u8]) -> Vec<(u32, Cow<'a, str>, u8)> {
    let entries = checks.chunks.iter().flat_map(Chunk::borrow_dependent);
    let mut is_first_without = true;
    let indexed = (0..).zip(entries).zip(codes).filter_map(|((tx, checked), code)| {
        let id = checked.entry.indexed_tx_id();
        let counts = !id.is_empty() || std::mem::take(&mut is_first_without);
        counts.then_some((tx, Cow::Borrowed(id), *code))
    });
    indexed.collect()
}

struct LedgerTxIds<'v>(&'v View);

impl TxIdIndex for LedgerTxIds<'_> {
    type Error = LedgerError;

    fn contains(&self, tx_id: &str) -> Result<bool, LedgerError> {
        self.0.tx_id_exists(tx_id)
    }
}

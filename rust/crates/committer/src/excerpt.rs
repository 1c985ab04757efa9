// SPDX-License-Identifier: Apache-2.0
//! Blocks from the middle of a chain, without the state before them: what can be said of them all the same.
//!
//! The chain, the hashes and the form of transactions are decided by the blocks' bytes. Signatures take the channel's
//! configuration, which the first configuration block brings; it is believed, and what follows is held against it.
//! Whether policies were satisfied and reads were up to date takes the state; there the stored verdicts are believed,
//! and only held against the commit hashes, each of which follows from the one before, the verdicts and the writes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::{ChannelConfig, block_signature};
use fastledger_mvcc::{
    StateKey, StateReader, Transaction, UpdateBatch, VersionedValue, commit_hash, sequential, update_bytes,
};
use fastledger_wire::common::{header_type, metadata_slot};
use fastledger_wire::hash::data_hash;
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{Hash, Height, TxValidationCode, hash};

use crate::block::{BlockRules, Tip, check_block};
use crate::checked::{Checked, Chunk, Share};
use crate::committer::stored_commit_hash;
use crate::era::Era;
use crate::error::Refusal;
use crate::genesis;
use crate::incoming::{self, Incoming};
use crate::timings::Timings;
use crate::transaction::{Body, Entry};

/// Most transaction ids that are remembered to find one that comes twice: half a gigabyte. Later ones are not looked at.
const MAX_TX_IDS: usize = 10_000_000;

/// Verdicts that come before any that takes the state, so that who gives them must be able to say why.
const EARLY: [TxValidationCode; 10] = [
    TxValidationCode::NilEnvelope,
    TxValidationCode::BadPayload,
    TxValidationCode::BadCommonHeader,
    TxValidationCode::BadCreatorSignature,
    TxValidationCode::InvalidEndorserTransaction,
    TxValidationCode::InvalidConfigTransaction,
    TxValidationCode::UnsupportedTxPayload,
    TxValidationCode::BadProposalTxid,
    TxValidationCode::UnknownTxType,
    TxValidationCode::NotValidated,
];

/// Consecutive blocks of a channel, the first of them not its first.
pub struct Excerpt {
    verifier: Verifier,
    rules: BlockRules,
    tip: Option<Tip>,
    channel: Option<String>,
    config: Option<ChannelConfig>,
    tx_ids: HashSet<[u8; 16]>,
    commit_hash: Option<Hash>,
}

/// What was found of one block.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// Its number.
    pub number: u64,
    /// Hash of its header.
    pub header_hash: Hash,
    /// Its transactions.
    pub transactions: usize,
    /// Those whose verdict is certain without any state.
    pub decided: usize,
    /// Whether the orderers' signatures were held against an earlier block's configuration.
    pub orderers_checked: bool,
    /// Whether the creators' signatures were verified.
    pub creators_checked: bool,
    /// Whether the stored commit hash follows from the one before, the stored verdicts and the writes; none where that
    /// cannot be said.
    pub commit_hash_follows: Option<bool>,
    /// Where stored verdicts cannot be right: transaction, and why.
    pub differences: Vec<(u32, String)>,
    /// What an auditor should know beside.
    pub notes: Vec<String>,
}

impl Excerpt {
    /// Begins behind the block with this number and header hash, or with whatever block comes first.
    #[must_use]
    pub fn new(after: Option<(u64, Hash)>, allow_malformed: bool) -> Self {
        Self {
            verifier: Verifier::new(VerifierOptions::default()),
            rules: BlockRules { signatures: true, allow_malformed, delivered: false },
            tip: after.map(|(number, hash)| Tip { height: number + 1, header_hash: Some(hash) }),
            channel: None,
            config: None,
            tx_ids: HashSet::new(),
            commit_hash: None,
        }
    }

    /// The channel, once a block was examined.
    #[must_use]
    pub fn channel_id(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    /// Examines the next block, an encoded `common.Block`; call it on a thread with a deep stack.
    pub fn examine(&mut self, block: Bytes) -> Result<Examined, Refusal> {
        let incoming = Incoming::read(block, self.rules.allow_malformed)?;
        self.check_block(&incoming)?;
        let mut examined = Examined {
            number: incoming.number,
            header_hash: incoming.header_hash(),
            transactions: incoming.entries.len(),
            orderers_checked: self.config.is_some(),
            creators_checked: self.config.is_some(),
            ..Examined::default()
        };
        let next = self.next_config(&incoming, &mut examined)?;
        self.transactions(&incoming, &mut examined);
        if let Some(config) = next {
            self.config = Some(config);
        }
        self.tip = Some(Tip { height: incoming.number + 1, header_hash: Some(examined.header_hash) });
        Ok(examined)
    }

    fn check_block(&mut self, incoming: &Incoming) -> Result<(), Refusal> {
        let header = incoming.header();
        let tip =
            self.tip.unwrap_or(Tip { height: header.number, header_hash: Hash::try_from(header.previous_hash).ok() });
        let data_hash = data_hash(&incoming.data().collect::<Vec<_>>());
        check_block(incoming, &tip, &data_hash, self.config.as_ref(), self.rules, &self.verifier)?;
        if let Some((index, text)) = &incoming.malformed {
            return Err(Refusal::Malformed { index: *index, text: text.clone() });
        }
        let found = incoming.data().next().and_then(incoming::channel_id).unwrap_or_default();
        match &self.channel {
            Some(expected) if *expected != found => Err(Refusal::Channel { found, expected: expected.clone() }),
            Some(_) => Ok(()),
            None => {
                self.channel = Some(found);
                Ok(())
            }
        }
    }

    /// The configuration that a configuration block brings.
    fn next_config(&self, incoming: &Incoming, examined: &mut Examined) -> Result<Option<ChannelConfig>, Refusal> {
        if !incoming.is_config {
            return Ok(None);
        }
        let refused = |text: String| Refusal::Config { index: 0, text };
        let found = incoming.data().next().and_then(genesis::config_of);
        let (channel, envelope) = found.ok_or_else(|| refused("it cannot be decoded".to_owned()))?;
        if let Some(config) = &self.config {
            let mut next = config.apply(envelope);
            if next.is_err() && Era::older(config).any(|era| era == Era::V1_0) {
                next = config.apply_as_1_0_0(envelope).or(next);
            }
            let next = next.and_then(ChannelConfig::supported_by_peers);
            return next.map(Some).map_err(|error| refused(error.to_string()));
        }
        let config = ChannelConfig::from_envelope(channel, envelope)
            .and_then(ChannelConfig::supported_by_peers)
            .map_err(|error| refused(error.to_string()))?;
        let signatures = incoming.metadata()[metadata_slot::SIGNATURES];
        let signed = block_signature::verify(&incoming.header(), signatures, &config, &self.verifier);
        examined.notes.push(match signed {
            Ok(()) => "its configuration is believed; orderers of that configuration signed the block".to_owned(),
            Err(error) => format!("its configuration is believed, though its own orderers did not sign it: {error}"),
        });
        Ok(Some(config))
    }

    fn transactions(&mut self, incoming: &Incoming, examined: &mut Examined) {
        let metadata = incoming.metadata();
        let stored = metadata[metadata_slot::TRANSACTIONS_FILTER];
        let entries: Vec<_> = incoming.data().collect();
        let share = Share::all(incoming);
        let chunk =
            self.config.as_ref().map(|config| Chunk::check(share, config, &self.verifier, &mut Timings::default()));
        let findings: Vec<_> = match &chunk {
            Some(chunk) => chunk.borrow_dependent().iter().map(|checked| self.finding(checked)).collect(),
            // A channel's first block nobody judges.
            None if incoming.number == 0 => vec![Finding::Certain(TxValidationCode::Valid); entries.len()],
            None => Entry::parse_all(&entries).iter().map(form).collect(),
        };
        let is_certain = |finding: &&Finding| matches!(finding, Finding::Certain(_));
        examined.decided = findings.iter().filter(is_certain).count();
        if !stored.is_empty() {
            examined.differences = differences(stored, &findings);
            examined.commit_hash_follows = self.commit_hash_follows(incoming.number, &entries, stored, &metadata);
        }
        self.remember(&entries);
    }

    /// What can be said of an entry under the configuration in force.
    fn finding(&self, checked: &Checked<'_>) -> Finding {
        let Ok(signed) = checked.entry.signed() else { return form(&checked.entry) };
        match signed.channel_header.r#type {
            header_type::CONFIG | header_type::CONFIG_UPDATE | header_type::ENDORSER_TRANSACTION => {}
            header_type::ORDERER_TRANSACTION | header_type::PEER_RESOURCE_UPDATE | header_type::TOKEN_TRANSACTION => {
                return Finding::Unknown;
            }
            _ => return Finding::Certain(TxValidationCode::BadCommonHeader),
        }
        if checked.creator().is_err() {
            return Finding::Certain(TxValidationCode::BadCreatorSignature);
        }
        match &signed.body {
            Err(invalid) => Finding::Certain(invalid.code),
            Ok(Body::Config(_)) => Finding::Certain(TxValidationCode::Valid),
            Ok(Body::Endorser(tx)) if self.tx_ids.contains(&short(tx.tx_id)) => {
                Finding::Certain(TxValidationCode::DuplicateTxid)
            }
            Ok(_) => Finding::WellFormed,
        }
    }

    fn remember(&mut self, entries: &[&[u8]]) {
        for entry in Entry::parse_all(entries) {
            if self.tx_ids.len() < MAX_TX_IDS && !entry.indexed_tx_id().is_empty() {
                self.tx_ids.insert(short(entry.indexed_tx_id()));
            }
        }
    }

    fn commit_hash_follows(
        &mut self,
        number: u64,
        entries: &[&[u8]],
        stored: &[u8],
        metadata: &[&[u8]],
    ) -> Option<bool> {
        let stored_hash = Hash::try_from(stored_commit_hash(metadata)).ok();
        let previous = std::mem::replace(&mut self.commit_hash, stored_hash);
        let (previous, stored_hash) = (previous?, stored_hash?);
        let parsed = Entry::parse_all(entries);
        let writes: Vec<(u32, TxRwSet<'_>)> = (0u32..)
            .zip(&parsed)
            .zip(stored)
            .filter(|(_, code)| **code == TxValidationCode::Valid as u8)
            .filter_map(|((index, entry), _)| Some((index, blind(entry)?)))
            .collect();
        let transactions: Vec<_> = writes.iter().map(|(index, rwset)| Transaction { rwset, index: *index }).collect();
        let batch = updates(number, &transactions)?;
        Some(commit_hash(stored, &update_bytes(&batch), Some(&previous)) == stored_hash)
    }
}

/// What can be said of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// Its verdict.
    Certain(TxValidationCode),
    /// Whatever takes no state is right about it.
    WellFormed,
    /// Nothing: it takes a configuration, or hangs on the release.
    Unknown,
}

/// What an entry's form says, to peers of every release.
fn form(entry: &Entry<'_>) -> Finding {
    entry.signed().map_or_else(|invalid| Finding::Certain(invalid.code), |_| Finding::Unknown)
}

fn differences(stored: &[u8], findings: &[Finding]) -> Vec<(u32, String)> {
    if stored.len() != findings.len() {
        return vec![(0, format!("{} verdicts are stored for {} transactions", stored.len(), findings.len()))];
    }
    let name = |code: u8| TxValidationCode::from_number(code).map_or_else(|| code.to_string(), |code| code.to_string());
    let pairs = (0u32..).zip(stored.iter().zip(findings));
    let differing = pairs.filter_map(|(index, (stored, finding))| {
        let text = match finding {
            Finding::Certain(code) if *code as u8 != *stored => {
                format!("the stored verdict is {}, ours is {code}", name(*stored))
            }
            Finding::WellFormed if EARLY.iter().any(|early| *early as u8 == *stored) => {
                format!("the stored verdict is {}, but nothing of the kind is wrong", name(*stored))
            }
            _ => return None,
        };
        Some((index, text))
    });
    differing.collect()
}

/// What a transaction writes, without what it read.
fn blind<'a>(entry: &Entry<'a>) -> Option<TxRwSet<'a>> {
    let Ok(Body::Endorser(tx)) = &entry.signed().ok()?.body else { return None };
    let mut rwset = tx.rwset.as_ref().ok()?.clone();
    for namespace in &mut rwset.namespaces {
        namespace.public.reads.clear();
        namespace.public.range_queries_info.clear();
        namespace.collections.iter_mut().for_each(|collection| collection.hashed.hashed_reads.clear());
    }
    Some(rwset)
}

/// What valid transactions change; none where that hangs on a value that nobody has here.
fn updates<'a>(number: u64, transactions: &[Transaction<'a>]) -> Option<UpdateBatch<'a>> {
    let state = Unknown::default();
    let Ok(outcome) = sequential::validate(number, transactions, &state);
    (outcome.conflicts.is_empty() && !state.0.load(Ordering::Relaxed)).then_some(outcome.batch)
}

/// State that is not there, and remembers whether it was asked for a value. Metadata it may be asked for: commit hashes
/// leave it out.
#[derive(Default)]
struct Unknown(AtomicBool);

impl StateReader for Unknown {
    type Error = Infallible;

    fn version(&self, _: StateKey<'_>) -> Result<Option<Height>, Infallible> {
        self.0.store(true, Ordering::Relaxed);
        Ok(None)
    }

    fn get(&self, _: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Infallible> {
        self.0.store(true, Ordering::Relaxed);
        Ok(None)
    }

    fn metadata(&self, _: StateKey<'_>) -> Result<Cow<'static, [u8]>, Infallible> {
        Ok(Cow::Borrowed(&[]))
    }

    fn range(
        &self,
        _: &str,
        _: &[u8],
        _: &str,
        _: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Enough of an id's hash to tell ids apart.
fn short(tx_id: &str) -> [u8; 16] {
    let digest = hash::sha256(&[tx_id.as_bytes()]);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

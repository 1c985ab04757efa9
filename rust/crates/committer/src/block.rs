// SPDX-License-Identifier: Apache-2.0
//! One block through the checks that need the chain's order: the block itself, then its transactions first to last,
//! then concurrency control over those that are left.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fastledger_crypto::Verifier;
use fastledger_identity::{ChannelConfig, block_signature};
use fastledger_ledger::HistoryWrite;
use fastledger_mvcc::{self as mvcc, Conflict, MvccError, StateKey, StateReader, Transaction, Update, UpdateBatch};
use fastledger_wire::common::metadata_slot;
use fastledger_wire::{Hash, Height, TxValidationCode};

use crate::checked::Chunk;
use crate::era::Era;
use crate::error::Refusal;
use crate::incoming::{self, Incoming};
use crate::judge::{Accepted, Judge, Stop, TxIdIndex};
use crate::lscc::{self, Upgrade};
use crate::rules::Rules;
use crate::timings::{Stage, Stopwatch, Timings};
use crate::transaction::EndorserTransaction;
use crate::verdict::{Explanation, Invalid, Reason};

/// Public state that holds the channel's configuration (`core/peer/configtx_processor.go`).
pub(crate) const CONFIG_KEY: StateKey<'static> =
    StateKey { namespace: "", collection: "", key: b"CHANNEL_CONFIG_ENV_BYTES" };

/// Most bytes of reasons that are kept for a block. Those of 10,000 conflicts fit; those of a block made of nothing but
/// bad entries would be many times its size.
const MAX_EXPLANATIONS_BYTES: usize = 4 << 20;

/// So many reasons fill [`MAX_EXPLANATIONS_BYTES`], as each takes more than 50 bytes there.
const MAX_REASONS: usize = MAX_EXPLANATIONS_BYTES / 50;

/// Most transactions of a block of which it is told that an older release judged them otherwise; a block may consist of
/// them.
const MAX_ERA_NOTES: usize = 10;

/// What the checks of a whole block ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockRules {
    /// Whether the orderers' signatures are verified.
    pub signatures: bool,
    /// Whether entries that are not well-formed envelopes are judged rather than refused with the block.
    pub allow_malformed: bool,
    /// See [`crate::Options::delivered`].
    pub delivered: bool,
}

/// The last block, which the next one must continue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tip {
    pub height: u64,
    pub header_hash: Option<Hash>,
}

/// Checks the block as a whole; `config` is the one in force before it, none at the beginning of a channel.
pub(crate) fn check_block(
    incoming: &Incoming,
    tip: &Tip,
    data_hash: &Hash,
    config: Option<&ChannelConfig>,
    rules: BlockRules,
    verifier: &Verifier,
) -> Result<(), Refusal> {
    let header = incoming.header();
    if header.number != tip.height {
        return Err(Refusal::Number { expected: tip.height });
    }
    let expected = tip.header_hash.as_ref().map_or([].as_slice(), |hash| hash.as_slice());
    if header.previous_hash != expected {
        return Err(Refusal::PreviousHash { found: header.previous_hash.to_vec(), expected: expected.to_vec() });
    }
    if header.data_hash != data_hash {
        return Err(Refusal::DataHash { found: header.data_hash.to_vec(), expected: data_hash.to_vec() });
    }
    let Some(config) = config else { return Ok(()) };
    if incoming.metadata_slots() == 0 {
        return Err(Refusal::Incomplete("metadata"));
    }
    let found = incoming.data().next().and_then(incoming::channel_id);
    if !rules.allow_malformed || found.is_some() {
        let found = found.unwrap_or_default();
        if found != config.channel_id() {
            return Err(Refusal::Channel { found, expected: config.channel_id().to_owned() });
        }
    }
    if rules.signatures {
        let signatures = incoming.metadata()[metadata_slot::SIGNATURES];
        block_signature::verify(&header, signatures, config, verifier)
            .map_err(|error| Refusal::Signatures(error.to_string()))?;
    }
    Ok(())
}

/// A block with its verdicts and what they change.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    /// One code for each transaction: the transactions filter.
    pub codes: Vec<TxValidationCode>,
    /// Reasons of the invalid transactions, by index.
    pub reasons: Vec<(u32, Invalid)>,
    /// What the valid ones change.
    pub batch: UpdateBatch<'a>,
    /// Public keys that the valid ones write, with the transaction: the history of keys.
    pub history: Vec<HistoryWrite<'a>>,
    /// The new configuration, an encoded `ConfigEnvelope` and its transaction.
    pub config: Option<(u32, &'a [u8])>,
    /// Channels that a system channel creates: transactions, and encoded envelopes with the first configuration.
    pub creations: Vec<(u32, &'a [u8])>,
}

impl Judged<'_> {
    /// Where other verdicts of the same block are not these: transaction, theirs, ours.
    fn differences<'j>(
        &'j self,
        other: &'j Self,
    ) -> impl Iterator<Item = (usize, TxValidationCode, TxValidationCode)> + 'j {
        let pairs = self.codes.iter().zip(&other.codes).enumerate();
        pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(index, (ours, theirs))| (index, *theirs, *ours))
    }

    /// Whether these are the verdicts, one byte each.
    fn has_codes(&self, codes: &[u8]) -> bool {
        self.codes.iter().map(|code| *code as u8).eq(codes.iter().copied())
    }

    /// The reasons as the ledger keeps them, a JSON array; empty when every transaction is valid. The first ones, if
    /// they are more than [`MAX_EXPLANATIONS_BYTES`].
    pub(crate) fn explanations(&self) -> Vec<u8> {
        if self.reasons.is_empty() {
            return Vec::new();
        }
        let mut json = vec![b'['];
        for (tx, invalid) in &self.reasons {
            let end = json.len();
            if end > 1 {
                json.push(b',');
            }
            let explanation = Explanation { tx: *tx, code: invalid.code.name(), reason: &invalid.reason };
            // Strings, numbers and lists always serialize.
            if serde_json::to_writer(&mut json, &explanation).is_err() || json.len() > MAX_EXPLANATIONS_BYTES {
                json.truncate(end);
                break;
            }
        }
        json.push(b']');
        json
    }
}

/// What judging a block reads.
pub(crate) struct World<'w, S, I> {
    pub config: &'w ChannelConfig,
    pub state: &'w S,
    pub tx_ids: &'w I,
    pub mvcc: Mvcc,
}

/// Who does concurrency control; both come to the same verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mvcc {
    /// The product.
    Parallel { workers: usize },
    /// The judge.
    Sequential,
}

impl Mvcc {
    /// How to go about it when nothing else is to be done, or else when the workers have other blocks to check: helpers
    /// would only take their cores.
    pub(crate) fn beside(self, idle: bool) -> Self {
        match self {
            Self::Parallel { .. } if !idle => Self::Parallel { workers: 1 },
            other => other,
        }
    }

    fn validate<'a, S: StateReader>(
        self,
        number: u64,
        transactions: &[Transaction<'a>],
        state: &S,
    ) -> Result<mvcc::Validated<'a>, S::Error> {
        let outcome = match self {
            Self::Parallel { workers } => mvcc::parallel::validate(number, transactions, state, workers),
            Self::Sequential => mvcc::sequential::validate(number, transactions, state),
        };
        outcome.map_err(|MvccError::State(error)| error)
    }
}

/// A block whose entries were checked.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub number: u64,
    pub chunks: &'a [Chunk],
}

/// Judges a peer's copy of a block: by today's rules, or where these do not come to the stored verdicts, by those of the
/// newest era that do. `notes` gets what today's rules would have said.
pub(crate) fn judge_copy<'a, S: StateReader, I: TxIdIndex<Error = S::Error>>(
    block: Block<'a>,
    stored: &[u8],
    world: &World<'_, S, I>,
    timings: &mut Timings,
    notes: &mut Vec<String>,
) -> Result<Judged<'a>, S::Error> {
    let rules = Rules::of(world.config);
    let today = judge(block, rules, world, timings)?;
    if today.has_codes(stored) || stored.len() != today.codes.len() {
        return Ok(today);
    }
    for era in Era::older(world.config) {
        let judged = judge(block, Rules { era, ..rules }, world, timings)?;
        if judged.has_codes(stored) {
            notes.extend(today.differences(&judged).take(MAX_ERA_NOTES).map(|(index, then, now)| {
                format!(
                    "transaction {index} is {then} by the rules of Fabric {}; peers of today say {now}",
                    era.releases()
                )
            }));
            return Ok(judged);
        }
    }
    Ok(today)
}

/// Judges a block's transactions.
pub(crate) fn judge<'a, S: StateReader, I: TxIdIndex<Error = S::Error>>(
    Block { number, chunks }: Block<'a>,
    rules: Rules,
    world: &World<'_, S, I>,
    timings: &mut Timings,
) -> Result<Judged<'a>, S::Error> {
    let watch = Stopwatch::start();
    let transactions = chunks.iter().map(|chunk| chunk.borrow_dependent().len()).sum();
    let mut verdicts = Verdicts::new(transactions);
    let mut judge = Judge::new(world.config, rules, world.state);
    let mut accepted = Vec::with_capacity(transactions);
    for (index, checked) in (0u32..).zip(chunks.iter().flat_map(Chunk::borrow_dependent)) {
        match judge.judge(checked, world.tx_ids) {
            Ok(outcome) => accepted.push((index, outcome)),
            Err(Stop::Invalid(invalid)) => verdicts.next_invalid(index, invalid),
            Err(Stop::Broken(error)) => return Err(error),
        }
    }
    across_transactions(&accepted, rules, &mut verdicts);
    accepted.retain(|(index, _)| verdicts.is_valid(*index));
    timings.count(Stage::Policy, watch.spent());
    let watch = Stopwatch::start();
    let judged = concurrency(number, &accepted, world, verdicts)?;
    timings.count(Stage::Mvcc, watch.spent());
    Ok(judged)
}

/// The codes of a block in the making.
struct Verdicts {
    codes: Vec<TxValidationCode>,
    reasons: Vec<(u32, Invalid)>,
}

impl Verdicts {
    fn new(transactions: usize) -> Self {
        Self { codes: vec![TxValidationCode::Valid; transactions], reasons: Vec::new() }
    }

    /// Gives a first verdict, in the order of transactions. Reasons that will not be kept anyway are dropped.
    fn next_invalid(&mut self, index: u32, invalid: Invalid) {
        self.codes[index as usize] = invalid.code;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push((index, invalid));
        }
    }

    /// Gives a verdict; a later one of the same transaction replaces it.
    fn invalid(&mut self, index: u32, invalid: Invalid) {
        let code = &mut self.codes[index as usize];
        if *code != TxValidationCode::Valid {
            self.reasons.retain(|(other, _)| *other != index);
        }
        *code = invalid.code;
        self.reasons.push((index, invalid));
    }

    fn is_valid(&self, index: u32) -> bool {
        self.codes[index as usize] == TxValidationCode::Valid
    }
}

/// Verdicts that take the whole block: an id used twice, a chaincode upgraded under other transactions.
fn across_transactions(accepted: &[(u32, Accepted<'_, '_>)], rules: Rules, verdicts: &mut Verdicts) {
    if rules.v2_0_validation || rules.forbid_duplicate_tx_id_in_block {
        duplicate_ids(accepted, verdicts);
    }
    if !rules.v2_0_validation {
        upgraded_chaincodes(accepted, rules, verdicts);
    }
}

fn endorser_transactions<'s, 't, 'a>(
    accepted: &'s [(u32, Accepted<'t, 'a>)],
) -> impl Iterator<Item = (u32, &'t EndorserTransaction<'a>)> + use<'s, 't, 'a> {
    accepted.iter().filter_map(|(index, accepted)| match accepted {
        Accepted::Endorser(tx, _) => Some((*index, *tx)),
        _ => None,
    })
}

/// `markTXIdDuplicates`.
fn duplicate_ids(accepted: &[(u32, Accepted<'_, '_>)], verdicts: &mut Verdicts) {
    let mut first: HashMap<&str, u32> = HashMap::new();
    for (index, tx) in endorser_transactions(accepted) {
        let earlier = *first.entry(tx.tx_id).or_insert(index);
        if earlier != index {
            let text = format!("transaction {earlier} of this block has the same id {}", tx.tx_id);
            verdicts.invalid(index, Invalid::rule(TxValidationCode::DuplicateTxid, text));
        }
    }
}

/// `invalidTXsForUpgradeCC`: of several upgrades the last one stands, and nothing else of an upgraded chaincode does.
fn upgraded_chaincodes(accepted: &[(u32, Accepted<'_, '_>)], rules: Rules, verdicts: &mut Verdicts) {
    let conflict = |text| Invalid::rule(TxValidationCode::ChaincodeVersionConflict, text);
    let mut upgrades: HashMap<&str, u32> = HashMap::new();
    for (index, tx) in endorser_transactions(accepted) {
        let Some(Upgrade { name, version }) = lscc::upgraded_chaincode(tx, rules) else { continue };
        if let Some(earlier) = upgrades.insert(name, index) {
            let text = format!("transaction {index} of this block upgrades chaincode {name:?} to {version:?}");
            verdicts.invalid(earlier, conflict(text));
        }
    }
    for (index, tx) in endorser_transactions(accepted) {
        let invoked = tx.header_extension.as_ref().ok().and_then(|extension| extension.chaincode_id.as_ref());
        let upgrade = invoked.and_then(|chaincode| upgrades.get(chaincode.name));
        if let Some(upgrade) = upgrade
            && verdicts.is_valid(index)
        {
            verdicts.invalid(index, conflict(format!("transaction {upgrade} of this block upgrades the chaincode")));
        }
    }
}

fn concurrency<'a, S: StateReader, I>(
    number: u64,
    accepted: &[(u32, Accepted<'a, 'a>)],
    world: &World<'_, S, I>,
    mut verdicts: Verdicts,
) -> Result<Judged<'a>, S::Error> {
    let transactions: Vec<_> = accepted
        .iter()
        .filter_map(|(index, accepted)| match accepted {
            Accepted::Endorser(_, rwset) => Some(Transaction { rwset, index: *index }),
            _ => None,
        })
        .collect();
    let outcome = world.mvcc.validate(number, &transactions, world.state)?;
    let conflicting: HashSet<u32> = outcome.conflicts.iter().map(|(index, _)| *index).collect();
    let mut batch = outcome.batch;
    let config = accepted.iter().rev().find_map(|(index, accepted)| match accepted {
        Accepted::Config(envelope) => Some((*index, *envelope)),
        _ => None,
    });
    let creations = accepted.iter().filter_map(|(index, accepted)| match accepted {
        Accepted::ChannelCreation(envelope) => Some((*index, *envelope)),
        _ => None,
    });
    if let Some((index, envelope)) = config {
        batch.insert(config_update(number, index, envelope));
    }
    let history = transactions
        .iter()
        .filter(|transaction| !conflicting.contains(&transaction.index))
        .flat_map(|transaction| {
            transaction.rwset.namespaces.iter().flat_map(|namespace| {
                namespace.public.writes.iter().map(|write| HistoryWrite {
                    namespace: namespace.namespace,
                    key: write.key.as_bytes(),
                    tx: u64::from(transaction.index),
                })
            })
        })
        .collect();
    for (index, conflict) in outcome.conflicts {
        verdicts.invalid(index, Invalid { code: conflict.code(), reason: Arc::new(conflict_reason(conflict)) });
    }
    verdicts.reasons.sort_by_key(|(index, _)| *index);
    let creations = creations.collect();
    Ok(Judged { codes: verdicts.codes, reasons: verdicts.reasons, batch, history, config, creations })
}

/// The write of a configuration transaction.
pub(crate) fn config_update(number: u64, index: u32, envelope: &[u8]) -> Update<'_> {
    let version = Height { block: number, tx: u64::from(index) };
    Update { key: CONFIG_KEY, version, state: Some((envelope.into(), [].as_slice().into())) }
}

fn conflict_reason(conflict: Conflict<'_>) -> Reason {
    match conflict {
        Conflict::Read { key, expected, found, in_block } => Reason::Read {
            key: key.into(),
            expected: expected.map(|height| height.to_string()),
            found: found.map(|height| height.to_string()),
            written_in_block_by: in_block,
        },
        Conflict::Phantom { namespace, start_key, end_key, difference } => Reason::Phantom {
            namespace: namespace.to_owned(),
            start_key: start_key.to_owned(),
            end_key: end_key.to_owned(),
            difference: difference.to_string(),
        },
        write @ Conflict::Write { .. } => Reason::Rule { text: write.to_string() },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    fn judged(reasons: usize) -> Judged<'static> {
        let invalid = Invalid::rule(TxValidationCode::BadPayload, "x".repeat(100));
        Judged {
            codes: vec![TxValidationCode::BadPayload; reasons],
            reasons: (0..).zip(vec![invalid; reasons]).collect(),
            batch: UpdateBatch::default(),
            history: Vec::new(),
            config: None,
            creations: Vec::new(),
        }
    }

    #[test]
    fn reasons_that_will_not_be_kept_are_dropped_and_the_first_ones_are_not() {
        let count = MAX_REASONS + 1_000;
        let mut verdicts = Verdicts::new(count);
        let invalid = Invalid::rule(TxValidationCode::NilEnvelope, "");
        (0..).take(count).for_each(|index| verdicts.next_invalid(index, invalid.clone()));
        assert!(verdicts.codes.iter().all(|code| *code == TxValidationCode::NilEnvelope));
        let few = Judged { codes: verdicts.codes, reasons: verdicts.reasons, ..judged(0) };
        let all = Judged { reasons: (0..).zip(vec![invalid; count]).collect(), ..judged(0) };
        assert!(few.reasons.len() < count);
        assert!(few.explanations() == all.explanations());
    }

    #[test]
    fn reasons_are_a_list_and_stay_within_their_limit() {
        let list =
            |judged: Judged<'_>| serde_json::from_slice::<Vec<serde_json::Value>>(&judged.explanations()).unwrap();
        assert!(judged(0).explanations().is_empty());
        let few = list(judged(3));
        assert_eq!(few.iter().map(|reason| reason["tx"].clone()).collect::<Vec<_>>(), [0, 1, 2]);
        let many = judged(100_000);
        assert!(many.explanations().len() <= MAX_EXPLANATIONS_BYTES + 2);
        assert!((10_000..100_000).contains(&list(many).len()));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One channel on a peer: its ledger and the pipeline that validates and commits blocks to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Select, Sender, bounded, unbounded};
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_defect::catch;
use fastledger_identity::ChannelConfig;
use fastledger_ledger::{BlockStream, Durability, Ledger, TornTail};
use fastledger_wire::protobuf::with_stack_for;

use crate::block::{BlockRules, Mvcc};
use crate::committer::Committer;
use crate::counts::REBUILDS;
use crate::current_config::CurrentConfig;
use crate::definitions::Definition;
use crate::durable::{Exit, Leaving, SyncAll};
use crate::error::{CommitError, Refusal};
use crate::gate::{Gate, MAX_BLOCKS_AHEAD};
use crate::incoming::Incoming;
use crate::outcome::{CommitResult, Outcome};
use crate::pipeline::{InFlight, Intent, Pieces, Workers};
use crate::policies;
use crate::private::{self, PrivateEffects};
use crate::rules::Rules;
use crate::size::Size;
use crate::threads::thread;

/// How a channel's blocks are judged and stored.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads that check blocks ahead of the committer; 0 for one per core.
    pub workers: usize,
    /// Most blocks between intake and stable storage, 1 to 128: the more, the higher the throughput
    /// of small blocks, and the longer a block waits behind others.
    pub blocks_ahead: usize,
    /// Whether orderers' signatures are verified.
    pub verify_block_signatures: bool,
    /// Whether entries that are not well-formed envelopes are judged instead of refused with their block: for ledgers
    /// of peers older than the fix of CVE-2023-46132.
    pub allow_malformed: bool,
    /// Whether blocks come from an orderer, so that the verdicts and commit hashes in their metadata mean nothing.
    /// Otherwise blocks may be a peer's copies: then they keep the verdicts of the release that committed them, where that
    /// judged otherwise than today's, and have a commit hash where that peer gave them one.
    pub delivered: bool,
    /// Whether concurrency control runs the slow judge instead of the parallel product; their verdicts are the same.
    pub sequential_mvcc: bool,
    /// How signatures are verified.
    pub verifier: VerifierOptions,
    /// Whether a result says that its block is on stable storage.
    pub durable: bool,
    /// How the ledger is stored; its own durability is overruled.
    pub ledger: fastledger_ledger::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 0,
            blocks_ahead: MAX_BLOCKS_AHEAD,
            verify_block_signatures: true,
            allow_malformed: false,
            delivered: false,
            sequential_mvcc: false,
            verifier: VerifierOptions::default(),
            durable: true,
            ledger: fastledger_ledger::Options::default(),
        }
    }
}

/// A channel's ledger, open for committing.
///
/// Blocks go in with [`PeerLedger::submit`], by one thread or several in turn; results come out of [`PeerLedger::result`] in
/// the same order. A block that is refused leaves the ledger as it was, and the next of the same number may follow.
pub struct PeerLedger {
    ledger: Arc<Ledger>,
    config: CurrentConfig,
    gate: Arc<Gate>,
    /// See [`Options::allow_malformed`].
    allow_malformed: bool,
    /// Goes up with every refusal that was reported: what was submitted before it is void.
    epoch: AtomicU64,
    /// Blocks whose outcome was not taken yet.
    outstanding: AtomicUsize,
    workers: Workers,
    blocks: Option<Sender<InFlight>>,
    results: Receiver<Outcome>,
    threads: Vec<JoinHandle<()>>,
    torn: Option<TornTail>,
    rebuilt: Option<String>,
}

impl PeerLedger {
    /// Opens the ledger in `dir`, or begins one there, and brings what is derived from its blocks up to date.
    ///
    /// Blocks that a crash kept from being indexed are validated again, as they were the first time.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, CommitError> {
        // Blocks are synced in groups, beside the committer; see `durable`.
        let storage = fastledger_ledger::Options { durability: Durability::EachFlush, ..options.ledger };
        let (ledger, recovery) = Ledger::open(dir, storage)?;
        let blocks = ledger.blocks(recovery.replay.start)?;
        let mut channel = Self::start(Arc::new(ledger), options)?;
        channel.torn = recovery.torn;
        channel.rebuilt = recovery.rebuilding;
        if channel.rebuilt.is_some() {
            metrics::counter!(REBUILDS).increment(1);
        }
        channel.replay(blocks)?;
        Ok(channel)
    }

    fn start(ledger: Arc<Ledger>, options: &Options) -> Result<Self, CommitError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if options.workers == 0 { cores } else { options.workers };
        let verifier = Arc::new(Verifier::new(options.verifier));
        let config = CurrentConfig::default();
        let rules = BlockRules {
            signatures: options.verify_block_signatures,
            allow_malformed: options.allow_malformed,
            delivered: options.delivered,
        };
        let mvcc = if options.sequential_mvcc { Mvcc::Sequential } else { Mvcc::Parallel { workers } };
        let committer = with_stack_for(usize::MAX, || {
            Committer::new(Arc::clone(&ledger), config.clone(), Arc::clone(&verifier), rules, mvcc)
        })?;
        let gate = Arc::new(Gate::new(options.blocks_ahead));
        let (blocks, queue) = bounded(MAX_BLOCKS_AHEAD);
        let (outcomes, results) = unbounded();
        let threads = (|| {
            let sync_all = options.durable.then(|| {
                let ledger = Arc::clone(&ledger);
                Box::new(move || ledger.sync()) as SyncAll
            });
            let (exit, sync) = Exit::start(sync_all, Arc::clone(&gate), outcomes)?;
            let stopping = Arc::clone(&gate);
            let commit = thread("commit", move || commit_all(committer, &queue, &stopping, &exit))?;
            std::io::Result::Ok((vec![commit, sync], Workers::start(workers, verifier)?))
        })();
        let (threads, workers) = threads.map_err(|error| CommitError::Threads(error.to_string()))?;
        Ok(Self {
            ledger,
            config,
            gate,
            allow_malformed: options.allow_malformed,
            epoch: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            workers,
            blocks: Some(blocks),
            results,
            threads,
            torn: None,
            rebuilt: None,
        })
    }

    fn replay(&self, blocks: BlockStream) -> Result<(), CommitError> {
        let mut waiting = 0usize;
        for stored in blocks {
            let stored = stored?;
            while waiting >= MAX_BLOCKS_AHEAD {
                self.result()?;
                waiting -= 1;
            }
            self.enter(Incoming::from_record(&stored.record, self.allow_malformed), Intent::Replay(stored.location))?;
            waiting += 1;
        }
        (0..waiting).try_for_each(|_| self.result().map(drop))
    }

    /// What opening cut off the block files, if anything: nobody was told that it is stored.
    #[must_use]
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Why opening made everything that is derived from the blocks anew, if it did.
    #[must_use]
    pub fn rebuilt(&self) -> Option<&str> {
        self.rebuilt.as_deref()
    }

    /// The ledger, for reading.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The configuration in force; none before block 0.
    #[must_use]
    pub fn config(&self) -> Option<Arc<ChannelConfig>> {
        self.config.get()
    }

    /// Hands in the next block, an encoded `common.Block`; waits while the pipeline is full.
    ///
    /// A refusal comes out of [`PeerLedger::result`] like every outcome.
    pub fn submit(&self, block: Bytes) -> Result<(), CommitError> {
        self.enter(Incoming::read(block, self.allow_malformed), Intent::Commit)
    }

    /// Hands in the next block to be judged and forgotten.
    pub fn submit_for_judgement(&self, block: Bytes) -> Result<(), CommitError> {
        self.enter(Incoming::read(block, self.allow_malformed), Intent::Judge)
    }

    fn enter(&self, incoming: Result<Incoming, Refusal>, intent: Intent) -> Result<(), CommitError> {
        let size = Size::of(&incoming);
        if !self.gate.enter(size) {
            return Err(CommitError::Stopped);
        }
        let config = self.config();
        let pieces = match &incoming {
            Ok(block) => self.workers.share_out(block, config.as_ref(), self.gate.holds_one()),
            Err(_) => Pieces::none(),
        };
        let in_flight = InFlight { incoming, intent, pieces, epoch: self.epoch.load(Ordering::Acquire) };
        let sent = self.blocks.as_ref().is_some_and(|blocks| blocks.send(in_flight).is_ok());
        if !sent {
            return Err(CommitError::Stopped);
        }
        self.outstanding.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Waits for the next outcome, so long at most; whether [`PeerLedger::result`] would return at once.
    #[must_use]
    pub fn await_result(&self, longest: Duration) -> bool {
        let mut select = Select::new();
        select.recv(&self.results);
        self.in_flight() == 0 || select.ready_timeout(longest).is_ok()
    }

    /// The next block's outcome, in the order of submission; waits for it.
    ///
    /// After a refusal the blocks that were submitted behind the refused one are void, and none is in flight.
    pub fn result(&self) -> Result<CommitResult, CommitError> {
        let outcome = self.next_outcome();
        if matches!(outcome, Err(CommitError::Refused { .. })) {
            while self.in_flight() > 0 {
                drop(self.next_outcome());
            }
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        outcome
    }

    fn next_outcome(&self) -> Result<CommitResult, CommitError> {
        if self.in_flight() == 0 {
            return Err(CommitError::NothingSubmitted);
        }
        let outcome = self.results.recv().unwrap_or(Err(CommitError::Stopped));
        self.outstanding.fetch_sub(1, Ordering::AcqRel);
        outcome
    }

    /// Why a transaction is invalid, as JSON; none where it is valid or there is no such transaction.
    pub fn explain(&self, block: u64, tx: u32) -> Result<Option<String>, CommitError> {
        let Some(stored) = self.ledger.view()?.explanations(block)? else { return Ok(None) };
        let explanations: Vec<serde_json::Value> = serde_json::from_slice(&stored).unwrap_or_default();
        let found = explanations.into_iter().find(|explanation| explanation["tx"] == tx);
        Ok(found.map(|explanation| explanation["reason"].to_string()))
    }

    /// A chaincode's endorsement policy as state and configuration now have it, in Fabric's policy language; none where
    /// there is no usable definition.
    pub fn policy_of(&self, namespace: &str) -> Result<Option<String>, CommitError> {
        let Some(config) = self.config() else { return Ok(None) };
        let view = self.ledger.view()?;
        with_stack_for(usize::MAX, || {
            let rules = Rules::of(&config);
            let Ok(definition) = Definition::in_force(&view, namespace, rules)? else { return Ok(None) };
            Ok(policies::describe(&config, definition.policy(rules)).ok())
        })
    }

    /// What the transactions of a committed block did to private data.
    pub fn private_effects(&self, number: u64) -> Result<Vec<PrivateEffects>, CommitError> {
        let stored = self.ledger.block(number)?;
        private::of_record(&stored.record).map_err(|reason| CommitError::Undecodable { number, reason })
    }

    /// Writes a snapshot in Fabric's format to `dir`, of the state after the last committed block; commits go on.
    pub fn snapshot_to(&self, dir: &Path) -> Result<(), CommitError> {
        let config = self.config().ok_or(CommitError::Empty)?;
        self.ledger.export_snapshot(dir, config.channel_id())?;
        Ok(())
    }

    /// How many outcomes can be taken without waiting.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.results.len()
    }

    /// How many blocks were submitted whose outcome was not taken yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }
}

impl Drop for PeerLedger {
    fn drop(&mut self) {
        self.blocks = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// The committer's thread: every block gets one outcome; a broken ledger or a defect ends the channel.
fn commit_all(mut committer: Committer, queue: &Receiver<InFlight>, gate: &Gate, exit: &Exit) {
    let mut void_epoch = None;
    for in_flight in queue {
        let (epoch, size) = (in_flight.epoch, Size::of(&in_flight.incoming));
        let outcome = if void_epoch == Some(epoch) {
            Err(CommitError::Void)
        } else {
            process(&mut committer, in_flight, queue.is_empty())
        };
        if matches!(outcome, Err(CommitError::Refused { .. })) {
            void_epoch = Some(epoch);
        }
        let broken =
            matches!(&outcome, Err(error) if !matches!(error, CommitError::Refused { .. } | CommitError::Void));
        if broken {
            gate.stop();
        }
        gate.judged(size);
        if !exit.leave(Leaving { outcome, size }, queue.is_empty()) || broken {
            break;
        }
    }
}

fn process(committer: &mut Committer, in_flight: InFlight, idle: bool) -> Outcome {
    let number = committer.height();
    catch(|| committer.process(in_flight, idle)).unwrap_or_else(|defect| Err(CommitError::Defect { number, defect }))
}

// SPDX-License-Identifier: Apache-2.0
//! A channel: its ledger and the pipeline that validates and commits blocks to it.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use fastledger_crypto::{Verifier, VerifierOptions};
use fastledger_identity::ChannelConfig;
use fastledger_ledger::{BlockStream, Ledger};
use fastledger_wire::{Hash, TxValidationCode};

use crate::block::BlockRules;
use crate::committer::{Committer, Intent};
use crate::error::{CommitError, Refusal};
use crate::gate::{Gate, MAX_BLOCKS_AHEAD};
use crate::incoming::Incoming;
use crate::pipeline::{InFlight, Leaving, Pieces, Size, Workers, panic_text, thread};
use crate::timings::Timings;

/// How a channel works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads that check blocks ahead of the committer; 0 for one per core.
    pub workers: usize,
    /// Whether orderers' signatures are verified.
    pub verify_block_signatures: bool,
    /// Whether entries that are not well-formed envelopes are judged instead of refused with their block: for ledgers
    /// of peers older than the fix of CVE-2023-46132.
    pub allow_malformed: bool,
    /// How signatures are verified.
    pub verifier: VerifierOptions,
    /// How the ledger is stored.
    pub ledger: fastledger_ledger::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 0,
            verify_block_signatures: true,
            allow_malformed: false,
            verifier: VerifierOptions::default(),
            ledger: fastledger_ledger::Options::default(),
        }
    }
}

/// What became of one block.
#[derive(Debug, Clone)]
pub struct CommitResult {
    /// The block's number.
    pub number: u64,
    /// Hash of its header.
    pub header_hash: Hash,
    /// Hash of its data.
    pub data_hash: Hash,
    /// The commit hash, none for block 0.
    pub commit_hash: Option<Hash>,
    /// One code for each transaction.
    pub codes: Vec<TxValidationCode>,
    /// The transactions filter that the block came with; empty for none.
    pub stored_codes: Vec<u8>,
    /// The commit hash that the block came with; empty for none.
    pub stored_commit_hash: Vec<u8>,
    /// Where the time went.
    pub timings: Timings,
}

/// The configuration in force, shared between intake and committer.
pub(crate) type CurrentConfig = Arc<RwLock<Option<Arc<ChannelConfig>>>>;

/// A channel's ledger, open for committing.
///
/// Blocks go in with [`Channel::submit`], by one thread or several in turn; results come out of [`Channel::result`] in
/// the same order. A block that is refused leaves the ledger as it was, and the next of the same number may follow.
pub struct Channel {
    ledger: Arc<Ledger>,
    config: CurrentConfig,
    gate: Arc<Gate>,
    workers: Workers,
    blocks: Option<Sender<InFlight>>,
    results: Receiver<Result<CommitResult, CommitError>>,
    thread: Option<JoinHandle<()>>,
}

impl Channel {
    /// Opens the ledger in `dir`, or begins one there, and brings what is derived from its blocks up to date.
    ///
    /// Blocks that a crash kept from being indexed are validated again, as they were the first time.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, CommitError> {
        let (ledger, recovery) = Ledger::open(dir, options.ledger.clone())?;
        let channel = Self::start(Arc::new(ledger), options)?;
        channel.replay(recovery.blocks)?;
        Ok(channel)
    }

    fn start(ledger: Arc<Ledger>, options: &Options) -> Result<Self, CommitError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if options.workers == 0 { cores } else { options.workers };
        let verifier = Arc::new(Verifier::new(options.verifier.clone()));
        let config = CurrentConfig::default();
        let rules =
            BlockRules { signatures: options.verify_block_signatures, allow_malformed: options.allow_malformed };
        let committer =
            Committer::new(Arc::clone(&ledger), Arc::clone(&config), Arc::clone(&verifier), rules, workers)?;
        let gate = Arc::new(Gate::default());
        let (blocks, queue) = bounded(MAX_BLOCKS_AHEAD);
        let (outcomes, results) = unbounded();
        let run = {
            let gate = Arc::clone(&gate);
            move || commit_all(committer, &queue, &gate, &outcomes)
        };
        let thread = thread("commit", run).map_err(|error| CommitError::Threads(error.to_string()))?;
        let workers = Workers::start(workers, verifier).map_err(|error| CommitError::Threads(error.to_string()))?;
        Ok(Self { ledger, config, gate, workers, blocks: Some(blocks), results, thread: Some(thread) })
    }

    fn replay(&self, blocks: BlockStream) -> Result<(), CommitError> {
        let mut waiting = 0usize;
        for stored in blocks {
            let stored = stored?;
            while waiting >= MAX_BLOCKS_AHEAD {
                self.result()?;
                waiting -= 1;
            }
            self.enter(Incoming::from_record(&stored.record), Intent::Replay(stored.location))?;
            waiting += 1;
        }
        (0..waiting).try_for_each(|_| self.result().map(drop))
    }

    /// The ledger, for reading.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The configuration in force; none before block 0.
    #[must_use]
    pub fn config(&self) -> Option<Arc<ChannelConfig>> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands in the next block, an encoded `common.Block`; waits while the pipeline is full.
    ///
    /// A refusal comes out of [`Channel::result`] like every outcome.
    pub fn submit(&self, block: Arc<[u8]>) -> Result<(), CommitError> {
        self.enter(Incoming::read(block), Intent::Commit)
    }

    /// Hands in the next block to be judged and forgotten.
    pub fn submit_for_judgement(&self, block: Arc<[u8]>) -> Result<(), CommitError> {
        self.enter(Incoming::read(block), Intent::Judge)
    }

    fn enter(&self, incoming: Result<Incoming, Refusal>, intent: Intent) -> Result<(), CommitError> {
        let size = Size::of(&incoming);
        if !self.gate.enter(size.bytes, size.is_config) {
            return Err(CommitError::Stopped);
        }
        let config = self.config();
        let pieces = match &incoming {
            Ok(block) => self.workers.share_out(block, config.as_ref()),
            Err(_) => Pieces::none(),
        };
        let in_flight = InFlight { incoming, intent, pieces };
        match self.blocks.as_ref().map(|blocks| blocks.send(in_flight)) {
            Some(Ok(())) => Ok(()),
            _ => Err(CommitError::Stopped),
        }
    }

    /// The next block's outcome, in the order of submission; waits for it.
    pub fn result(&self) -> Result<CommitResult, CommitError> {
        self.results.recv().unwrap_or(Err(CommitError::Stopped))
    }

    /// How many blocks are between intake and commit.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.gate.blocks()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The committer's thread: every block gets one outcome; a broken ledger or a defect ends the channel.
fn commit_all(
    mut committer: Committer,
    queue: &Receiver<InFlight>,
    gate: &Gate,
    outcomes: &Sender<Result<CommitResult, CommitError>>,
) {
    for in_flight in queue {
        let leaving = Leaving::new(gate, &in_flight);
        let idle = queue.is_empty();
        let work = std::panic::AssertUnwindSafe(|| committer.process(in_flight, idle));
        let outcome = std::panic::catch_unwind(work)
            .unwrap_or_else(|panic| Err(CommitError::Defect { number: committer.height(), text: panic_text(&*panic) }));
        let broken = matches!(&outcome, Err(error) if !matches!(error, CommitError::Refused { .. }));
        if broken {
            gate.stop();
        }
        drop(leaving);
        if outcomes.send(outcome).is_err() || broken {
            break;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Blocks in, verdicts out, with the work spread over threads.
//!
//! ```text
//!   submit ──► gate ──► shares ──► workers: parse, hash, verify ──┐ pieces
//!                │                                                ▼
//!                └───────── blocks, in order ──────────► committer: policy, mvcc, append, state ──► result
//! ```
//!
//! Workers run ahead of the committer by as many blocks as the gate lets in. What they do depends on nothing but the
//! block's bytes and the configuration in force, and the gate holds back what follows a configuration block until
//! that is committed; so the outcome is the same as that of one block at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use fastledger_crypto::{Verifier, sha256_many};
use fastledger_defect::{Defect, catch};
use fastledger_identity::ChannelConfig;
use fastledger_ledger::Location;
use fastledger_wire::Hash;

use crate::checked::{Chunk, Share};
use crate::error::Refusal;
use crate::incoming::Incoming;
use crate::threads::thread;
use crate::timings::{Stage, Stopwatch, Timings};

/// Entries that a worker takes at a time: signatures enough for an efficient batch, shares enough for all workers.
const SHARE_ENTRIES: usize = 128;

/// Most bytes of a block that whoever waits for it checks himself.
const OWN_BYTES: usize = 1 << 20;

/// Blocks whose data is hashed at a time: more do not go faster, and would keep the first one waiting.
const HASHES_AT_ONCE: usize = 4;

/// What is to be done with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Judge and store it.
    Commit,
    /// Judge it only.
    Judge,
    /// It is stored already, here; judge it and store what follows from it.
    Replay(Location),
}

/// A block on its way to the committer.
pub(crate) struct InFlight {
    /// The block, or why it is not one.
    pub incoming: Result<Incoming, Refusal>,
    pub intent: Intent,
    pub pieces: Pieces,
    /// See `PeerLedger::epoch`.
    pub epoch: u64,
}

/// What will be found in a block.
pub(crate) enum Pieces {
    /// By the workers, in so many chunks.
    Shared { chunks: usize, receiver: Receiver<Piece> },
    /// By whoever waits for it.
    Own(Box<Own>),
}

/// A small block that is alone in the pipeline: waking others for it, and being woken by them, takes longer than the
/// work.
pub(crate) struct Own {
    block: Incoming,
    config: Arc<ChannelConfig>,
    verifier: Arc<Verifier>,
}

/// What was found in a block.
pub(crate) struct Checks {
    pub chunks: Vec<Chunk>,
    pub data_hash: Hash,
    pub timings: Timings,
}

/// One worker's contribution.
pub(crate) enum Piece {
    Chunk(usize, Box<Chunk>, Timings),
    DataHash(Hash, Timings),
    Defect(Defect),
}

type Work = Box<dyn FnOnce() + Send>;

/// The threads that check blocks ahead of the committer.
pub(crate) struct Workers {
    work: Option<Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
    verifier: Arc<Verifier>,
    unhashed: Arc<Unhashed>,
}

/// Blocks whose data is not hashed yet, and where the hashes go.
///
/// A hash is a chain of steps that wait for each other, and those of several blocks run side by side in little more
/// time than that of one.
#[derive(Default)]
struct Unhashed(Mutex<VecDeque<(Incoming, Sender<Piece>)>>);

impl Unhashed {
    fn add(&self, block: Incoming, sender: Sender<Piece>) {
        self.lock().push_back((block, sender));
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn hash_some(&self) {
        let blocks: Vec<_> = {
            let mut waiting = self.lock();
            let count = waiting.len().min(HASHES_AT_ONCE);
            waiting.drain(..count).collect()
        };
        let watch = Stopwatch::start();
        let hashes = catch(|| data_hashes(blocks.iter().map(|(block, _)| block)));
        let mut timings = Timings::default();
        timings.count(Stage::Parse, watch.spent().share(blocks.len()));
        for (index, (_, sender)) in blocks.iter().enumerate() {
            let piece = match &hashes {
                Ok(hashes) => Piece::DataHash(hashes[index], timings),
                Err(defect) => Piece::Defect(defect.clone()),
            };
            drop(sender.send(piece));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Incoming, Sender<Piece>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn data_hashes<'a>(blocks: impl Iterator<Item = &'a Incoming>) -> Vec<Hash> {
    let data: Vec<_> = blocks.map(|block| block.data().collect::<Vec<_>>()).collect();
    let messages: Vec<_> = data.iter().map(Vec::as_slice).collect();
    let mut hashes = vec![[0; 32]; messages.len()];
    sha256_many(&messages, &mut hashes);
    hashes
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize, verifier: Arc<Verifier>) -> std::io::Result<Self> {
        let (work, queue) = unbounded::<Work>();
        let unhashed = Arc::<Unhashed>::default();
        let threads = (0..count)
            .map(|number| {
                let (queue, unhashed) = (queue.clone(), Arc::clone(&unhashed));
                thread(&format!("validate-{number}"), move || {
                    for work in &queue {
                        work();
                        // A block that is alone waits for a second one as long as there is anything else to do.
                        while unhashed.len() > usize::from(!queue.is_empty()) {
                            unhashed.hash_some();
                        }
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { work: Some(work), threads, verifier, unhashed })
    }

    /// Shares a block out, unless a malformed entry refuses it anyway; `config` is none at the beginning of a channel,
    /// where there is nothing to check against. One that `is_alone` is left whole if it is small.
    pub(crate) fn share_out(&self, incoming: &Incoming, config: Option<&Arc<ChannelConfig>>, is_alone: bool) -> Pieces {
        let config = config.filter(|_| incoming.malformed.is_none());
        let entries = &incoming.entries;
        let is_small = entries.len() <= SHARE_ENTRIES && incoming.bytes.len() <= OWN_BYTES;
        if let Some(config) = config
            && is_alone
            && is_small
        {
            let (config, verifier) = (Arc::clone(config), Arc::clone(&self.verifier));
            return Pieces::Own(Box::new(Own { block: incoming.clone(), config, verifier }));
        }
        let chunks = config.map_or(0, |_| entries.len().div_ceil(SHARE_ENTRIES));
        let (sender, receiver) = bounded(chunks + 1);
        for number in 0..chunks {
            let (Some(config), verifier) = (config.cloned(), Arc::clone(&self.verifier)) else { continue };
            let part = number * SHARE_ENTRIES..entries.len().min((number + 1) * SHARE_ENTRIES);
            let share = Share { block: incoming.bytes.clone(), entries: (Arc::clone(entries), part) };
            self.give(sender.clone(), move || {
                let mut timings = Timings::default();
                let chunk = Chunk::check(share, &config, &verifier, &mut timings);
                Piece::Chunk(number, Box::new(chunk), timings)
            });
        }
        self.unhashed.add(incoming.clone(), sender);
        // Makes a worker look for what is not hashed.
        self.send(Box::new(|| ()));
        Pieces::Shared { chunks, receiver }
    }

    fn give(&self, sender: Sender<Piece>, work: impl FnOnce() -> Piece + Send + 'static) {
        self.send(Box::new(move || {
            let piece = catch(work).unwrap_or_else(Piece::Defect);
            // Nobody listens any more when the pipeline has stopped.
            drop(sender.send(piece));
        }));
    }

    fn send(&self, task: Work) {
        if let Some(work) = &self.work {
            drop(work.send(task));
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.work = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Pieces {
    /// Of what is not a block nothing is found.
    pub(crate) fn none() -> Self {
        Self::Shared { chunks: 0, receiver: bounded(0).1 }
    }

    /// Waits for the workers, or does what is left to do.
    pub(crate) fn wait(self) -> Result<Checks, Defect> {
        match self {
            Self::Shared { chunks, receiver } => gather(chunks, &receiver),
            Self::Own(own) => catch(|| own.check()),
        }
    }
}

impl Own {
    fn check(self) -> Checks {
        let mut timings = Timings::default();
        let watch = Stopwatch::start();
        let data_hash = data_hashes(std::iter::once(&self.block))[0];
        timings.count(Stage::Parse, watch.spent());
        let whole = 0..self.block.entries.len();
        let share = Share { block: self.block.bytes, entries: (self.block.entries, whole) };
        let chunk = Chunk::check(share, &self.config, &self.verifier, &mut timings);
        Checks { chunks: vec![chunk], data_hash, timings }
    }
}

/// Takes what the workers find in a block, in so many chunks.
fn gather(count: usize, receiver: &Receiver<Piece>) -> Result<Checks, Defect> {
    let mut chunks: Vec<Option<Chunk>> = Vec::new();
    chunks.resize_with(count, || None);
    let (mut data_hash, mut timings) = (None, Timings::default());
    for _ in 0..=count {
        match receiver.recv() {
            Ok(Piece::Chunk(number, chunk, spent)) => {
                chunks[number] = Some(*chunk);
                timings.add(&spent);
            }
            Ok(Piece::DataHash(hash, spent)) => {
                data_hash = Some(hash);
                timings.add(&spent);
            }
            Ok(Piece::Defect(defect)) => return Err(defect),
            Err(_) => return Err(Defect::new("a worker is gone")),
        }
    }
    match (chunks.into_iter().collect::<Option<Vec<_>>>(), data_hash) {
        (Some(chunks), Some(data_hash)) => Ok(Checks { chunks, data_hash, timings }),
        _ => Err(Defect::new("a worker did its share twice")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use fastledger_crypto::VerifierOptions;
    use fastledger_vectors::Corpus;

    /// A block of entries that are envelopes, but for the first one.
    fn block(first: &[u8], entries: usize) -> Vec<u8> {
        let entry = b"\x0a\x01x\x12\x01y".as_slice();
        let data = [&[first], vec![entry; entries - 1].as_slice()].concat();
        let header = fastledger_wire::common::BlockHeader { number: 1, previous_hash: &[], data_hash: &[] };
        fastledger_wire::block::encode_block(&header, &data, &[])
    }

    #[test]
    fn of_a_block_that_a_malformed_entry_refuses_no_entry_is_checked() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let config = Arc::new(ChannelConfig::from_block(corpus.delivered_blocks()[0]).unwrap());
        let workers = Workers::start(1, Arc::new(Verifier::new(VerifierOptions::default()))).unwrap();
        let shares = |block: Vec<u8>, allow_malformed| {
            let incoming = Incoming::read(block.into(), allow_malformed).unwrap();
            workers.share_out(&incoming, Some(&config), false).wait().unwrap().chunks.len()
        };
        assert_eq!(shares(block(b"\x0a\x01x\x12\x01y", 1_000), false), 1_000usize.div_ceil(SHARE_ENTRIES));
        assert_eq!(shares(block(b"", 1_000), false), 0);
        assert_eq!(shares(block(b"", 1_000), true), 1_000usize.div_ceil(SHARE_ENTRIES));
    }

    #[test]
    fn the_same_is_found_in_a_block_that_is_alone() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let blocks = corpus.delivered_blocks();
        let config = Arc::new(ChannelConfig::from_block(blocks[0]).unwrap());
        let workers = Workers::start(2, Arc::new(Verifier::new(VerifierOptions::default()))).unwrap();
        for block in &blocks[1..] {
            let incoming = Incoming::read(block.to_vec().into(), false).unwrap();
            let [alone, shared] = [true, false].map(|is_alone| workers.share_out(&incoming, Some(&config), is_alone));
            assert!(matches!(alone, Pieces::Own(_)) && matches!(shared, Pieces::Shared { .. }));
            let [alone, shared] = [alone, shared].map(|pieces| pieces.wait().unwrap());
            assert_eq!(alone.data_hash, shared.data_hash);
            assert_eq!(format!("{:?}", alone.chunks), format!("{:?}", shared.chunks));
        }
    }

    #[test]
    fn a_large_block_is_shared_out_even_alone() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let config = Arc::new(ChannelConfig::from_block(corpus.delivered_blocks()[0]).unwrap());
        let workers = Workers::start(1, Arc::new(Verifier::new(VerifierOptions::default()))).unwrap();
        let is_shared = |entries| {
            let incoming = Incoming::read(block(b"\x0a\x01x\x12\x01y", entries).into(), false).unwrap();
            matches!(workers.share_out(&incoming, Some(&config), true), Pieces::Shared { .. })
        };
        assert!(!is_shared(SHARE_ENTRIES) && is_shared(SHARE_ENTRIES + 1));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Ledgers in memory-backed folders, with some blocks in them to begin from.

use std::fs;
use std::path::Path;

use fastledger_committer::{CommitError, CommitResult, Options, PeerLedger};
use fastledger_crypto::{Engine, VerifierOptions};
use fastledger_wire::Hash;
use tempfile::TempDir;

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";
/// Address space that a small ledger begins with, in bytes.
const MAP_BYTES: usize = 1 << 24;

/// A new folder, in memory where there is such a place.
///
/// # Panics
/// If no folder can be made.
#[must_use]
pub fn folder() -> TempDir {
    let place = Path::new(MEMORY);
    if place.is_dir() { TempDir::new_in(place) } else { TempDir::new() }.expect("a folder")
}

/// How small ledgers are opened: one worker, signatures by the library.
#[must_use]
pub fn options() -> Options {
    let defaults = Options::default();
    Options {
        workers: 1,
        verifier: VerifierOptions { engine: Some(Engine::Library), table_bytes: 0 },
        ledger: fastledger_ledger::Options { map_bytes: MAP_BYTES, lanes: 2, ..defaults.ledger },
        ..defaults
    }
}

/// A closed ledger to take copies of.
#[derive(Debug)]
pub struct Template {
    folder: TempDir,
    /// Hash of the last block's header.
    pub tip: Hash,
    /// How many blocks it has.
    pub height: u64,
}

impl Template {
    /// Commits these blocks; each must be accepted.
    ///
    /// # Panics
    /// If one is not, or there are none.
    #[must_use]
    pub fn new(blocks: impl IntoIterator<Item = Vec<u8>>, options: &Options) -> Self {
        let folder = folder();
        let mut last = None;
        let channel = PeerLedger::open(folder.path(), options).expect("a new ledger");
        for block in blocks {
            last = Some(commit(&channel, &block).expect("a good block"));
        }
        drop(channel);
        let last = last.expect("blocks");
        Self { folder, tip: last.header_hash, height: last.number + 1 }
    }

    /// Opens a copy.
    ///
    /// # Panics
    /// If it cannot be copied or opened.
    #[must_use]
    pub fn open(&self, options: &Options) -> Copied {
        let folder = folder();
        copy(self.folder.path(), folder.path());
        let channel = PeerLedger::open(folder.path(), options).expect("a good ledger");
        Copied { channel, _folder: folder }
    }
}

/// An open copy of a [`Template`].
pub struct Copied {
    /// Closed before its folder goes.
    pub channel: PeerLedger,
    _folder: TempDir,
}

/// Commits a block and waits for the outcome.
pub fn commit(channel: &PeerLedger, block: &[u8]) -> Result<CommitResult, CommitError> {
    channel.submit(block.to_vec().into())?;
    channel.result()
}

/// Judges a block without committing it, and waits for the outcome.
pub fn judge(channel: &PeerLedger, block: &[u8]) -> Result<CommitResult, CommitError> {
    channel.submit_for_judgement(block.to_vec().into())?;
    channel.result()
}

/// What may become of any block whatever: it is judged or refused.
///
/// # Panics
/// If something else became of it.
pub fn is_judged_or_refused(outcome: &Result<CommitResult, CommitError>) {
    match outcome {
        Ok(_) | Err(CommitError::Refused { .. }) => {}
        Err(error) => panic!("a block broke the channel: {error}"),
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir(&target).expect("a new folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A channel to send blocks to, and what they cost.

use std::fs;
use std::time::Duration;

use fastledger_committer::{CommitError, CommitResult, Options, PeerLedger};
use fastledger_fuzz::channel::{commit, folder};
use fastledger_fuzz::message::{Bytes, message};
use fastledger_fuzz::network::setup::setup;
use fastledger_fuzz::network::{Endorsed, Member, Network, Rules, signed_block, transaction};
use fastledger_wire::{Hash, TxValidationCode};
use tempfile::TempDir;

/// What a block cost.
pub struct Measured {
    /// Size of the block.
    pub bytes: usize,
    /// Size of the blocks that it builds on, which were paid for when they came.
    pub earlier: usize,
    /// Of all processors, from handing it in to its outcome.
    pub time: Duration,
    /// Most memory that the process had while it was judged, beyond what it had before, in bytes.
    pub peak: u64,
    /// What became of it.
    pub outcome: String,
}

/// An open channel after its first blocks.
pub struct World {
    pub network: &'static Network,
    channel: PeerLedger,
    rules: Rules,
    height: u64,
    tip: Option<Hash>,
    nonce: u64,
    earlier: usize,
    _folder: TempDir,
}

impl World {
    /// Two workers and the fastest engine, as an ordinary node of two cores has them.
    pub fn new(rules: Rules, options: Options) -> Self {
        let folder = folder();
        let channel = PeerLedger::open(folder.path(), &Options { workers: 2, ..options }).expect("a new ledger");
        let network = Network::get();
        let mut world = Self { network, channel, rules, height: 0, tip: None, nonce: 0, earlier: 0, _folder: folder };
        for block in setup(network, rules) {
            let result = world.commit(&block).expect("a good block");
            assert!(result.codes.iter().all(|code| *code == TxValidationCode::Valid), "{:?}", result.codes);
        }
        world
    }

    pub fn ordinary() -> Self {
        Self::new(Rules::V2_5, Options::default())
    }

    fn commit(&mut self, block: &[u8]) -> Result<CommitResult, CommitError> {
        let result = commit(&self.channel, block)?;
        (self.height, self.tip) = (result.number + 1, Some(result.header_hash));
        Ok(result)
    }

    /// A nonce that was not there before.
    pub fn nonce(&mut self) -> [u8; 8] {
        self.nonce += 1;
        self.nonce.to_be_bytes()
    }

    /// A transaction of `cc` by a client, well endorsed by the first peers of the first two organizations.
    pub fn tx(&mut self, results: &[u8]) -> Vec<u8> {
        let endorsers = [(self.network.peer(0), true), (self.network.peer(1), true)];
        self.tx_of("cc", results, &endorsers)
    }

    pub fn tx_of(&mut self, chaincode: &str, results: &[u8], endorsers: &[(&Member, bool)]) -> Vec<u8> {
        transaction(&Endorsed {
            creator: self.network.client(0),
            nonce: &self.nonce(),
            chaincode,
            version: "1",
            input: b"\x0a\x00",
            results,
            events: &[],
            endorsers,
        })
    }

    /// The next block, signed by the orderers.
    pub fn block(&self, entries: &[Vec<u8>]) -> Vec<u8> {
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        signed_block(self.network, self.rules, self.height, self.tip.as_ref(), &entries)
    }

    pub fn height(&self) -> (u64, Option<Hash>) {
        (self.height, self.tip)
    }

    /// Commits transactions that must be valid.
    pub fn prepare(&mut self, entries: &[Vec<u8>]) {
        let block = self.block(entries);
        self.earlier += block.len();
        let result = self.commit(&block).expect("a good block");
        let bad: Vec<_> = result.codes.iter().filter(|code| **code != TxValidationCode::Valid).collect();
        assert!(bad.is_empty(), "{bad:?}: {:?}", self.channel.explain(result.number, 0));
    }

    /// Commits whatever the block of these entries is, behind a write of its own.
    pub fn earlier(&mut self, entries: &[Vec<u8>]) {
        let first = self.tx(&results("cc", &write("earlier", b"v")));
        let block = self.block(&[vec![first], entries.to_vec()].concat());
        self.earlier += block.len();
        drop(self.commit(&block));
    }

    /// Commits a block of these entries and tells what it cost.
    pub fn measure(&mut self, entries: &[Vec<u8>]) -> Measured {
        let block = self.block(entries);
        self.measure_block(&block)
    }

    pub fn measure_block(&mut self, block: &[u8]) -> Measured {
        forget_peak();
        let before = memory("VmRSS:");
        let start = processor_time();
        let result = self.commit(block);
        let time = processor_time() - start;
        let peak = memory("VmHWM:").saturating_sub(before);
        Measured { bytes: block.len(), earlier: self.earlier, time, peak, outcome: outcome(&result) }
    }
}

fn outcome(result: &Result<CommitResult, CommitError>) -> String {
    let codes = match result {
        Ok(result) => &result.codes,
        Err(error) => return error.to_string(),
    };
    let mut counted = Vec::new();
    for code in TxValidationCode::ALL {
        let count = codes.iter().filter(|found| *found == code).count();
        if count > 0 {
            counted.push(format!("{count} {code}"));
        }
    }
    counted.join(", ")
}

/// Time that processors spent on this process: unlike time on the wall it does not depend on what else runs.
fn processor_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap_or_default(), spent.tv_nsec.try_into().unwrap_or_default())
}

/// The kernel's count of this process's memory, in bytes.
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

/// Lets the kernel count the most memory anew.
fn forget_peak() {
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// Encoded `TxReadWriteSet` with this `KVRWSet` for one namespace.
pub fn results(namespace: &str, rwset: &[u8]) -> Vec<u8> {
    message(&[Bytes(2, &message(&[Bytes(1, namespace.as_bytes()), Bytes(2, rwset)]))])
}

/// A write of a `KVRWSet`.
pub fn write(key: &str, value: &[u8]) -> Vec<u8> {
    message(&[Bytes(3, &message(&[Bytes(1, key.as_bytes()), Bytes(3, value)]))])
}

/// A metadata write of a `KVRWSet`.
pub fn metadata(key: &str, name: &str, value: &[u8]) -> Vec<u8> {
    let entry = message(&[Bytes(1, name.as_bytes()), Bytes(2, value)]);
    message(&[Bytes(4, &message(&[Bytes(1, key.as_bytes()), Bytes(2, &entry)]))])
}

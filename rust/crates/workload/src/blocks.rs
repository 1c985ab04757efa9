// SPDX-License-Identifier: Apache-2.0
//! From plans to blocks: transactions are built by whichever thread is free, then blocks are chained and signed in order.

use std::sync::Arc;

use fastledger_wire::common::BlockHeader;
use fastledger_wire::hash::{data_hash, header_der, sha256};
use fastledger_wire::{Hash, Height, block};

use crate::chaincode::{self, Chaincode};
use crate::genesis;
use crate::identities::Network;
use crate::lifecycle;
use crate::message::Message;
use crate::planner::{BlockPlan, Call, Draft, definition_height};
use crate::signer::Signer;
use crate::spec::Spec;
use crate::transaction::{ChaincodeId, EPOCH_SECONDS, Transaction, nonce};

/// Nanoseconds between a block's transactions.
const STEP_NANOSECONDS: u64 = 1_000;

/// A block, ready to be delivered to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedBlock {
    /// Its number.
    pub number: u64,
    /// Encoded `common.Block`.
    pub bytes: Vec<u8>,
    /// The `TxValidationCode` of each transaction.
    pub predicted: Vec<u8>,
    /// Whether it holds the workload's transactions; otherwise it sets the channel up.
    pub is_measured: bool,
}

/// A block before it is chained.
pub(crate) struct Built {
    plan: BlockPlan,
    entries: Vec<Vec<u8>>,
    data_hash: Hash,
}

/// Builds transactions; any thread may.
pub(crate) struct Builder {
    spec: Spec,
    network: Arc<Network>,
    chaincode: Chaincode,
}

impl Builder {
    pub(crate) fn new(spec: &Spec, network: Arc<Network>) -> Self {
        Self { spec: spec.clone(), network, chaincode: Chaincode::new(spec, definition_height(spec)) }
    }

    /// Builds all transactions of a block.
    pub(crate) fn build(&self, mut plan: BlockPlan) -> Built {
        let mut signer = Signer::new(self.spec.seed, "block", plan.number);
        let drafts = std::mem::take(&mut plan.drafts);
        let entries: Vec<_> = if plan.number == 0 {
            vec![genesis::envelope(&self.network, &self.spec)]
        } else {
            (0..)
                .zip(&drafts)
                .map(|(tx, draft)| self.envelope(draft, Height { block: plan.number, tx }, &mut signer))
                .collect()
        };
        let data_hash = data_hash(&slices(&entries));
        Built { plan, entries, data_hash }
    }

    fn envelope(&self, draft: &Draft, height: Height, signer: &mut Signer) -> Vec<u8> {
        let built;
        let (chaincode, arguments, results) = match &draft.call {
            Call::Lifecycle(invocation) => {
                let id = ChaincodeId { name: lifecycle::NAMESPACE, version: lifecycle::VERSION };
                (id, &invocation.arguments, &invocation.results)
            }
            Call::Chaincode(simulation) => {
                built = (self.chaincode.arguments(simulation), self.chaincode.results(simulation, height));
                (chaincode::ID, &built.0, &built.1)
            }
        };
        let transaction = Transaction {
            channel: &self.spec.channel,
            chaincode,
            is_system: matches!(draft.call, Call::Lifecycle(_)),
            arguments,
            results,
            creator: &draft.creator,
            endorsers: &draft.endorsers,
            nonce: nonce(self.spec.seed, height.block, height.tx + 1),
            timestamp: (EPOCH_SECONDS + height.block, height.tx * STEP_NANOSECONDS),
        };
        transaction.envelope(signer)
    }
}

/// Chains and signs blocks as a raft orderer does.
pub(crate) struct Chain {
    seed: u64,
    network: Arc<Network>,
    signer: Signer,
    previous: Option<Hash>,
}

impl Chain {
    pub(crate) fn new(spec: &Spec, network: Arc<Network>) -> Self {
        Self { seed: spec.seed, network, signer: Signer::new(spec.seed, "chain", 0), previous: None }
    }

    /// The chain's next block.
    pub(crate) fn seal(&mut self, built: Built) -> GeneratedBlock {
        let Built { plan: BlockPlan { number, is_measured, predicted, .. }, entries, data_hash } = built;
        let previous_hash = self.previous.as_ref().map_or([].as_slice(), |hash| hash);
        let header = BlockHeader { number, previous_hash, data_hash: &data_hash };
        let header_der = header_der(&header);
        let signatures = signatures(&self.network, &mut self.signer, self.seed, number, &header_der);
        let bytes = block::encode_block(&header, &slices(&entries), &[signatures.as_ref(), &[], &[], &[], &[]]);
        self.previous = Some(sha256(&[&header_der]));
        GeneratedBlock { number, bytes, predicted, is_measured }
    }
}

/// Metadata slot 0: the last configuration and raft's own metadata, signed unless the block is the first.
fn signatures(network: &Network, signer: &mut Signer, seed: u64, number: u64, header_der: &[u8]) -> Message {
    // LastConfig 0 has no bytes, and raft has no metadata before its first block.
    let last_config = Message::new().present(1, "");
    if number == 0 {
        return Message::new().bytes(1, last_config);
    }
    let raft = Message::new().bytes(1, [1]).number(2, 2).number(3, number + 1);
    // The block writer wraps a consenter's metadata in a `Metadata` (Fabric: `multichannel/blockwriter.go`).
    let value = last_config.bytes(2, Message::new().bytes(1, raft));
    let header = Message::new().bytes(1, &network.orderer.identity).bytes(2, nonce(seed, number, 0));
    let signature = signer.sign(&network.orderer.key, &sha256(&[value.as_ref(), header.as_ref(), header_der]));
    let signature = Message::new().bytes(1, header).bytes(2, signature);
    Message::new().bytes(1, value).present(2, signature)
}

fn slices(entries: &[Vec<u8>]) -> Vec<&[u8]> {
    entries.iter().map(Vec::as_slice).collect()
}

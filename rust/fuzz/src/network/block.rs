// SPDX-License-Identifier: Apache-2.0
//! Blocks with their orderers' signatures.

use fastledger_wire::common::BlockHeader;
use fastledger_wire::hash::{data_hash, header_der};
use fastledger_wire::{Hash, block as wire_block};

use super::{Network, Rules};
use crate::message::{Bytes, Number, message};

/// A block of these entries, with this in metadata slot 0.
#[must_use]
pub fn block(number: u64, previous: Option<&Hash>, entries: &[&[u8]], signatures: &[u8]) -> Vec<u8> {
    let data_hash = data_hash(entries);
    let header = BlockHeader { number, previous_hash: previous.map_or(&[], |hash| hash), data_hash: &data_hash };
    wire_block::encode_block(&header, entries, &[signatures, &[], &[], &[], &[]])
}

/// A block that every orderer signed.
#[must_use]
pub fn signed_block(
    network: &Network,
    rules: Rules,
    number: u64,
    previous: Option<&Hash>,
    entries: &[&[u8]],
) -> Vec<u8> {
    let data_hash = data_hash(entries);
    let header = BlockHeader { number, previous_hash: previous.map_or(&[], |hash| hash), data_hash: &data_hash };
    let value = message(&[Bytes(1, &[])]);
    let all: Vec<_> = (0..network.orderers().len()).map(|index| (index, true)).collect();
    block(number, previous, entries, &signatures(network, rules, &header, &value, &all))
}

/// Metadata slot 0: signatures of these orderers, by place, over `value` and header, each good or not.
#[must_use]
pub fn signatures(
    network: &Network,
    rules: Rules,
    header: &BlockHeader<'_>,
    value: &[u8],
    signers: &[(usize, bool)],
) -> Vec<u8> {
    let mut metadata = message(&[Bytes(1, value)]);
    for (index, good) in signers {
        let orderer = &network.orderers()[index % super::CONSENTERS];
        let (field, signer) = if rules == Rules::Bft {
            (3, message(&[Number(1, *index as u64 + 1), Bytes(2, &[7; 24])]))
        } else {
            (1, message(&[Bytes(1, &orderer.serialized()), Bytes(2, &[7; 24])]))
        };
        let last: &[u8] = if *good { &[] } else { b"spoiled" };
        let signature = orderer.key.sign(&[value, &signer, &header_der(header), last]);
        metadata.extend(message(&[Bytes(2, &message(&[Bytes(field, &signer), Bytes(2, &signature)]))]));
    }
    metadata
}

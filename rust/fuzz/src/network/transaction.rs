// SPDX-License-Identifier: Apache-2.0
//! Endorsed and signed transactions.

use fastledger_wire::common::header_type;
use fastledger_wire::hash::{sha256, tx_id};

use super::{CHANNEL, Member};
use crate::message::{Bytes, Number, message};

/// What goes into a transaction; everything that must agree is made to.
#[derive(Debug, Clone)]
pub struct Endorsed<'t> {
    /// Who signs it.
    pub creator: &'t Member,
    /// Makes the transaction id.
    pub nonce: &'t [u8],
    /// The invoked chaincode.
    pub chaincode: &'t str,
    /// Its version.
    pub version: &'t str,
    /// Encoded `ChaincodeInvocationSpec`.
    pub input: &'t [u8],
    /// Encoded `TxReadWriteSet`.
    pub results: &'t [u8],
    /// Encoded `ChaincodeEvent`, empty for none.
    pub events: &'t [u8],
    /// Who endorses it, and whether well.
    pub endorsers: &'t [(&'t Member, bool)],
}

/// The entry of a block.
#[must_use]
pub fn transaction(tx: &Endorsed<'_>) -> Vec<u8> {
    let creator = tx.creator.serialized();
    let signature_header = message(&[Bytes(1, &creator), Bytes(2, tx.nonce)]);
    let extension = message(&[Bytes(2, &message(&[Bytes(2, tx.chaincode.as_bytes())]))]);
    let tx_id = tx_id(tx.nonce, &creator);
    let channel_header = channel_header(header_type::ENDORSER_TRANSACTION, CHANNEL, &tx_id, &extension);
    let proposal = message(&[Bytes(1, tx.input)]);
    let id = message(&[Bytes(2, tx.chaincode.as_bytes()), Bytes(3, tx.version.as_bytes())]);
    let action =
        message(&[Bytes(1, tx.results), Bytes(2, tx.events), Bytes(3, &message(&[Number(1, 200)])), Bytes(4, &id)]);
    let proposal_hash = sha256(&[&channel_header, &signature_header, &proposal]);
    let response = message(&[Bytes(1, &proposal_hash), Bytes(2, &action)]);
    let mut endorsed = message(&[Bytes(1, &response)]);
    for (endorser, well) in tx.endorsers {
        let identity = endorser.serialized();
        let signature = endorser.key.sign(&[&response, if *well { &identity } else { b"something else" }]);
        endorsed.extend(message(&[Bytes(2, &message(&[Bytes(1, &identity), Bytes(2, &signature)]))]));
    }
    let payload = message(&[Bytes(1, &proposal), Bytes(2, &endorsed)]);
    let data = message(&[Bytes(1, &message(&[Bytes(1, &signature_header), Bytes(2, &payload)]))]);
    signed(tx.creator, &channel_header, &signature_header, &data)
}

/// An entry of any type.
pub(super) fn envelope(
    creator: &Member,
    kind: i32,
    channel: &str,
    tx_id: &str,
    extension: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let signature_header = message(&[Bytes(1, &creator.serialized()), Bytes(2, b"nonce")]);
    signed(creator, &channel_header(kind, channel, tx_id, extension), &signature_header, data)
}

fn channel_header(kind: i32, channel: &str, tx_id: &str, extension: &[u8]) -> Vec<u8> {
    message(&[
        Number(1, u64::from(kind.unsigned_abs())),
        Bytes(4, channel.as_bytes()),
        Bytes(5, tx_id.as_bytes()),
        Bytes(7, extension),
    ])
}

fn signed(creator: &Member, channel_header: &[u8], signature_header: &[u8], data: &[u8]) -> Vec<u8> {
    let header = message(&[Bytes(1, channel_header), Bytes(2, signature_header)]);
    let payload = message(&[Bytes(1, &header), Bytes(2, data)]);
    message(&[Bytes(1, &payload), Bytes(2, &creator.key.sign(&[&payload]))])
}

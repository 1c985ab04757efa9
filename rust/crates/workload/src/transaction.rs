// SPDX-License-Identifier: Apache-2.0
//! An endorsed and signed transaction, as the entry of a block.

use std::sync::Arc;

use fastledger_wire::common::header_type;
use fastledger_wire::hash::{sha256, tx_id};

use crate::identities::Member;
use crate::message::Message;
use crate::signer::Signer;

/// When the channel begins, in seconds since 1970: 2026-01-01. Each block is a second later than the one before.
pub(crate) const EPOCH_SECONDS: u64 = 1_767_225_600;
/// Bytes of a nonce (`crypto.NonceSize`).
const NONCE_BYTES: usize = 24;
/// `ChaincodeSpec.Type` of chaincodes that are no system chaincodes.
const GOLANG: u64 = 1;
const STATUS_OK: u64 = 200;

/// A signature to be made.
#[derive(Debug)]
pub(crate) struct Signatory {
    /// Whose.
    pub(crate) member: Arc<Member>,
    /// Whether it is one over what it should be over.
    pub(crate) signs_well: bool,
}

/// A chaincode's name and version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChaincodeId {
    /// `ChaincodeID.name`.
    pub(crate) name: &'static str,
    /// `ChaincodeID.version`.
    pub(crate) version: &'static str,
}

/// What goes into a transaction; all ids, hashes and signatures follow from it.
pub(crate) struct Transaction<'t> {
    pub(crate) channel: &'t str,
    pub(crate) chaincode: ChaincodeId,
    /// Whether the chaincode is one of the peer's own.
    pub(crate) is_system: bool,
    pub(crate) arguments: &'t [Vec<u8>],
    /// Encoded `TxReadWriteSet`.
    pub(crate) results: &'t [u8],
    pub(crate) creator: &'t Signatory,
    pub(crate) endorsers: &'t [Signatory],
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// Seconds and nanoseconds since 1970.
    pub(crate) timestamp: (u64, u64),
}

impl Transaction<'_> {
    /// The encoded `Envelope`.
    pub(crate) fn envelope(&self, signer: &mut Signer) -> Vec<u8> {
        let creator = &self.creator.member.identity;
        let signature_header = Message::new().bytes(1, creator).bytes(2, self.nonce);
        let channel_header = self.channel_header(&tx_id(&self.nonce, creator));
        let proposal = self.proposal_payload();
        let proposal_hash = sha256(&[channel_header.as_ref(), signature_header.as_ref(), proposal.as_ref()]);
        let response = Message::new().bytes(1, proposal_hash).bytes(2, self.action());
        let endorsements = self.endorsers.iter().map(|endorser| {
            let identity = &endorser.member.identity;
            let signature = signature(signer, endorser, &[response.as_ref(), identity]);
            Message::new().bytes(1, identity).bytes(2, signature)
        });
        let endorsed = Message::new().bytes(1, &response).repeated(2, endorsements);
        let payload = Message::new().bytes(1, &proposal).bytes(2, endorsed);
        let data = Message::new().present(1, Message::new().bytes(1, &signature_header).bytes(2, payload));
        let header = Message::new().bytes(1, &channel_header).bytes(2, &signature_header);
        let payload = Message::new().bytes(1, header).bytes(2, data);
        let signature = signature(signer, self.creator, &[payload.as_ref()]);
        Message::new().bytes(1, payload).bytes(2, signature).into_bytes()
    }

    fn channel_header(&self, tx_id: &str) -> Message {
        let chaincode = Message::new().bytes(2, self.chaincode.name);
        Message::new()
            .number(1, u64::from(header_type::ENDORSER_TRANSACTION.unsigned_abs()))
            .bytes(3, Message::new().number(1, self.timestamp.0).number(2, self.timestamp.1))
            .bytes(4, self.channel)
            .bytes(5, tx_id)
            .bytes(7, Message::new().bytes(2, chaincode))
    }

    /// `ChaincodeProposalPayload`.
    fn proposal_payload(&self) -> Message {
        let spec = Message::new()
            .number(1, if self.is_system { 0 } else { GOLANG })
            .bytes(2, Message::new().bytes(2, self.chaincode.name))
            .bytes(3, Message::new().repeated(1, self.arguments));
        Message::new().bytes(1, Message::new().bytes(1, spec))
    }

    /// `ChaincodeAction`.
    fn action(&self) -> Message {
        Message::new()
            .bytes(1, self.results)
            .bytes(3, Message::new().number(1, STATUS_OK))
            .bytes(4, Message::new().bytes(2, self.chaincode.name).bytes(3, self.chaincode.version))
    }
}

/// A bad signature is a good one over something else: it costs a verifier as much as a good one.
fn signature(signer: &mut Signer, signatory: &Signatory, message: &[&[u8]]) -> Vec<u8> {
    let mut digest = sha256(message);
    if !signatory.signs_well {
        digest[0] ^= 1;
    }
    signer.sign(&signatory.member.key, &digest)
}

/// The nonce of a transaction, by its place on the channel.
pub(crate) fn nonce(seed: u64, block: u64, index: u64) -> [u8; NONCE_BYTES] {
    let digest = sha256(&[b"nonce", &seed.to_be_bytes(), &block.to_be_bytes(), &index.to_be_bytes()]);
    std::array::from_fn(|place| digest[place])
}

// SPDX-License-Identifier: Apache-2.0
//! A signed proposal taken apart (Fabric: `endorser.UnpackProposal`).

use fastledger_wire::common::{ChannelHeader, Header, SignatureHeader};
use fastledger_wire::encode;
use fastledger_wire::hash::{Hash, sha256};
use fastledger_wire::peer::{
    self, ChaincodeHeaderExtension, ChaincodeInvocationSpec, ChaincodeProposalPayload, SignedProposal,
};
use fastledger_wire::{DecodeError, Message};

/// A signed proposal that has all the parts that an endorser needs.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// What was signed, and the signature.
    pub signed: SignedProposal<'a>,
    /// Both headers as they stand in the proposal.
    pub header: Header<'a>,
    /// Where the proposal goes.
    pub channel: ChannelHeader<'a>,
    /// Whose it is.
    pub signature: SignatureHeader<'a>,
    /// Name of the chaincode that is called.
    pub chaincode: &'a str,
    /// The encoded `protos.ChaincodeInvocationSpec`.
    pub invocation: &'a [u8],
}

impl<'a> Proposal<'a> {
    /// Takes an encoded `protos.SignedProposal` apart; none where a part is missing or is no such message.
    #[must_use]
    pub fn unpack(encoded: &'a [u8]) -> Option<Self> {
        Self::decode(encoded).ok().flatten()
    }

    fn decode(encoded: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let signed = SignedProposal::decode(encoded)?;
        let proposal = peer::Proposal::decode(signed.proposal_bytes)?;
        let header = Header::decode(proposal.header)?;
        let channel = ChannelHeader::decode(header.channel_header)?;
        let signature = SignatureHeader::decode(header.signature_header)?;
        let called = ChaincodeHeaderExtension::decode(channel.extension)?.chaincode_id;
        let invocation = ChaincodeProposalPayload::decode(proposal.payload)?.input;
        let spec = ChaincodeInvocationSpec::decode(invocation)?.chaincode_spec;
        let chaincode = called.map_or("", |called| called.name);
        let is_whole = !chaincode.is_empty() && spec.is_some_and(|spec| spec.input.is_some());
        Ok(is_whole.then_some(Self { signed, header, channel, signature, chaincode, invocation }))
    }

    /// SHA-256 of the headers, and of the payload without its transient part (`protoutil.GetProposalHash1`).
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut public = Vec::with_capacity(self.invocation.len() + 8);
        encode::bytes_field(&mut public, 1, self.invocation);
        sha256(&[self.header.channel_header, self.header.signature_header, &public])
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Proposals, and the transactions that their endorsements make, put together (Fabric: `protoutil/txutils.go`).

use crate::encode::{bytes_field, present_field, varint_field};
use crate::peer::{ChaincodeId, ChaincodeInvocationSpec, ChaincodeProposalPayload};
use crate::protobuf::{DecodeError, Message};

/// What a client proposes.
pub struct Proposed<'a> {
    /// A `common.HeaderType`.
    pub header_type: i32,
    /// Empty for what is asked of a peer alone.
    pub channel_id: &'a str,
    /// The id that the transaction will have.
    pub tx_id: &'a str,
    /// The encoded `protos.ChaincodeInvocationSpec`.
    pub invocation: &'a [u8],
    /// The encoded `msp.SerializedIdentity` of who will sign.
    pub creator: &'a [u8],
    /// What makes the transaction's id unique.
    pub nonce: &'a [u8],
    /// The client's clock: seconds since 1970, and nanoseconds.
    pub time: (u64, u32),
}

impl Proposed<'_> {
    /// The encoded `common.Header`.
    pub fn header(&self) -> Result<Vec<u8>, DecodeError> {
        let mut timestamp = Vec::new();
        varint_field(&mut timestamp, 1, self.time.0);
        varint_field(&mut timestamp, 2, u64::from(self.time.1));
        let mut channel_header = Vec::new();
        varint_field(&mut channel_header, 1, u64::from(self.header_type.unsigned_abs()));
        present_field(&mut channel_header, 3, &timestamp);
        bytes_field(&mut channel_header, 4, self.channel_id.as_bytes());
        bytes_field(&mut channel_header, 5, self.tx_id.as_bytes());
        bytes_field(&mut channel_header, 7, &self.extension()?);
        let mut signature_header = Vec::with_capacity(self.creator.len() + self.nonce.len() + FRAME);
        bytes_field(&mut signature_header, 1, self.creator);
        bytes_field(&mut signature_header, 2, self.nonce);
        let mut header = Vec::with_capacity(channel_header.len() + signature_header.len() + FRAME);
        bytes_field(&mut header, 1, &channel_header);
        bytes_field(&mut header, 2, &signature_header);
        Ok(header)
    }

    /// The encoded `protos.ChaincodeProposalPayload`, with what the chaincode gets and the transaction does not hold.
    #[must_use]
    pub fn payload<'b>(&self, transient: impl Iterator<Item = (&'b str, &'b [u8])>) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.invocation.len() + FRAME);
        bytes_field(&mut payload, 1, self.invocation);
        for (name, value) in transient {
            let mut entry = Vec::new();
            present_field(&mut entry, 1, name.as_bytes());
            present_field(&mut entry, 2, value);
            present_field(&mut payload, 2, &entry);
        }
        payload
    }

    /// The encoded `protos.ChaincodeHeaderExtension`: the name of the chaincode.
    fn extension(&self) -> Result<Vec<u8>, DecodeError> {
        let spec = ChaincodeInvocationSpec::decode(self.invocation)?.chaincode_spec.unwrap_or_default();
        let ChaincodeId { path, name, version } = spec.chaincode_id.unwrap_or_default();
        let mut id = Vec::new();
        bytes_field(&mut id, 1, path.as_bytes());
        bytes_field(&mut id, 2, name.as_bytes());
        bytes_field(&mut id, 3, version.as_bytes());
        let mut extension = Vec::new();
        present_field(&mut extension, 2, &id);
        Ok(extension)
    }
}

/// Tags and lengths of what is put around something.
const FRAME: usize = 32;

/// Leaves the transient map out of an encoded `protos.ChaincodeProposalPayload`, which no ledger gets
/// (`GetBytesProposalPayloadForTx`).
pub fn payload_for_tx(payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let input = ChaincodeProposalPayload::decode(payload)?.input;
    let mut kept = Vec::with_capacity(input.len() + FRAME);
    bytes_field(&mut kept, 1, input);
    Ok(kept)
}

/// An endorser's encoded identity, and its signature.
pub type Endorsed<'a> = (&'a [u8], &'a [u8]);

/// Puts together the encoded `common.Payload` of an endorsed transaction, which its client signs (`CreateSignedTx`).
///
/// `header` is the proposal's, encoded, and `signature_header` its part; `payload` the proposal's.
pub fn transaction(
    header: &[u8],
    signature_header: &[u8],
    payload: &[u8],
    response_payload: &[u8],
    endorsements: &[Endorsed<'_>],
) -> Result<Vec<u8>, DecodeError> {
    let mut action = Vec::new();
    bytes_field(&mut action, 1, response_payload);
    for (endorser, signature) in endorsements {
        let mut endorsement = Vec::with_capacity(endorser.len() + signature.len() + FRAME);
        bytes_field(&mut endorsement, 1, endorser);
        bytes_field(&mut endorsement, 2, signature);
        present_field(&mut action, 2, &endorsement);
    }
    let mut action_payload = Vec::with_capacity(action.len() + payload.len() + FRAME);
    bytes_field(&mut action_payload, 1, &payload_for_tx(payload)?);
    present_field(&mut action_payload, 2, &action);
    let mut tx_action = Vec::with_capacity(action_payload.len() + signature_header.len() + FRAME);
    bytes_field(&mut tx_action, 1, signature_header);
    bytes_field(&mut tx_action, 2, &action_payload);
    let mut transaction = Vec::with_capacity(tx_action.len() + FRAME);
    present_field(&mut transaction, 1, &tx_action);
    let mut signed = Vec::with_capacity(header.len() + transaction.len() + FRAME);
    present_field(&mut signed, 1, header);
    bytes_field(&mut signed, 2, &transaction);
    Ok(signed)
}

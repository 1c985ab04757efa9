// SPDX-License-Identifier: Apache-2.0
//! What endorsers answer, composed of its encoded parts (Fabric: `protoutil.CreateProposalResponse`).

use fastledger_wire::encode::{bytes_field, present_field, varint_field};

/// `ProposalResponse.version` of every endorsement.
const VERSION: u64 = 1;

/// Bytes of tags and lengths: more than any of the messages has.
const TAGS: usize = 64;

/// What a simulation came to.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The chaincode's answer, an encoded `protos.Response`.
    pub response: &'a [u8],
    /// The encoded `rwset.TxReadWriteSet`.
    pub results: &'a [u8],
    /// The encoded `protos.ChaincodeEvent`, if one was set.
    pub event: &'a [u8],
    /// The chaincode's name.
    pub chaincode: &'a str,
    /// The chaincode's version.
    pub version: &'a str,
}

/// What an endorser signs: the outcome under the proposal's hash (`protoutil.GetBytesProposalResponsePayload`).
#[must_use]
pub fn response_payload(proposal_hash: &[u8], outcome: &Outcome<'_>) -> Vec<u8> {
    let mut chaincode_id = Vec::with_capacity(outcome.chaincode.len() + outcome.version.len() + TAGS);
    bytes_field(&mut chaincode_id, 2, outcome.chaincode.as_bytes());
    bytes_field(&mut chaincode_id, 3, outcome.version.as_bytes());
    let parts = outcome.results.len() + outcome.event.len() + outcome.response.len() + chaincode_id.len();
    let mut action = Vec::with_capacity(parts + TAGS);
    bytes_field(&mut action, 1, outcome.results);
    bytes_field(&mut action, 2, outcome.event);
    present_field(&mut action, 3, outcome.response);
    present_field(&mut action, 4, &chaincode_id);
    let mut payload = Vec::with_capacity(action.len() + proposal_hash.len() + TAGS);
    bytes_field(&mut payload, 1, proposal_hash);
    bytes_field(&mut payload, 2, &action);
    payload
}

/// Who endorses.
#[derive(Debug, Clone, Copy)]
pub struct Endorsement<'a> {
    /// The encoded `msp.SerializedIdentity`.
    pub endorser: &'a [u8],
    /// Over the response's payload and the endorser.
    pub signature: &'a [u8],
}

/// An encoded `protos.ProposalResponse`; its parts are encoded, too.
#[must_use]
pub fn proposal_response(
    response: &[u8],
    payload: &[u8],
    endorsement: Option<Endorsement<'_>>,
    interest: Option<&[u8]>,
) -> Vec<u8> {
    let mut signed = Vec::new();
    if let Some(Endorsement { endorser, signature }) = endorsement {
        signed.reserve(endorser.len() + signature.len() + TAGS);
        bytes_field(&mut signed, 1, endorser);
        bytes_field(&mut signed, 2, signature);
    }
    let interest_bytes = interest.map_or(0, <[u8]>::len);
    let mut answer = Vec::with_capacity(response.len() + payload.len() + signed.len() + interest_bytes + TAGS);
    varint_field(&mut answer, 1, if endorsement.is_some() { VERSION } else { 0 });
    present_field(&mut answer, 4, response);
    bytes_field(&mut answer, 5, payload);
    bytes_field(&mut answer, 6, &signed);
    if let Some(interest) = interest {
        present_field(&mut answer, 7, interest);
    }
    answer
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use fastledger_wire::Message;
    use fastledger_wire::peer::{ChaincodeAction, ProposalResponsePayload};

    use super::*;

    #[test]
    fn a_payload_is_read_as_it_was_composed() {
        let outcome = Outcome { response: &[8, 200, 1], results: b"rw", event: b"", chaincode: "cc", version: "1.0" };
        let payload = response_payload(&[7; 32], &outcome);
        let read = ProposalResponsePayload::decode(&payload).unwrap();
        let action = ChaincodeAction::decode(read.extension).unwrap();
        let id = action.chaincode_id.unwrap();
        assert_eq!((read.proposal_hash, action.results, action.events), (&[7; 32][..], &b"rw"[..], &b""[..]));
        assert_eq!((action.response.unwrap().status, id.name, id.version), (200, "cc", "1.0"));
    }
}

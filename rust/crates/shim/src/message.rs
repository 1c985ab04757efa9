// SPDX-License-Identifier: Apache-2.0
//! `protos.ChaincodeMessage`, read and written.

use bytes::Bytes;
use fastledger_wire::common::{Header, SignatureHeader};
use fastledger_wire::encode::{bytes_field, varint_field};
use fastledger_wire::peer::{Proposal, SignedProposal};
use fastledger_wire::{DecodeError, Message, messages};

/// `ChaincodeMessage.Type`, as far as the shim tells them apart.
pub(crate) const REGISTER: i32 = 1;
pub(crate) const REGISTERED: i32 = 2;
pub(crate) const INIT: i32 = 3;
pub(crate) const READY: i32 = 4;
pub(crate) const TRANSACTION: i32 = 5;
pub(crate) const COMPLETED: i32 = 6;
pub(crate) const ERROR: i32 = 7;
pub(crate) const RESPONSE: i32 = 13;
pub(crate) const KEEPALIVE: i32 = 18;

/// What answers a request: `RESPONSE` and `ERROR`.
pub(crate) const ANSWERS: [i32; 2] = [RESPONSE, ERROR];

/// The last that is known; whatever later peers may send beyond is left alone.
const LAST: i32 = 25;

messages! {
    /// `protos.ChaincodeMessage`, as far as it comes from peers; the proposal is kept as it is encoded.
    ChaincodeMessage<'a> {
        1 => r#type: i32,
        3 => payload: &'a [u8],
        4 => txid: &'a str,
        5 => proposal: Option<&'a [u8]>,
        7 => channel_id: &'a str,
    }
}

/// Whether it is a message of chaincodes, which no peer sends.
pub(crate) fn is_chaincodes(kind: i32) -> bool {
    (0..=LAST).contains(&kind) && !ANSWERS.contains(&kind) && kind != REGISTERED
}

/// Whose transaction a signed proposal asks for, as the peer has checked; none where it does not say.
pub(crate) fn creator(signed: &[u8]) -> Result<&[u8], DecodeError> {
    let proposal = Proposal::decode(SignedProposal::decode(signed)?.proposal_bytes)?;
    let header = Header::decode(proposal.header)?;
    Ok(SignatureHeader::decode(header.signature_header)?.creator)
}

/// Encodes a message; `event` is an encoded `protos.ChaincodeEvent`, or empty.
pub(crate) fn encoded(kind: i32, payload: &[u8], tx_id: &[u8], event: &[u8], channel_id: &[u8]) -> Bytes {
    /// Tags and lengths of five fields, and the kind.
    const OTHERS: usize = 64;
    let mut out = Vec::with_capacity(payload.len() + tx_id.len() + event.len() + channel_id.len() + OTHERS);
    varint_field(&mut out, 1, u64::from(kind.unsigned_abs()));
    bytes_field(&mut out, 3, payload);
    bytes_field(&mut out, 4, tx_id);
    bytes_field(&mut out, 6, event);
    bytes_field(&mut out, 7, channel_id);
    out.into()
}

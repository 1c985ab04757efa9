// SPDX-License-Identifier: Apache-2.0
//! `ChaincodeMessage`: its types, and how those that the peer sends are written.

use fastledger_wire::encode;

/// `ChaincodeMessage.Type`.
pub(crate) mod kind {
    pub(crate) const INIT: i32 = 3;
    pub(crate) const TRANSACTION: i32 = 5;
    pub(crate) const ERROR: i32 = 7;
    pub(crate) const GET_STATE: i32 = 8;
    pub(crate) const PUT_STATE: i32 = 9;
    pub(crate) const DEL_STATE: i32 = 10;
    pub(crate) const INVOKE_CHAINCODE: i32 = 11;
    pub(crate) const RESPONSE: i32 = 13;
    pub(crate) const GET_STATE_BY_RANGE: i32 = 14;
    pub(crate) const GET_QUERY_RESULT: i32 = 15;
    pub(crate) const QUERY_STATE_NEXT: i32 = 16;
    pub(crate) const QUERY_STATE_CLOSE: i32 = 17;
    pub(crate) const KEEPALIVE: i32 = 18;
    pub(crate) const GET_HISTORY_FOR_KEY: i32 = 19;
    pub(crate) const GET_STATE_METADATA: i32 = 20;
    pub(crate) const PUT_STATE_METADATA: i32 = 21;
    pub(crate) const GET_PRIVATE_DATA_HASH: i32 = 22;
    pub(crate) const PURGE_PRIVATE_DATA: i32 = 23;
    pub(crate) const WRITE_BATCH_STATE: i32 = 24;
    pub(crate) const GET_STATE_MULTIPLE: i32 = 25;
}

/// The name of a type that asks for something; none for others.
pub(crate) fn request_name(kind: i32) -> Option<&'static str> {
    Some(match kind {
        kind::GET_STATE => "GET_STATE",
        kind::PUT_STATE => "PUT_STATE",
        kind::DEL_STATE => "DEL_STATE",
        kind::INVOKE_CHAINCODE => "INVOKE_CHAINCODE",
        kind::GET_STATE_BY_RANGE => "GET_STATE_BY_RANGE",
        kind::GET_QUERY_RESULT => "GET_QUERY_RESULT",
        kind::QUERY_STATE_NEXT => "QUERY_STATE_NEXT",
        kind::QUERY_STATE_CLOSE => "QUERY_STATE_CLOSE",
        kind::GET_HISTORY_FOR_KEY => "GET_HISTORY_FOR_KEY",
        kind::GET_STATE_METADATA => "GET_STATE_METADATA",
        kind::PUT_STATE_METADATA => "PUT_STATE_METADATA",
        kind::GET_PRIVATE_DATA_HASH => "GET_PRIVATE_DATA_HASH",
        kind::PURGE_PRIVATE_DATA => "PURGE_PRIVATE_DATA",
        kind::WRITE_BATCH_STATE => "WRITE_BATCH_STATE",
        kind::GET_STATE_MULTIPLE => "GET_STATE_MULTIPLE",
        _ => return None,
    })
}

/// A message of a transaction; an empty proposal is none.
pub(crate) fn encoded(kind: i32, payload: &[u8], tx_id: &str, proposal: &[u8], channel_id: &str) -> Vec<u8> {
    // Lengths take at most five bytes, tags one.
    let mut out = Vec::with_capacity(payload.len() + proposal.len() + tx_id.len() + channel_id.len() + 32);
    encode::varint_field(&mut out, 1, u64::from(kind.unsigned_abs()));
    encode::bytes_field(&mut out, 3, payload);
    encode::bytes_field(&mut out, 4, tx_id.as_bytes());
    encode::bytes_field(&mut out, 5, proposal);
    encode::bytes_field(&mut out, 7, channel_id.as_bytes());
    out
}

/// Why a request is not answered.
pub(crate) fn refusal(kind: i32, tx_id: &str, channel_id: &str, reason: &str) -> Vec<u8> {
    let name = request_name(kind).unwrap_or_default();
    let text = format!("{name} failed: transaction ID: {tx_id}: {reason}");
    encoded(kind::ERROR, text.as_bytes(), tx_id, &[], channel_id)
}

// SPDX-License-Identifier: Apache-2.0
//! What a committed block tells those who wait for its transactions (`core/peer/deliverevents.go`).
//!
//! Fabric refuses a whole block of which one transaction cannot be decoded, and so whoever may submit one can keep a
//! channel's events from everybody. Here such a transaction is left out, or emits nothing, and the others are told of.

use crate::common::{Block, ChannelHeader, Envelope, Payload, header_type, metadata_slot};
use crate::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEvent, ProposalResponsePayload, Transaction, TransactionAction,
};
use crate::{DecodeError, Message, TxValidationCode, encode};

/// Fields of `protos.FilteredBlock`, `FilteredTransaction`, `FilteredTransactionActions`, `FilteredChaincodeAction`.
mod field {
    pub(super) const CHANNEL_ID: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const FILTERED_TRANSACTIONS: u32 = 4;
    pub(super) const TXID: u32 = 1;
    pub(super) const TYPE: u32 = 2;
    pub(super) const TX_VALIDATION_CODE: u32 = 3;
    pub(super) const TRANSACTION_ACTIONS: u32 = 4;
    pub(super) const CHAINCODE_ACTIONS: u32 = 1;
    pub(super) const CHAINCODE_EVENT: u32 = 1;
    pub(super) const EVENT_CHAINCODE_ID: u32 = 1;
    pub(super) const EVENT_TX_ID: u32 = 2;
    pub(super) const EVENT_NAME: u32 = 3;
}

/// An event that a transaction's chaincode has set.
#[derive(Debug, PartialEq, Eq)]
pub struct EmittedEvent<'a> {
    /// The transaction's id, as its channel header has it.
    pub tx_id: &'a str,
    /// Its verdict.
    pub code: u8,
    /// Whose event it is, and its encoding; absent where the transaction emits none.
    pub event: Option<(&'a str, &'a [u8])>,
}

/// Ids of a block's transactions as their channel headers have them; empty where there is none.
#[must_use]
pub fn transaction_ids<'a>(block: &Block<'a>) -> Vec<&'a str> {
    envelopes(block).map(|envelope| decode(envelope).map_or("", |(header, _)| header.tx_id)).collect()
}

/// Encodes the `protos.FilteredBlock` of a committed block: ids, types, codes, and events without their payloads.
#[must_use]
pub fn filtered_block(block: &Block<'_>) -> Vec<u8> {
    let (mut channel_id, mut transactions) = ("", Vec::new());
    for (index, envelope) in envelopes(block).enumerate() {
        let Some((header, data)) = decode(envelope) else { continue };
        channel_id = header.channel_id;
        let transaction = filtered_transaction(&header, data, code(block, index));
        encode::present_field(&mut transactions, field::FILTERED_TRANSACTIONS, &transaction);
    }
    let mut filtered = Vec::with_capacity(transactions.len() + channel_id.len() + 24);
    encode::bytes_field(&mut filtered, field::CHANNEL_ID, channel_id.as_bytes());
    encode::varint_field(&mut filtered, field::NUMBER, block.header.as_ref().map_or(0, |header| header.number));
    filtered.append(&mut transactions);
    filtered
}

/// The event of each transaction, in the block's order; what cannot be read is left out.
#[must_use]
pub fn emitted_events<'a>(block: &Block<'a>) -> Vec<EmittedEvent<'a>> {
    let of = |(index, envelope)| {
        let (header, data) = decode(envelope)?;
        let event = match header.r#type {
            // A transaction has one action.
            header_type::ENDORSER_TRANSACTION => {
                let encoded = chaincode_action(Transaction::decode(data).ok()?.actions.first()?).ok()?.events;
                Some((ChaincodeEvent::decode(encoded).ok()?.chaincode_id, encoded))
            }
            _ => None,
        };
        let event = event.filter(|(chaincode_id, _)| !chaincode_id.is_empty());
        Some(EmittedEvent { tx_id: header.tx_id, code: code(block, index), event })
    };
    envelopes(block).enumerate().filter_map(of).collect()
}

fn envelopes<'a>(block: &Block<'a>) -> impl Iterator<Item = &'a [u8]> {
    block.data.iter().flat_map(|data| data.data.iter().copied())
}

/// A transaction's code; whoever has not committed a block has given it none.
fn code(block: &Block<'_>, index: usize) -> u8 {
    let slots = block.metadata.as_ref().map_or([].as_slice(), |metadata| &metadata.metadata);
    let codes = slots.get(metadata_slot::TRANSACTIONS_FILTER);
    codes.and_then(|codes| codes.get(index)).copied().unwrap_or(TxValidationCode::NotValidated as u8)
}

/// The channel header of an envelope that has one, and what the envelope carries.
fn decode(envelope: &[u8]) -> Option<(ChannelHeader<'_>, &[u8])> {
    let payload = Payload::decode(Envelope::decode(envelope).ok()?.payload).ok()?;
    Some((ChannelHeader::decode(payload.header?.channel_header).ok()?, payload.data))
}

fn filtered_transaction(header: &ChannelHeader<'_>, data: &[u8], code: u8) -> Vec<u8> {
    let mut transaction = Vec::with_capacity(header.tx_id.len() + 16);
    encode::bytes_field(&mut transaction, field::TXID, header.tx_id.as_bytes());
    #[expect(clippy::cast_sign_loss, reason = "protobuf extends the sign of an enum's value to 64 bits")]
    encode::varint_field(&mut transaction, field::TYPE, i64::from(header.r#type) as u64);
    encode::varint_field(&mut transaction, field::TX_VALIDATION_CODE, u64::from(code));
    if header.r#type == header_type::ENDORSER_TRANSACTION {
        let actions = filtered_actions(data).unwrap_or_default();
        encode::present_field(&mut transaction, field::TRANSACTION_ACTIONS, &actions);
    }
    transaction
}

fn filtered_actions(data: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut actions = Vec::new();
    for action in &Transaction::decode(data)?.actions {
        let event = ChaincodeEvent::decode(chaincode_action(action)?.events)?;
        if !event.chaincode_id.is_empty() {
            let mut kept = Vec::new();
            encode::bytes_field(&mut kept, field::EVENT_CHAINCODE_ID, event.chaincode_id.as_bytes());
            encode::bytes_field(&mut kept, field::EVENT_TX_ID, event.tx_id.as_bytes());
            encode::bytes_field(&mut kept, field::EVENT_NAME, event.event_name.as_bytes());
            let mut filtered = Vec::with_capacity(kept.len() + 4);
            encode::present_field(&mut filtered, field::CHAINCODE_EVENT, &kept);
            encode::present_field(&mut actions, field::CHAINCODE_ACTIONS, &filtered);
        }
    }
    Ok(actions)
}

fn chaincode_action<'a>(action: &TransactionAction<'a>) -> Result<ChaincodeAction<'a>, DecodeError> {
    let endorsed = ChaincodeActionPayload::decode(action.payload)?.action.unwrap_or_default();
    ChaincodeAction::decode(ProposalResponsePayload::decode(endorsed.proposal_response_payload)?.extension)
}

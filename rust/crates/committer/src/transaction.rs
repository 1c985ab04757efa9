// SPDX-License-Identifier: Apache-2.0
//! One entry of a block, taken apart as far as its bytes alone allow.
//!
//! Fabric decodes the same bytes several times, once per check; here they are decoded once, and what a later
//! check would have complained about is kept as a result until that check's turn comes
//! (`core/common/validation/msgvalidation.go`, `plugindispatcher/dispatcher.go`).

use std::borrow::Cow;

use fastledger_wire::common::{ChannelHeader, Envelope, Header, Payload, SignatureHeader, header_type};
use fastledger_wire::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeHeaderExtension, Endorsement, ProposalResponsePayload,
    Transaction,
};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{DecodeError, Message, TxValidationCode, hash};

use crate::verdict::Invalid;

/// One entry of `BlockData`.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The id that the ledger's index keeps for this entry (`protoutil.GetOrComputeTxIDFromEnvelope`); empty when there is none.
    pub indexed_tx_id: Cow<'a, str>,
    /// The entry, or what is wrong with it before any signature is looked at.
    pub signed: Result<Signed<'a>, Invalid>,
}

/// An entry whose headers are sound: there is a creator whose signature can be judged.
#[derive(Debug)]
pub struct Signed<'a> {
    /// Bytes that the creator signed.
    pub payload: &'a [u8],
    /// The creator's signature.
    pub signature: &'a [u8],
    /// Type, channel and transaction id.
    pub channel_header: ChannelHeader<'a>,
    /// Creator and nonce.
    pub signature_header: SignatureHeader<'a>,
    /// What is judged once the signature holds.
    pub body: Result<Body<'a>, Invalid>,
}

/// What a well-signed entry asks for.
#[derive(Debug)]
pub enum Body<'a> {
    /// A new configuration: an encoded `ConfigEnvelope`.
    Config(&'a [u8]),
    /// An endorsed transaction.
    Endorser(Box<EndorserTransaction<'a>>),
}

/// An endorsed transaction whose structure and proposal hash are right.
#[derive(Debug)]
pub struct EndorserTransaction<'a> {
    /// From the channel header; it equals the computed id.
    pub tx_id: &'a str,
    /// Bytes that the endorsers signed, each followed by its own identity.
    pub proposal_response_payload: &'a [u8],
    /// In the order of the transaction.
    pub endorsements: Vec<Endorsement<'a>>,
    /// Encoded `ChaincodeProposalPayload`, for the checks of LSCC's invocations.
    pub proposal_payload: &'a [u8],
    /// Names the invoked chaincode.
    pub header_extension: Result<ChaincodeHeaderExtension<'a>, DecodeError>,
    /// The simulation's outcome, or why there is none.
    pub action: Result<ChaincodeAction<'a>, String>,
    /// The simulation's reads and writes.
    pub rwset: Result<TxRwSet<'a>, DecodeError>,
}

impl<'a> Entry<'a> {
    /// Takes an entry apart; never fails, because invalid is a verdict.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Self {
        let envelope = match Envelope::decode(data) {
            Ok(envelope) => envelope,
            Err(error) => {
                let text = format!("the entry is not an envelope: {error}");
                return Self::malformed(TxValidationCode::InvalidOtherReason, text);
            }
        };
        let payload = match Payload::decode(envelope.payload) {
            Ok(payload) => payload,
            Err(error) => {
                return Self::malformed(
                    TxValidationCode::BadPayload,
                    format!("the payload cannot be decoded: {error}"),
                );
            }
        };
        let Some(header) = payload.header else {
            return Self::malformed(TxValidationCode::BadCommonHeader, "the payload has no header".to_owned());
        };
        Self::with_header(&envelope, &header, payload.data)
    }

    fn malformed(code: TxValidationCode, text: String) -> Self {
        Self { indexed_tx_id: Cow::Borrowed(""), signed: Err(Invalid::rule(code, text)) }
    }

    fn with_header(envelope: &Envelope<'a>, header: &Header<'a>, data: &'a [u8]) -> Self {
        let channel_header = ChannelHeader::decode(header.channel_header);
        let signature_header = SignatureHeader::decode(header.signature_header);
        let computed_tx_id =
            signature_header.as_ref().ok().map(|signed| hash::tx_id(signed.nonce, signed.creator)).unwrap_or_default();
        let indexed_tx_id = match &channel_header {
            Ok(channel) if channel.tx_id.is_empty() => Cow::Owned(computed_tx_id.clone()),
            Ok(channel) => Cow::Borrowed(channel.tx_id),
            Err(_) => Cow::Borrowed(""),
        };
        let signed = common_header(channel_header, signature_header).map(|(channel_header, signature_header)| {
            let body = body(header, &channel_header, &computed_tx_id, data);
            Signed { payload: envelope.payload, signature: envelope.signature, channel_header, signature_header, body }
        });
        Self { indexed_tx_id, signed }
    }
}

/// `validateCommonHeader`.
fn common_header<'a>(
    channel_header: Result<ChannelHeader<'a>, DecodeError>,
    signature_header: Result<SignatureHeader<'a>, DecodeError>,
) -> Result<(ChannelHeader<'a>, SignatureHeader<'a>), Invalid> {
    let bad = |text: String| Invalid::rule(TxValidationCode::BadCommonHeader, text);
    let channel_header = channel_header.map_err(|error| bad(format!("channel header: {error}")))?;
    let signature_header = signature_header.map_err(|error| bad(format!("signature header: {error}")))?;
    match channel_header.r#type {
        header_type::CONFIG | header_type::CONFIG_UPDATE | header_type::ENDORSER_TRANSACTION => {}
        other => return Err(bad(format!("header type {other} has no place in a block"))),
    }
    if channel_header.epoch != 0 {
        return Err(bad(format!("epoch {} instead of 0", channel_header.epoch)));
    }
    signature_header_complete(&signature_header).map_err(|text| bad(text.to_owned()))?;
    Ok((channel_header, signature_header))
}

/// `validateSignatureHeader`.
fn signature_header_complete(header: &SignatureHeader<'_>) -> Result<(), &'static str> {
    match (header.nonce, header.creator) {
        ([], _) => Err("the signature header has no nonce"),
        (_, []) => Err("the signature header has no creator"),
        _ => Ok(()),
    }
}

fn body<'a>(
    header: &Header<'a>,
    channel_header: &ChannelHeader<'a>,
    computed_tx_id: &str,
    data: &'a [u8],
) -> Result<Body<'a>, Invalid> {
    match channel_header.r#type {
        header_type::CONFIG if data.is_empty() => {
            Err(Invalid::rule(TxValidationCode::InvalidConfigTransaction, "the configuration is empty"))
        }
        header_type::CONFIG => Ok(Body::Config(data)),
        header_type::ENDORSER_TRANSACTION if channel_header.tx_id != computed_tx_id => Err(Invalid::rule(
            TxValidationCode::BadProposalTxid,
            format!("transaction id {:?}, but nonce and creator give {computed_tx_id}", channel_header.tx_id),
        )),
        header_type::ENDORSER_TRANSACTION => endorser_transaction(header, channel_header, data)
            .map(|transaction| Body::Endorser(Box::new(transaction)))
            .map_err(|text| Invalid::rule(TxValidationCode::InvalidEndorserTransaction, text)),
        _ => Err(Invalid::rule(TxValidationCode::UnsupportedTxPayload, "a CONFIG_UPDATE is for orderers only")),
    }
}

/// `validateEndorserTransaction`, and the decoding that the checks after it share.
fn endorser_transaction<'a>(
    header: &Header<'a>,
    channel_header: &ChannelHeader<'a>,
    data: &'a [u8],
) -> Result<EndorserTransaction<'a>, String> {
    if data.is_empty() {
        return Err("the payload has no data".to_owned());
    }
    let transaction = Transaction::decode(data).map_err(|error| format!("transaction: {error}"))?;
    let [action] = transaction.actions.as_slice() else {
        return Err(format!("{} actions instead of one", transaction.actions.len()));
    };
    let action_header =
        SignatureHeader::decode(action.header).map_err(|error| format!("the action's signature header: {error}"))?;
    signature_header_complete(&action_header).map_err(|text| format!("in the action, {text}"))?;
    let payload =
        ChaincodeActionPayload::decode(action.payload).map_err(|error| format!("chaincode action payload: {error}"))?;
    let Some(endorsed) = payload.action else {
        return Err("the chaincode action payload has no action".to_owned());
    };
    let response = ProposalResponsePayload::decode(endorsed.proposal_response_payload)
        .map_err(|error| format!("proposal response payload: {error}"))?;
    proposal_hash(header, action.header, payload.chaincode_proposal_payload, response.proposal_hash)?;
    let action = chaincode_action(endorsed.proposal_response_payload, response.extension);
    let results = action.as_ref().map_or([].as_slice(), |action| action.results);
    Ok(EndorserTransaction {
        tx_id: channel_header.tx_id,
        proposal_response_payload: endorsed.proposal_response_payload,
        endorsements: endorsed.endorsements,
        proposal_payload: payload.chaincode_proposal_payload,
        header_extension: ChaincodeHeaderExtension::decode(channel_header.extension),
        rwset: TxRwSet::decode(results),
        action,
    })
}

/// `protoutil.GetProposalHash2`: the endorsers signed the proposal that the client sent.
fn proposal_hash(
    header: &Header<'_>,
    action_header: &[u8],
    proposal_payload: &[u8],
    expected: &[u8],
) -> Result<(), String> {
    if proposal_payload.is_empty() {
        return Err("there is no chaincode proposal payload".to_owned());
    }
    let found = hash::sha256(&[header.channel_header, action_header, proposal_payload]);
    if found.as_slice() == expected {
        return Ok(());
    }
    Err(format!("proposal hash {}, but the endorsers signed {}", hash::hex(&found), hash::hex(expected)))
}

/// `protoutil.GetPayloads`.
fn chaincode_action<'a>(response_payload: &[u8], extension: &'a [u8]) -> Result<ChaincodeAction<'a>, String> {
    if response_payload.is_empty() {
        return Err("the chaincode action payload has no proposal response payload".to_owned());
    }
    if extension.is_empty() {
        return Err("the proposal response payload has no extension".to_owned());
    }
    ChaincodeAction::decode(extension).map_err(|error| format!("chaincode action: {error}"))
}

// SPDX-License-Identifier: Apache-2.0
//! One entry of a block, taken apart as far as its bytes alone allow.
//!
//! Fabric decodes the same bytes several times, once per check; here they are decoded once, and what a later
//! check would have complained about is kept as a result until that check's turn comes
//! (`core/common/validation/msgvalidation.go`, `plugindispatcher/dispatcher.go`). Transaction ids and proposal hashes
//! of many entries are computed at once, hence the [`Draft`].

use std::borrow::Cow;
use std::sync::Arc;

use fastledger_crypto::{self as crypto, prefetch, sha256_many};
use fastledger_wire::common::{ChannelHeader, Envelope, Header, Payload, SignatureHeader, header_type};
use fastledger_wire::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeHeaderExtension, Endorsement, ProposalResponsePayload,
    Transaction,
};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{DecodeError, Hash, Message, TxValidationCode, hash};

use crate::verdict::Invalid;

/// How far ahead of the entry in work the caches are filled.
const ENTRIES_AHEAD: usize = 2;

/// One entry of `BlockData`. It is small where there is nothing in it: a block may consist of millions of such.
#[derive(Debug)]
pub enum Entry<'a> {
    /// Without headers.
    Bare(Invalid),
    /// With headers, for better or worse.
    Headed(Box<Headed<'a>>),
}

/// An entry with headers.
#[derive(Debug)]
pub struct Headed<'a> {
    indexed_tx_id: Cow<'a, str>,
    signed: Result<Signed<'a>, Invalid>,
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
    /// A new channel, to an orderer's system channel: an encoded envelope with its first configuration.
    ChannelCreation(&'a [u8]),
    /// An update of the peers' own configuration, to peers of 1.1.
    ResourceUpdate,
    /// A transaction of `FabToken`, which peers of 1.4 recognized and never took.
    Token,
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
    /// The id that the ledger's index keeps for this entry (`protoutil.GetOrComputeTxIDFromEnvelope`); empty when there
    /// is none.
    #[must_use]
    pub fn indexed_tx_id(&self) -> &str {
        match self {
            Self::Bare(_) => "",
            Self::Headed(headed) => &headed.indexed_tx_id,
        }
    }

    /// The entry, or what is wrong with it before any signature is looked at.
    pub fn signed(&self) -> Result<&Signed<'a>, &Invalid> {
        match self {
            Self::Bare(invalid) => Err(invalid),
            Self::Headed(headed) => headed.signed.as_ref(),
        }
    }

    fn invalid_mut(&mut self) -> Option<&mut Invalid> {
        match self {
            Self::Bare(invalid) => Some(invalid),
            Self::Headed(headed) => match &mut headed.signed {
                Ok(Signed { body, .. }) => body.as_mut().err(),
                Err(invalid) => Some(invalid),
            },
        }
    }

    /// Takes one entry apart.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Self {
        let draft = Draft::parse(data);
        let digests: Vec<_> = draft.messages().map(hash::sha256).collect();
        draft.settle(&mut digests.into_iter())
    }

    /// Takes entries apart; never fails, because invalid is a verdict.
    #[must_use]
    pub fn parse_all(entries: &[&'a [u8]]) -> Vec<Self> {
        let parse = |(index, entry): (usize, &&'a [u8])| {
            if let Some(ahead) = entries.get(index + ENTRIES_AHEAD) {
                prefetch(ahead);
            }
            Draft::parse(entry)
        };
        let drafts: Vec<_> = entries.iter().enumerate().map(parse).collect();
        let messages: Vec<_> = drafts.iter().flat_map(Draft::messages).collect();
        let mut digests = vec![[0; 32]; messages.len()];
        sha256_many(&messages, &mut digests);
        let mut digests = digests.into_iter();
        let mut known = Vec::new();
        let settled = drafts.into_iter().map(|draft| {
            let mut entry = draft.settle(&mut digests);
            if let Some(invalid) = entry.invalid_mut() {
                share_reason(invalid, &mut known);
            }
            entry
        });
        settled.collect()
    }
}

/// Lets what is told of an entry be what is told of an earlier one, if it says the same: entries of a few bytes would
/// otherwise take hundreds each.
fn share_reason(invalid: &mut Invalid, known: &mut Vec<Invalid>) {
    match known.iter().find(|known| *known == invalid) {
        Some(same) => invalid.reason = Arc::clone(&same.reason),
        None if known.len() < MAX_SHARED_REASONS => known.push(invalid.clone()),
        None => {}
    }
}

/// Different reasons that are looked through for one that says the same.
const MAX_SHARED_REASONS: usize = 8;

/// An entry decoded, with what its hashes are to be computed of.
struct Draft<'a> {
    entry: Entry<'a>,
    /// Nonce and creator, which make the transaction id.
    tx_id: Option<[&'a [u8]; 2]>,
    proposal: Option<Proposal<'a>>,
}

/// What the endorsers say that they signed for.
struct Proposal<'a> {
    /// Channel header, the action's signature header, chaincode proposal payload (`protoutil.GetProposalHash2`).
    parts: [&'a [u8]; 3],
    /// Their hash by the proposal response payload.
    expected: &'a [u8],
}

impl<'a> Draft<'a> {
    fn parse(data: &'a [u8]) -> Self {
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
        Self { entry: Entry::Bare(Invalid::rule(code, text)), tx_id: None, proposal: None }
    }

    fn with_header(envelope: &Envelope<'a>, header: &Header<'a>, data: &'a [u8]) -> Self {
        let channel_header = ChannelHeader::decode(header.channel_header);
        let signature_header = SignatureHeader::decode(header.signature_header);
        let (tx_id, indexed_tx_id) = match (&channel_header, &signature_header) {
            (Ok(channel), Ok(signed)) => (Some([signed.nonce, signed.creator]), channel.tx_id),
            (Ok(channel), Err(_)) => (None, channel.tx_id),
            (Err(_), _) => (None, ""),
        };
        let mut proposal = None;
        let signed = common_header(channel_header, signature_header).map(|(channel_header, signature_header)| {
            let body = body(header, &channel_header, data, &mut proposal);
            let (payload, signature) = (envelope.payload, envelope.signature);
            Signed { payload, signature, channel_header, signature_header, body }
        });
        let entry = Entry::Headed(Box::new(Headed { indexed_tx_id: Cow::Borrowed(indexed_tx_id), signed }));
        Self { entry, tx_id, proposal }
    }

    /// What is to be hashed.
    fn messages(&self) -> impl Iterator<Item = crypto::Message<'_>> {
        let proposal = self.proposal.iter().map(|proposal| &proposal.parts[..]);
        self.tx_id.iter().map(|parts| &parts[..]).chain(proposal)
    }

    /// Holds the entry against the digests of its messages.
    fn settle(mut self, digests: &mut impl Iterator<Item = Hash>) -> Entry<'a> {
        let computed = self.tx_id.and_then(|_| digests.next());
        let proposal = self.proposal.and_then(|proposal| Some((digests.next()?, proposal.expected)));
        let (Some(computed), Entry::Headed(headed)) = (computed, &mut self.entry) else { return self.entry };
        if let Ok(signed) = &mut headed.signed
            && matches!(
                signed.channel_header.r#type,
                header_type::ENDORSER_TRANSACTION | header_type::TOKEN_TRANSACTION
            )
            && let Err(invalid) = check_hashes(signed.channel_header.tx_id, &computed, proposal)
        {
            signed.body = Err(invalid);
        }
        if headed.indexed_tx_id.is_empty() {
            headed.indexed_tx_id = Cow::Owned(hash::hex(&computed));
        }
        self.entry
    }
}

/// `protoutil.CheckTxID`, and whether the endorsers signed the proposal that the client sent.
fn check_hashes(tx_id: &str, computed: &Hash, proposal: Option<(Hash, &[u8])>) -> Result<(), Invalid> {
    if tx_id.as_bytes() != hash::hex_digits(computed) {
        return Err(Invalid::rule(
            TxValidationCode::BadProposalTxid,
            format!("transaction id {tx_id:?}, but nonce and creator give {}", hash::hex(computed)),
        ));
    }
    match proposal {
        Some((found, expected)) if found != expected => Err(Invalid::rule(
            TxValidationCode::InvalidEndorserTransaction,
            format!("proposal hash {}, but the endorsers signed {}", hash::hex(&found), hash::hex(expected)),
        )),
        _ => Ok(()),
    }
}

/// `validateCommonHeader` but for the type, of which it depends on channel and release whether it is known.
fn common_header<'a>(
    channel_header: Result<ChannelHeader<'a>, DecodeError>,
    signature_header: Result<SignatureHeader<'a>, DecodeError>,
) -> Result<(ChannelHeader<'a>, SignatureHeader<'a>), Invalid> {
    let bad = |text: String| Invalid::rule(TxValidationCode::BadCommonHeader, text);
    let channel_header = channel_header.map_err(|error| bad(format!("channel header: {error}")))?;
    let signature_header = signature_header.map_err(|error| bad(format!("signature header: {error}")))?;
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

/// The body, as far as it does not hang on hashes.
fn body<'a>(
    header: &Header<'a>,
    channel_header: &ChannelHeader<'a>,
    data: &'a [u8],
    proposal: &mut Option<Proposal<'a>>,
) -> Result<Body<'a>, Invalid> {
    match channel_header.r#type {
        header_type::CONFIG if data.is_empty() => {
            Err(Invalid::rule(TxValidationCode::InvalidConfigTransaction, "the configuration is empty"))
        }
        header_type::CONFIG => Ok(Body::Config(data)),
        header_type::ENDORSER_TRANSACTION => endorser_transaction(header, channel_header, data, proposal)
            .map(|transaction| Body::Endorser(Box::new(transaction)))
            .map_err(|text| Invalid::rule(TxValidationCode::InvalidEndorserTransaction, text)),
        header_type::ORDERER_TRANSACTION => Ok(Body::ChannelCreation(data)),
        header_type::PEER_RESOURCE_UPDATE => Ok(Body::ResourceUpdate),
        header_type::TOKEN_TRANSACTION => Ok(Body::Token),
        _ => Err(Invalid::rule(TxValidationCode::UnsupportedTxPayload, "a CONFIG_UPDATE is for orderers only")),
    }
}

/// `validateEndorserTransaction`, and the decoding that the checks after it share.
fn endorser_transaction<'a>(
    header: &Header<'a>,
    channel_header: &ChannelHeader<'a>,
    data: &'a [u8],
    proposal: &mut Option<Proposal<'a>>,
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
    if payload.chaincode_proposal_payload.is_empty() {
        return Err("there is no chaincode proposal payload".to_owned());
    }
    *proposal = Some(Proposal {
        parts: [header.channel_header, action.header, payload.chaincode_proposal_payload],
        expected: response.proposal_hash,
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_nothing_take_little_and_share_what_is_told_of_them() {
        assert!(size_of::<Entry<'_>>() <= 16, "{} bytes", size_of::<Entry<'_>>());
        // Without a payload's header, with a payload that ends early, and not an envelope.
        let kinds: [&[u8]; 3] = [b"", b"\x0a\x01x", b"\x0a"];
        let entries: Vec<&[u8]> = kinds.repeat(100);
        let parsed = Entry::parse_all(&entries);
        let mut reasons: Vec<_> =
            parsed.iter().map(|entry| Arc::as_ptr(&entry.signed().expect_err("bad").reason)).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), kinds.len());
        for (entry, data) in parsed.iter().zip(entries) {
            let alone = Entry::parse(data);
            assert_eq!(entry.signed().map(|_| ()), alone.signed().map(|_| ()), "{data:?}");
        }
    }
}

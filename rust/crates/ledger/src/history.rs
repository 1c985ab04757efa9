// SPDX-License-Identifier: Apache-2.0
//! The history of a key, with the values that the blocks hold (`history/query_executer.go`).

use fastledger_wire::common::{ChannelHeader, Envelope, Payload, Timestamp};
use fastledger_wire::peer::{ChaincodeAction, ChaincodeActionPayload, ProposalResponsePayload, Transaction};
use fastledger_wire::rwset::TxRwSet;
use fastledger_wire::{DecodeError, Height, Message, hash};

use crate::error::Result;
use crate::ledger::Ledger;

/// One change of a key (`queryresult.KeyModification`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyModification {
    /// The transaction that made it.
    pub height: Height,
    /// The transaction's id.
    pub tx_id: String,
    /// When the client says it made the proposal.
    pub timestamp: Option<Timestamp>,
    /// The new value; empty if the key was deleted.
    pub value: Vec<u8>,
    /// Whether the key was deleted.
    pub is_delete: bool,
}

impl Ledger {
    /// Every change of a public key by a valid transaction, newest first; values are read from the blocks on the way.
    ///
    /// Changes before a snapshot that the ledger began from are not known.
    pub fn history(
        &self,
        namespace: &str,
        key: &str,
    ) -> Result<impl Iterator<Item = Result<KeyModification>> + use<'_>> {
        let heights = self.view()?.history(namespace, key)?;
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        Ok(heights.into_iter().map(move |height| {
            let envelope = self.transaction(height)?;
            let found = modification(height, &envelope, &namespace, &key);
            found.ok().flatten().ok_or_else(|| {
                self.lmdb.damaged(format!("transaction {height} does not write key {key:?} of {namespace}"))
            })
        }))
    }
}

/// The first write of the key in the transaction (`getKeyModificationFromTran`).
fn modification(
    height: Height,
    envelope: &[u8],
    namespace: &str,
    key: &str,
) -> std::result::Result<Option<KeyModification>, DecodeError> {
    let payload = Payload::decode(Envelope::decode(envelope)?.payload)?;
    let header = payload.header.unwrap_or_default();
    let channel = ChannelHeader::decode(header.channel_header)?;
    let transaction = Transaction::decode(payload.data)?;
    let Some(action) = transaction.actions.first() else { return Ok(None) };
    let action = ChaincodeActionPayload::decode(action.payload)?.action.unwrap_or_default();
    let response = ProposalResponsePayload::decode(action.proposal_response_payload)?;
    let rwset = TxRwSet::decode(ChaincodeAction::decode(response.extension)?.results)?;
    let written = rwset.namespaces.iter().find(|ns| ns.namespace == namespace);
    let Some(write) = written.and_then(|ns| ns.public.writes.iter().find(|write| write.key == key)) else {
        return Ok(None);
    };
    let tx_id = if channel.tx_id.is_empty() { computed_tx_id(header.signature_header)? } else { channel.tx_id.into() };
    Ok(Some(KeyModification {
        height,
        tx_id,
        timestamp: channel.timestamp,
        value: write.value.to_vec(),
        is_delete: write.is_delete || write.value.is_empty(),
    }))
}

fn computed_tx_id(signature_header: &[u8]) -> std::result::Result<String, DecodeError> {
    let header = fastledger_wire::common::SignatureHeader::decode(signature_header)?;
    Ok(hash::tx_id(header.nonce, header.creator))
}

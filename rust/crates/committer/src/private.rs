// SPDX-License-Identifier: Apache-2.0
//! What a block's transactions do to private data, as far as the block says it: in hashes.
//!
//! The values travel beside the blocks. Whoever keeps them learns here which of them the channel agreed on, which it
//! deletes and which it purges.

use fastledger_wire::common::{ChannelHeader, Envelope, Payload, header_type, metadata_slot};
use fastledger_wire::peer::{ChaincodeAction, ChaincodeActionPayload, ProposalResponsePayload, Transaction};
use fastledger_wire::rwset::{CollHashedRwSet, TxRwSet};
use fastledger_wire::{DecodeError, Message, TxValidationCode, block};

use crate::checked::Checked;
use crate::transaction::Body;

/// What one transaction writes to collections; an invalid one would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateEffects {
    /// Index of the transaction in its block.
    pub tx: u32,
    /// The id that its header names.
    pub tx_id: String,
    /// Whether the transaction is valid.
    pub valid: bool,
    /// The collections that it touched, in its order.
    pub collections: Vec<CollectionEffects>,
}

/// What one transaction writes to one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionEffects {
    /// Chaincode name.
    pub namespace: String,
    /// Collection name.
    pub collection: String,
    /// SHA-256 of the encoded private write set, empty where it only read.
    pub pvt_rwset_hash: Vec<u8>,
    /// The writes, in the order of the transaction.
    pub writes: Vec<HashedWrite>,
}

/// A write of which only hashes are public (`kvrwset.KVWriteHash`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedWrite {
    /// SHA-256 of the key.
    pub key_hash: Vec<u8>,
    /// SHA-256 of the value, empty for a deletion.
    pub value_hash: Vec<u8>,
    /// Whether the key is deleted.
    pub is_delete: bool,
    /// Whether all that was ever written under the key goes, too.
    pub is_purge: bool,
}

/// The effects of a block in the pipeline, by the entries as they were checked and as they came.
pub(crate) fn of_checked<'a>(
    checked: impl Iterator<Item = &'a Checked<'a>>,
    data: impl Iterator<Item = &'a [u8]>,
    codes: &[TxValidationCode],
) -> Vec<PrivateEffects> {
    let mut effects = Vec::new();
    for (((tx, checked), entry), code) in (0..).zip(checked).zip(data).zip(codes) {
        let valid = *code == TxValidationCode::Valid;
        match checked.entry.signed().map(|signed| &signed.body) {
            Ok(Ok(Body::Endorser(endorsed))) => {
                effects.extend(endorsed.rwset.iter().filter_map(|rwset| of_rwset(tx, endorsed.tx_id, valid, rwset)));
            }
            Ok(Ok(_)) => {}
            // It is invalid; its read-write set may be sound all the same.
            Ok(Err(_)) | Err(_) => effects.extend(of_entry(tx, entry, valid)),
        }
    }
    effects
}

/// The effects of a block in a block file, by the verdicts that stand in it.
pub(crate) fn of_record(record: &[u8]) -> Result<Vec<PrivateEffects>, DecodeError> {
    let block = block::decode_record(record)?;
    let metadata = block.metadata.unwrap_or_default().metadata;
    let codes = metadata.get(metadata_slot::TRANSACTIONS_FILTER).copied().unwrap_or_default();
    let entries = block.data.unwrap_or_default().data;
    let valid = |code: &u8| *code == TxValidationCode::Valid as u8;
    Ok((0..).zip(entries).zip(codes).filter_map(|((tx, entry), code)| of_entry(tx, entry, valid(code))).collect())
}

fn of_rwset(tx: u32, tx_id: &str, valid: bool, rwset: &TxRwSet<'_>) -> Option<PrivateEffects> {
    let namespaces = rwset.namespaces.iter();
    let collections: Vec<_> = namespaces
        .flat_map(|namespace| namespace.collections.iter().map(|one| of_collection(namespace.namespace, one)))
        .collect();
    (!collections.is_empty()).then(|| PrivateEffects { tx, tx_id: tx_id.to_owned(), valid, collections })
}

fn of_collection(namespace: &str, set: &CollHashedRwSet<'_>) -> CollectionEffects {
    let writes = set.hashed.hashed_writes.iter().map(|write| HashedWrite {
        key_hash: write.key_hash.to_vec(),
        value_hash: write.value_hash.to_vec(),
        is_delete: write.is_delete,
        is_purge: write.is_purge,
    });
    CollectionEffects {
        namespace: namespace.to_owned(),
        collection: set.collection.to_owned(),
        pvt_rwset_hash: set.pvt_rwset_hash.to_vec(),
        writes: writes.collect(),
    }
}

/// Takes an entry apart as far as it goes (`transactionInspector.inspectTransaction`); nothing is checked.
fn of_entry(tx: u32, entry: &[u8], valid: bool) -> Option<PrivateEffects> {
    let envelope = Envelope::decode(entry).ok()?;
    let payload = Payload::decode(envelope.payload).ok()?;
    let header = ChannelHeader::decode(payload.header?.channel_header).ok()?;
    if header.r#type != header_type::ENDORSER_TRANSACTION {
        return None;
    }
    let transaction = Transaction::decode(payload.data).ok()?;
    let action = ChaincodeActionPayload::decode(transaction.actions.first()?.payload).ok()?.action?;
    let response = ProposalResponsePayload::decode(action.proposal_response_payload).ok()?;
    let action = ChaincodeAction::decode(response.extension).ok()?;
    of_rwset(tx, header.tx_id, valid, &TxRwSet::decode(action.results).ok()?)
}

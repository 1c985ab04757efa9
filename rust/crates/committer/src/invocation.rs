// SPDX-License-Identifier: Apache-2.0
//! What an endorsed transaction invoked and which namespaces must endorse it
//! (`plugindispatcher/dispatcher.go` for 2.x channels, `v14/vscc_validator.go` for 1.x ones).

use std::collections::HashSet;

use fastledger_wire::peer::ChaincodeEvent;
use fastledger_wire::rwset::{NsRwSet, TxRwSet};
use fastledger_wire::{Message, TxValidationCode};

use crate::rules::Rules;
use crate::transaction::EndorserTransaction;
use crate::verdict::Invalid;

/// An endorsed transaction whose parts agree with each other.
#[derive(Debug)]
pub(crate) struct Invocation<'t, 'a> {
    /// Name of the invoked chaincode.
    pub chaincode: &'a str,
    /// Version that the endorsers ran.
    pub version: &'a str,
    /// What was read and written.
    pub rwset: &'t TxRwSet<'a>,
    /// Namespaces whose policies must hold, without duplicates: the invoked chaincode first where its own policy
    /// always counts, then as the transaction has them. (Fabric's 2.x order is that of a Go map.)
    pub namespaces: Vec<&'a str>,
}

impl<'t, 'a> Invocation<'t, 'a> {
    /// Holds the transaction's parts against each other, in Fabric's order of checks.
    pub(crate) fn of(tx: &'t EndorserTransaction<'a>, rules: Rules) -> Result<Self, Invalid> {
        let other = |text: String| Invalid::rule(TxValidationCode::InvalidOtherReason, text);
        let extension = tx.header_extension.as_ref().map_err(|error| {
            Invalid::rule(TxValidationCode::BadHeaderExtension, format!("header extension: {error}"))
        })?;
        let action =
            tx.action.as_ref().map_err(|text| Invalid::rule(TxValidationCode::BadResponsePayload, text.clone()))?;
        let rwset = tx
            .rwset
            .as_ref()
            .map_err(|error| Invalid::rule(TxValidationCode::BadRwset, format!("read-write set: {error}")))?;
        let Some(invoked) = &extension.chaincode_id else {
            return Err(other("the header extension names no chaincode".to_owned()));
        };
        let Some(ran) = &action.chaincode_id else {
            return Err(other("the chaincode action names no chaincode".to_owned()));
        };
        same_chaincode(invoked.name, ran.name, ran.version, rules)?;
        let own_policy_always_counts = rules.v2_0_validation || rules.v1_2_validation;
        if own_policy_always_counts && !action.events.is_empty() {
            own_event(action.events, invoked.name).map_err(other)?;
        }
        let own = own_policy_always_counts.then_some(invoked.name);
        let namespaces = guarded_namespaces(rwset, rules, own)?;
        Ok(Self { chaincode: invoked.name, version: ran.version, rwset, namespaces })
    }
}

fn same_chaincode(invoked: &str, ran: &str, version: &str, rules: Rules) -> Result<(), Invalid> {
    let code =
        if rules.v2_0_validation { TxValidationCode::InvalidChaincode } else { TxValidationCode::InvalidOtherReason };
    if invoked.is_empty() {
        return Err(Invalid::rule(code, "the invoked chaincode has no name"));
    }
    if invoked != ran {
        return Err(Invalid::rule(code, format!("chaincode {invoked:?} was invoked, but {ran:?} was endorsed")));
    }
    if version.is_empty() {
        return Err(Invalid::rule(code, format!("the endorsed version of chaincode {invoked:?} is empty")));
    }
    Ok(())
}

fn own_event(encoded: &[u8], chaincode: &str) -> Result<(), String> {
    let event = ChaincodeEvent::decode(encoded).map_err(|error| format!("chaincode event: {error}"))?;
    if event.chaincode_id == chaincode {
        return Ok(());
    }
    Err(format!("the event is of chaincode {:?}, but {chaincode:?} was invoked", event.chaincode_id))
}

fn guarded_namespaces<'a>(rwset: &TxRwSet<'a>, rules: Rules, own: Option<&'a str>) -> Result<Vec<&'a str>, Invalid> {
    let mut seen = HashSet::new();
    let mut namespaces = Vec::from_iter(own);
    for namespace in &rwset.namespaces {
        if !seen.insert(namespace.namespace) && !rules.era.allows_namespaces_twice() {
            let text = format!("namespace {:?} stands twice in the read-write set", namespace.namespace);
            return Err(Invalid::rule(TxValidationCode::IllegalWriteset, text));
        }
        if own != Some(namespace.namespace) && writes(namespace, rules) {
            namespaces.push(namespace.namespace);
        }
    }
    Ok(namespaces)
}

/// `txWritesToNamespace`: before the capabilities that introduced them, hashes and metadata do not count as writes.
fn writes(namespace: &NsRwSet<'_>, rules: Rules) -> bool {
    let (hashes_count, metadata_counts) =
        if rules.v2_0_validation { (true, true) } else { (rules.private_channel_data, rules.key_level_endorsement) };
    !namespace.public.writes.is_empty()
        || (metadata_counts && !namespace.public.metadata_writes.is_empty())
        || (hashes_count
            && namespace.collections.iter().any(|collection| {
                !collection.hashed.hashed_writes.is_empty()
                    || (metadata_counts && !collection.hashed.metadata_writes.is_empty())
            }))
}

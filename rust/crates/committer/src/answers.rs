// SPDX-License-Identifier: Apache-2.0
//! What the rules of validation say when somebody asks: which chaincodes there are, and who must endorse.
//!
//! Endorsers, gateways and discovery ask before there is a transaction. They get what the committer will apply, as the
//! view that they read and the configuration that they know have it.

use fastledger_identity::ChannelConfig;
use fastledger_ledger::{LedgerError, View};
use fastledger_wire::protobuf::with_stack_for;

use crate::definitions::{CollectionIndex, Definition, Unusable};
use crate::error::CommitError;
use crate::policies;
use crate::rules::Rules;

/// What the state says of a chaincode, none where no lifecycle defines it.
///
/// It may name plugins that do not exist here: then its transactions are invalid, and it is defined all the same.
pub fn definition(view: &View, name: &str) -> Result<Result<Option<Definition>, Unusable>, LedgerError> {
    Definition::find(view, name)
}

/// Who must endorse what is written to a namespace, or to one of its collections where `collection` is not empty: an
/// encoded `ApplicationPolicy`, none where nothing that is written there can be valid.
///
/// A key may have a policy of its own, which then counts instead of this one.
pub fn endorsement_policy(
    view: &View,
    config: &ChannelConfig,
    namespace: &str,
    collection: &str,
) -> Result<Option<Vec<u8>>, CommitError> {
    // Only where a collection's own policy is decoded does the nesting matter here.
    let decoded = if collection.is_empty() { 0 } else { usize::MAX };
    with_stack_for(decoded, || {
        let rules = Rules::of(config);
        let Ok(definition) = Definition::in_force(view, namespace, rules)? else { return Ok(None) };
        let own = definition.policy(rules);
        if collection.is_empty() {
            return Ok(policies::encode(config, own).ok());
        }
        let Ok(guard) = definition.collection_guard(collection, &CollectionIndex::default()) else { return Ok(None) };
        Ok(policies::encode(config, guard.policy().unwrap_or(own)).ok())
    })
}

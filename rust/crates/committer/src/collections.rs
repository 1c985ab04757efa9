// SPDX-License-Identifier: Apache-2.0
//! What a block means for private data: when hashed keys expire, and which collection configurations it brings.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fastledger_ledger::{Expiry, expiring_block};
use fastledger_mvcc::{StateReader, UpdateBatch};
use fastledger_wire::Message;
use fastledger_wire::peer::{CollectionConfig, CollectionConfigPackage};

use crate::definitions::{Definition, PublicState, StateAfter};
use crate::system_chaincodes::{LIFECYCLE, LSCC};

/// Schedules the hashed keys that a block writes to collections with a `blockToLive`.
pub(crate) fn expiries<'a, S: StateReader>(
    block_number: u64,
    batch: &UpdateBatch<'a>,
    state: &S,
) -> Result<Vec<Expiry<'a>>, S::Error> {
    let mut lives: HashMap<&str, Lives> = HashMap::new();
    let mut expiries = Vec::new();
    for update in &batch.updates {
        let (namespace, collection) = (update.key.namespace, update.key.collection);
        if collection.is_empty() {
            continue;
        }
        let known = match lives.entry(namespace) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(lives_of(&collections_of(state, namespace)?)),
        };
        let life = known.get(collection).copied().unwrap_or(0);
        if let Some(expiring_block) = expiring_block(block_number, life) {
            expiries.push(Expiry { key: update.key, expiring_block });
        }
    }
    Ok(expiries)
}

/// How many blocks the values of a chaincode's collections live; 0 is for ever, as it is where a collection is not
/// defined.
type Lives = HashMap<Box<str>, u64>;

fn lives_of(package: &[u8]) -> Lives {
    let mut lives = Lives::new();
    for config in CollectionConfigPackage::decode(package).unwrap_or_default().config {
        if let CollectionConfig::Static(config) = config {
            lives.entry(config.name.into()).or_insert(config.block_to_live);
        }
    }
    lives
}

/// A chaincode's encoded `CollectionConfigPackage`, of whichever lifecycle defines it; empty for none.
fn collections_of<S: PublicState>(state: &S, name: &str) -> Result<Vec<u8>, S::Error> {
    Ok(match Definition::find(state, name)? {
        Ok(Some(Definition::Lifecycle(found))) => found.collections,
        Ok(Some(Definition::Legacy(found))) => found.collections,
        Ok(_) | Err(_) => Vec::new(),
    })
}

/// A chaincode's name and its encoded `CollectionConfigPackage`, never an empty one.
pub(crate) type NamedPackage<'a> = (&'a str, Cow<'a, [u8]>);

/// The collections of every chaincode that a block defines or upgrades (`confighistory.Mgr.HandleStateUpdates`).
pub(crate) fn collection_updates<'a, S: StateReader>(
    batch: &UpdateBatch<'a>,
    state: &S,
) -> Result<Vec<NamedPackage<'a>>, S::Error> {
    let mut names: Vec<&'a str> = batch.updates.iter().filter_map(updated_chaincode).collect();
    names.sort_unstable();
    names.dedup();
    let after = StateAfter { state, batch };
    let mut updates = Vec::new();
    for name in names {
        let package = collections_of(&after, name)?;
        let Ok(decoded) = CollectionConfigPackage::decode(&package) else { continue };
        if !decoded.config.is_empty() {
            updates.push((name, Cow::Owned(package)));
        }
    }
    Ok(updates)
}

/// The chaincode whose definition an update changes (`UpdatedChaincodes` of both lifecycles).
fn updated_chaincode<'a>(update: &fastledger_mvcc::Update<'a>) -> Option<&'a str> {
    let key = std::str::from_utf8(update.key.key).ok()?;
    match (update.key.namespace, update.key.collection) {
        (LIFECYCLE, "") => {
            let name = key.strip_prefix("namespaces/fields/")?.strip_suffix("/Sequence")?;
            (!name.is_empty() && !name.contains('/')).then_some(name)
        }
        (LSCC, "") if update.state.is_some() => Some(key.split_once('~').map_or(key, |(name, _)| name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastledger_wire::encode;

    fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode::present_field(&mut out, number, bytes);
        out
    }

    #[test]
    fn of_two_collections_of_one_name_the_first_counts() {
        let config =
            |name: &str, life: u8| field(1, &field(1, &[field(1, name.as_bytes()), vec![0x28, life]].concat()));
        let lives = lives_of(&[config("a", 3), config("b", 0), config("a", 4)].concat());
        assert_eq!([lives.get("a"), lives.get("b"), lives.get("c")], [Some(&3), Some(&0), None]);
        assert!(lives_of(b"\x0a").is_empty(), "cut short");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Rules on the configuration of collections that LSCC brings into state, from capability `V1_2` on.

use std::collections::{BTreeMap, BTreeSet};

use fastledger_wire::peer::{CollectionConfig, CollectionPolicyConfig, StaticCollectionConfig};
use fastledger_wire::policies::SignaturePolicy;

/// Whether new collections make sense by themselves (`validateNewCollectionConfigs`).
pub(super) fn well_formed(configs: &[CollectionConfig<'_>]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for config in configs {
        let config = static_config(config)?;
        let name = config.name;
        if !is_collection_name(name) {
            return Err(format!("{name:?} is no collection name"));
        }
        if !names.insert(name) {
            return Err(format!("collection {name} is configured twice"));
        }
        peer_counts(config)?;
        member_policy(config)?;
    }
    Ok(())
}

/// Whether new collections may take the place of the committed ones: none gone, none with another lifetime
/// (`validateNewCollectionConfigsAgainstOld`).
pub(super) fn succeed(new: &[CollectionConfig<'_>], committed: &[CollectionConfig<'_>]) -> Result<(), String> {
    let new = new.iter().map(|config| static_config(config).map(|config| (config.name, config.block_to_live)));
    let new = new.collect::<Result<BTreeMap<_, _>, _>>()?;
    for old in committed {
        let old = static_config(old)?;
        match new.get(old.name) {
            None => return Err(format!("committed collection {:?} is missing", old.name)),
            Some(block_to_live) if *block_to_live != old.block_to_live => {
                return Err(format!(
                    "collection {:?} changes blockToLive from {} to {block_to_live}",
                    old.name, old.block_to_live
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn static_config<'c, 'a>(config: &'c CollectionConfig<'a>) -> Result<&'c StaticCollectionConfig<'a>, String> {
    match config {
        CollectionConfig::Static(config) => Ok(config),
        CollectionConfig::Unset => Err("a collection's configuration is of no known kind".to_owned()),
    }
}

/// `AllowedCharsCollectionName`.
fn is_collection_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn peer_counts(config: &StaticCollectionConfig<'_>) -> Result<(), String> {
    let StaticCollectionConfig { name, required_peer_count: required, maximum_peer_count: maximum, .. } = config;
    if maximum < required {
        return Err(format!("collection {name}: maximum peer count {maximum} is below the required {required}"));
    }
    if *required < 0 {
        return Err(format!("collection {name}: required peer count {required} is negative"));
    }
    Ok(())
}

/// A member policy lists alternatives (`validateSpOrConcat`); a signature policy without a rule passes there too.
fn member_policy(config: &StaticCollectionConfig<'_>) -> Result<(), String> {
    let Some(CollectionPolicyConfig::SignaturePolicy(policy)) = &config.member_orgs_policy else {
        return Err(format!("collection {} has no member policy", config.name));
    };
    let mut pending: Vec<&SignaturePolicy> = policy.rule.iter().collect();
    while let Some(rule) = pending.pop() {
        if let SignaturePolicy::NOutOf(rule) = rule {
            if rule.n != 1 {
                return Err(format!("collection {}: the member policy asks for {} of its rules", config.name, rule.n));
            }
            pending.extend(&rule.rules);
        }
    }
    Ok(())
}

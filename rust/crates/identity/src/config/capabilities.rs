// SPDX-License-Identifier: Apache-2.0
//! Capabilities: what a channel's configuration says that every node must do (`common/capabilities`).

use crate::error::{IdentityError, Result};
use crate::msp::MspVersion;

/// Refuses the first capability that is not among the known ones (`registry.Supported`).
fn check_known<N: AsRef<str>>(group: &'static str, known: &[&str], names: &[N]) -> Result<()> {
    match names.iter().map(AsRef::as_ref).find(|name| !known.contains(name)) {
        Some(name) => Err(IdentityError::UnsupportedCapability { group, name: name.to_owned() }),
        None => Ok(()),
    }
}

fn has<N: AsRef<str>>(names: &[N], name: &str) -> bool {
    names.iter().any(|one| one.as_ref() == name)
}

/// Channel capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelCapabilities {
    /// How MSPs behave.
    pub msp_version: MspVersion,
    /// The consensus type may change.
    pub consensus_type_migration: bool,
    /// Orderer organizations have endpoints of their own.
    pub org_specific_orderer_endpoints: bool,
    /// BFT consensus is allowed: consenters sign blocks by number, global orderer addresses are forbidden.
    pub consensus_type_bft: bool,
}

impl ChannelCapabilities {
    /// What the capabilities of these names ask for; all must be known.
    pub(super) fn new<N: AsRef<str>>(names: &[N]) -> Result<Self> {
        check_known("Channel", &["V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"], names)?;
        let has = |name: &str| has(names, name);
        let since_1_4_2 = has("V1_4_2") || has("V1_4_3") || has("V2_0") || has("V3_0");
        let msp_version = if has("V3_0") {
            MspVersion::V3_0
        } else if has("V1_4_3") || has("V2_0") {
            MspVersion::V1_4_3
        } else if has("V1_3") || has("V1_4_2") {
            MspVersion::V1_3
        } else if has("V1_1") {
            MspVersion::V1_1
        } else {
            MspVersion::V1_0
        };
        Ok(Self {
            msp_version,
            consensus_type_migration: since_1_4_2,
            org_specific_orderer_endpoints: since_1_4_2,
            consensus_type_bft: has("V3_0"),
        })
    }
}

/// Application capabilities from oldest to newest; a level brings all before it.
const LEVELS: [&str; 6] = ["V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"];
const EXPERIMENTAL_PVT_DATA: &str = "V1_1_PVTDATA_EXPERIMENTAL";
const EXPERIMENTAL_RESOURCES: &str = "V1_1_RESOURCETREE_EXPERIMENTAL";

/// Application capabilities; the fields are the questions that Fabric's `ApplicationCapabilities` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApplicationCapabilities {
    /// The configuration may hold ACLs.
    pub acls: bool,
    /// A later copy of a transaction in one block is a duplicate.
    pub forbid_duplicate_tx_id_in_block: bool,
    /// Private data collections.
    pub private_channel_data: bool,
    /// Peers have a configuration of their own, which transactions update: an experiment of 1.1.
    pub resources_tree: bool,
    /// A chaincode's upgrade may change its collections.
    pub collection_upgrade: bool,
    /// Stricter validation as of 1.1.
    pub v1_1_validation: bool,
    /// Stricter validation as of 1.2.
    pub v1_2_validation: bool,
    /// Stricter validation as of 1.3.
    pub v1_3_validation: bool,
    /// Validation by the `_lifecycle` of 2.0.
    pub v2_0_validation: bool,
    /// The `_lifecycle` of 2.0 is in force for endorsement.
    pub lifecycle_v2_0: bool,
    /// Keys may have endorsement policies of their own.
    pub key_level_endorsement: bool,
    /// Private data of invalid transactions is kept.
    pub store_pvt_data_of_invalid_tx: bool,
    /// Private data may be purged by transaction.
    pub purge_pvt_data: bool,
}

impl ApplicationCapabilities {
    /// What the known ones of these names ask for; whether all are known, [`Self::check_known`] says.
    #[must_use]
    pub fn new<N: AsRef<str>>(names: &[N]) -> Self {
        let has = |name: &str| has(names, name);
        let level = LEVELS.iter().rposition(|name| has(name));
        let since = |name: &str| level.is_some() && level >= LEVELS.iter().position(|known| *known == name);
        Self {
            acls: since("V1_2"),
            forbid_duplicate_tx_id_in_block: since("V1_1"),
            private_channel_data: since("V1_2") || has(EXPERIMENTAL_PVT_DATA),
            resources_tree: has(EXPERIMENTAL_RESOURCES),
            collection_upgrade: since("V1_2"),
            v1_1_validation: since("V1_1"),
            v1_2_validation: since("V1_2"),
            v1_3_validation: since("V1_3"),
            v2_0_validation: since("V2_0"),
            lifecycle_v2_0: since("V2_0"),
            key_level_endorsement: since("V1_3"),
            store_pvt_data_of_invalid_tx: since("V1_4_2"),
            purge_pvt_data: since("V2_5"),
        }
    }

    /// Refuses what no peer of this version can do. To orderers it does not matter (`capabilitiesSupportedOrPanic`).
    pub fn check_known<N: AsRef<str>>(names: &[N]) -> Result<()> {
        let known = [LEVELS.as_slice(), &[EXPERIMENTAL_PVT_DATA, EXPERIMENTAL_RESOURCES]].concat();
        check_known("Application", &known, names)
    }
}

/// Orderer capabilities from oldest to newest; a level brings all before it.
const ORDERER_LEVELS: [&str; 3] = ["V1_1", "V1_4_2", "V2_0"];

/// Orderer capabilities; the fields are the questions that Fabric's `OrdererCapabilities` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrdererCapabilities {
    /// A channel that the system channel makes begins with versions of zero and a policy for its root.
    pub predictable_channel_template: bool,
    /// Clients whose certificates ended are refused.
    pub expiration_check: bool,
    /// The consensus type may change, in maintenance.
    pub consensus_type_migration: bool,
    /// The consortium's policy guards a new application group under the name Admins.
    pub use_channel_creation_policy_as_admins: bool,
}

impl OrdererCapabilities {
    /// What the known ones of these names ask for; whether all are known, [`Self::check_known`] says.
    #[must_use]
    pub fn new<N: AsRef<str>>(names: &[N]) -> Self {
        let level = ORDERER_LEVELS.iter().rposition(|name| has(names, name));
        Self {
            predictable_channel_template: level >= Some(0),
            expiration_check: level >= Some(0),
            consensus_type_migration: level >= Some(1),
            use_channel_creation_policy_as_admins: level >= Some(2),
        }
    }

    /// Refuses what no orderer of this version can do. To peers it does not matter.
    pub fn check_known<N: AsRef<str>>(names: &[N]) -> Result<()> {
        check_known("Orderer", &ORDERER_LEVELS, names)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn levels_include_lower_ones() {
        let none = ApplicationCapabilities::new(&[] as &[&str]);
        assert_eq!(none, ApplicationCapabilities::default());
        let v1_3 = ApplicationCapabilities::new(&["V1_3"]);
        assert!(v1_3.acls && v1_3.key_level_endorsement && v1_3.v1_1_validation);
        assert!(!v1_3.v2_0_validation && !v1_3.store_pvt_data_of_invalid_tx);
        let experimental = ApplicationCapabilities::new(&["V1_1", "V1_1_PVTDATA_EXPERIMENTAL"]);
        assert!(experimental.private_channel_data && !experimental.collection_upgrade);
        assert!(ApplicationCapabilities::new(&["V2_5"]).purge_pvt_data);
    }

    #[test]
    fn unknown_names_are_named() {
        let error = ChannelCapabilities::new(&["V3_0", "V9_0"]).unwrap_err();
        assert_eq!(error, IdentityError::UnsupportedCapability { group: "Channel", name: "V9_0".into() });
        let error = ApplicationCapabilities::check_known(&["V2_5", "V9_0"]).unwrap_err();
        assert_eq!(error, IdentityError::UnsupportedCapability { group: "Application", name: "V9_0".into() });
        assert!(ApplicationCapabilities::new(&["V2_5", "V9_0"]).purge_pvt_data);
        assert!(ApplicationCapabilities::check_known(&["V1_1_PVTDATA_EXPERIMENTAL"]).is_ok());
        // V1_4_2 exists for channels and applications, V1_2 for applications only.
        assert!(ChannelCapabilities::new(&["V1_2"]).is_err());
    }

    #[test]
    fn orderers_have_capabilities_of_their_own() {
        let of = |names: &[&str]| OrdererCapabilities::new(names);
        assert_eq!(of(&["V9_0"]), OrdererCapabilities::default());
        assert!(of(&["V1_1"]).expiration_check && !of(&["V1_1"]).consensus_type_migration);
        assert!(of(&["V1_4_2"]).consensus_type_migration && of(&["V1_4_2"]).predictable_channel_template);
        assert!(of(&["V2_0"]).use_channel_creation_policy_as_admins);
        assert!(OrdererCapabilities::check_known(&["V1_1", "V1_4_2", "V2_0"]).is_ok());
        let error = OrdererCapabilities::check_known(&["V2_0", "V2_5"]).unwrap_err();
        assert_eq!(error, IdentityError::UnsupportedCapability { group: "Orderer", name: "V2_5".into() });
    }

    #[test]
    fn msp_version_follows_the_channel() {
        for (names, version) in [
            (&[][..], MspVersion::V1_0),
            (&["V1_1"], MspVersion::V1_1),
            (&["V1_4_2"], MspVersion::V1_3),
            (&["V1_4_2", "V1_4_3"], MspVersion::V1_4_3),
            (&["V2_0"], MspVersion::V1_4_3),
            (&["V3_0"], MspVersion::V3_0),
        ] {
            assert_eq!(ChannelCapabilities::new(names).unwrap().msp_version, version);
        }
    }
}

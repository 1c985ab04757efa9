// SPDX-License-Identifier: Apache-2.0
//! Rules that Fabric changed without a capability: what peers of an older release said of a transaction where those of
//! today say something else.
//!
//! A channel is judged by today's rules. Its blocks in a peer's files, however, carry the verdicts of the release that
//! committed them, and the network went on from those. So where a stored verdict is not today's, but that of an era in
//! which the channel's capabilities already existed, the stored one is the truth.

use fastledger_identity::{ChannelConfig, MspVersion};
use fastledger_wire::common::header_type;

/// A span of releases whose peers judge alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Era {
    /// 1.0.
    V1_0,
    /// 1.1.
    V1_1,
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
    /// 1.4.0 and 1.4.1.
    V1_4_0,
    /// 1.4.2 to 1.4.12.
    V1_4_2,
    /// Since 2.0.
    #[default]
    Today,
}

impl Era {
    const OLDER: [Self; 6] = [Self::V1_4_2, Self::V1_4_0, Self::V1_3, Self::V1_2, Self::V1_1, Self::V1_0];

    /// The releases, for people.
    pub(crate) fn releases(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
            Self::V1_4_0 => "1.4.0",
            Self::V1_4_2 => "1.4.2",
            Self::Today => "2.0 and later",
        }
    }

    /// The eras whose peers may have committed a block under this configuration, newest first, today's left out: peers
    /// older than a capability stop at it.
    pub(crate) fn older(config: &ChannelConfig) -> impl Iterator<Item = Self> + use<> {
        let oldest = Self::of_application(config).max(Self::of_channel(config));
        Self::OLDER.into_iter().filter(move |era| *era >= oldest)
    }

    fn of_application(config: &ChannelConfig) -> Self {
        let Some(application) = config.application() else { return Self::V1_0 };
        let has = application.capabilities;
        let eras = [
            (has.v2_0_validation, Self::Today),
            (has.store_pvt_data_of_invalid_tx, Self::V1_4_2),
            (has.v1_3_validation, Self::V1_3),
            (has.v1_2_validation, Self::V1_2),
            (has.v1_1_validation || has.private_channel_data || has.resources_tree, Self::V1_1),
        ];
        eras.into_iter().find_map(|(known, era)| known.then_some(era)).unwrap_or(Self::V1_0)
    }

    fn of_channel(config: &ChannelConfig) -> Self {
        let has = config.capabilities();
        match has.msp_version {
            MspVersion::V3_0 => Self::Today,
            _ if has.consensus_type_migration => Self::V1_4_2,
            MspVersion::V1_4_3 => Self::V1_4_2,
            MspVersion::V1_3 => Self::V1_3,
            MspVersion::V1_1 => Self::V1_1,
            MspVersion::V1_0 => Self::V1_0,
        }
    }

    /// Whether a transaction of this type can be anything but malformed to a peer.
    pub(crate) fn knows_type(self, r#type: i32) -> bool {
        match r#type {
            header_type::CONFIG | header_type::CONFIG_UPDATE | header_type::ENDORSER_TRANSACTION => true,
            header_type::PEER_RESOURCE_UPDATE => self == Self::V1_1,
            header_type::TOKEN_TRANSACTION => matches!(self, Self::V1_4_0 | Self::V1_4_2),
            _ => false,
        }
    }

    /// Whether a namespace may stand twice in a read-write set (until 1.4.1).
    pub(crate) fn allows_namespaces_twice(self) -> bool {
        self < Self::V1_4_2
    }

    /// Whether LSCC's validation asks nothing of a chaincode's name and version (until 1.4.1).
    pub(crate) fn allows_any_chaincode_name(self) -> bool {
        self < Self::V1_4_2
    }

    /// Whether upgrades of chaincode in any language are seen as such in their block (until 1.2); later only those of
    /// Go chaincode are.
    pub(crate) fn sees_upgrades_of_every_language(self) -> bool {
        self < Self::V1_3
    }

    /// Whether system chaincodes other than LSCC have a policy (since 1.1): to 1.0 they are chaincodes that nobody
    /// instantiated.
    pub(crate) fn knows_all_system_chaincodes(self) -> bool {
        self > Self::V1_0
    }
}

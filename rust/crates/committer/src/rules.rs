// SPDX-License-Identifier: Apache-2.0
//! What decides how a channel's transactions are judged.

use fastledger_identity::ChannelConfig;

use crate::era::Era;

/// What decides how invocations are judged: the application's capabilities, and whose peers judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of Fabric's ApplicationCapabilities")]
pub(crate) struct Rules {
    pub era: Era,
    pub v1_1_validation: bool,
    pub v1_2_validation: bool,
    pub v1_3_validation: bool,
    pub v2_0_validation: bool,
    pub private_channel_data: bool,
    pub key_level_endorsement: bool,
    pub forbid_duplicate_tx_id_in_block: bool,
}

impl Rules {
    /// Today's rules under a channel's configuration.
    pub(crate) fn of(config: &ChannelConfig) -> Self {
        let capabilities = config.application().map(|application| application.capabilities).unwrap_or_default();
        Self {
            era: Era::Today,
            v1_1_validation: capabilities.v1_1_validation,
            v1_2_validation: capabilities.v1_2_validation,
            v1_3_validation: capabilities.v1_3_validation,
            v2_0_validation: capabilities.v2_0_validation,
            private_channel_data: capabilities.private_channel_data,
            key_level_endorsement: capabilities.key_level_endorsement,
            forbid_duplicate_tx_id_in_block: capabilities.forbid_duplicate_tx_id_in_block,
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The configuration in force, found again when a ledger is opened.

use fastledger_identity::ChannelConfig;
use fastledger_ledger::{Ledger, View};
use fastledger_mvcc::{StateKey, StateReader};
use fastledger_wire::block;

use crate::block::CONFIG_KEY;
use crate::error::CommitError;
use crate::incoming;

/// Where 1.x peers keep the configuration, and with it snapshots of their ledgers: a `Config` instead of an envelope.
const LEGACY_CONFIG_KEY: StateKey<'static> =
    StateKey { namespace: "", collection: "", key: b"resourcesconfigtx.CHANNEL_CONFIG_KEY" };

/// The configuration after the last block, none in an empty ledger.
pub(crate) fn load(ledger: &Ledger, view: &View) -> Result<Option<ChannelConfig>, CommitError> {
    if view.height() == 0 {
        return Ok(None);
    }
    let channel_id = channel_id(ledger)?;
    let config = match view.get(CONFIG_KEY)? {
        Some(stored) => ChannelConfig::from_envelope(&channel_id, &stored.value),
        None => match view.get(LEGACY_CONFIG_KEY)? {
            Some(stored) => ChannelConfig::from_config(&channel_id, &stored.value),
            None => return Err(CommitError::StoredConfig("there is none".to_owned())),
        },
    };
    config
        .and_then(ChannelConfig::supported_by_peers)
        .map(Some)
        .map_err(|error| CommitError::StoredConfig(error.to_string()))
}

/// Configurations do not hold their channel's name: it stands in block 0, or in the snapshot that the ledger began from.
fn channel_id(ledger: &Ledger) -> Result<String, CommitError> {
    if let Some(channel) = ledger.snapshot_channel()? {
        return Ok(channel);
    }
    let genesis = ledger.block(0)?;
    let entry = block::decode_record(&genesis.record).ok().and_then(|block| block.data?.data.first().copied());
    let channel_id = entry.and_then(incoming::channel_id);
    channel_id.ok_or_else(|| CommitError::StoredConfig("block 0 names no channel".to_owned()))
}

// SPDX-License-Identifier: Apache-2.0
//! The configuration in force as the ledger keeps it: the channel's name, which configurations do not hold, and the
//! `ConfigEnvelope`.

use fastledger_identity::ChannelConfig;
use fastledger_ledger::View;
use fastledger_wire::encode;
use fastledger_wire::protobuf::Reader;

use crate::error::CommitError;

/// Joins name and envelope.
pub(crate) fn encode(channel_id: &str, envelope: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(channel_id.len() + envelope.len() + 2);
    encode::length_prefixed(&mut stored, channel_id.as_bytes());
    stored.extend_from_slice(envelope);
    stored
}

/// The configuration after the last block, none in an empty ledger.
pub(crate) fn load(view: &View) -> Result<Option<ChannelConfig>, CommitError> {
    let Some((_, stored)) = view.channel_config()? else { return Ok(None) };
    let damaged = |text: String| CommitError::StoredConfig(text);
    let mut reader = Reader::new(&stored);
    let name = reader.length_prefixed().map_err(|error| damaged(error.to_string()))?;
    let name = std::str::from_utf8(name).map_err(|error| damaged(error.to_string()))?;
    ChannelConfig::from_envelope(name, reader.rest()).map(Some).map_err(|error| damaged(error.to_string()))
}

// SPDX-License-Identifier: Apache-2.0
//! The first block of a channel.

use fastledger_identity::ChannelConfig;
use fastledger_mvcc::UpdateBatch;
use fastledger_wire::TxValidationCode;

use crate::block::{Judged, config_update};
use crate::error::Refusal;
use crate::incoming::Incoming;
use crate::transaction::Entry;

/// What block 0 begins.
pub(crate) struct Genesis<'a> {
    pub config: ChannelConfig,
    pub judged: Judged<'a>,
    /// The id that the ledger's index keeps for its only transaction.
    pub tx_id: String,
}

/// Reads block 0: one configuration, which nothing vouches for but whoever hands it in (`cscc.JoinChain`).
pub(crate) fn judge(incoming: &Incoming) -> Result<Genesis<'_>, Refusal> {
    let refuse = |text: String| Refusal::Config { index: 0, text };
    if !incoming.is_config {
        return Err(refuse("a channel begins with a block that holds one configuration and nothing else".to_owned()));
    }
    let entry = incoming.data().next().unwrap_or_default();
    let (channel_id, envelope) = config_of(entry).ok_or_else(|| refuse("it cannot be decoded".to_owned()))?;
    let config = ChannelConfig::from_envelope(channel_id, envelope)
        .and_then(ChannelConfig::supported_by_peers)
        .map_err(|error| refuse(error.to_string()))?;
    let mut batch = UpdateBatch::default();
    batch.insert(config_update(0, 0, envelope));
    let judged = Judged {
        codes: vec![TxValidationCode::Valid],
        reasons: Vec::new(),
        batch,
        history: Vec::new(),
        config: Some((0, envelope)),
        creations: Vec::new(),
    };
    Ok(Genesis { config, judged, tx_id: Entry::parse(entry).indexed_tx_id().to_owned() })
}

/// Channel and `ConfigEnvelope` of a configuration transaction; neither creator nor signature is needed here.
pub(crate) fn config_of(entry: &[u8]) -> Option<(&str, &[u8])> {
    use fastledger_wire::Message;
    use fastledger_wire::common::{ChannelHeader, Envelope, Payload};
    let envelope = Envelope::decode(entry).ok()?;
    let payload = Payload::decode(envelope.payload).ok()?;
    let header = ChannelHeader::decode(payload.header?.channel_header).ok()?;
    Some((header.channel_id, payload.data))
}

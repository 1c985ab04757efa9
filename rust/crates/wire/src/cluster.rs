// SPDX-License-Identifier: Apache-2.0
//! Views of `orderer/cluster.proto`: what orderers of a channel send each other.

use crate::encode::{bytes_field, field_head, field_len, varint_field, varint_len};
use crate::messages;

messages! {
    /// `orderer.StepRequest`; one of the two is there.
    StepRequest<'a> {
        1 => consensus: Option<ConsensusRequest<'a>>,
        2 => submit: Option<SubmitRequest<'a>>,
    }

    /// `orderer.ConsensusRequest`.
    ConsensusRequest<'a> {
        1 => channel: &'a str,
        /// An encoded `raftpb.Message`.
        2 => payload: &'a [u8],
        /// An encoded `etcdraft.ClusterMetadata`.
        3 => metadata: &'a [u8],
    }

    /// `orderer.SubmitRequest`.
    SubmitRequest<'a> {
        1 => channel: &'a str,
        2 => last_validation_seq: u64,
        /// An encoded `common.Envelope`.
        3 => payload: &'a [u8],
    }
}

impl ConsensusRequest<'_> {
    /// Bytes of this request alone.
    fn encoded_len(&self) -> usize {
        consensus_len(self.channel, self.payload.len(), self.metadata)
    }

    /// Bytes that [`encode_step`](Self::encode_step) writes.
    #[must_use]
    pub fn step_len(&self) -> usize {
        field_len(self.encoded_len())
    }
}

fn consensus_len(channel: &str, payload: usize, metadata: &[u8]) -> usize {
    let fields = [channel.len(), payload, metadata.len()];
    fields.iter().filter(|length| **length > 0).map(|length| field_len(*length)).sum()
}

/// What stands in a `StepRequest` before and behind the payload of so many bytes, at least one, of a consensus request.
#[must_use]
pub fn around_consensus(channel: &str, payload: usize, metadata: &[u8]) -> [Vec<u8>; 2] {
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    field_head(&mut before, 1, consensus_len(channel, payload, metadata));
    bytes_field(&mut before, 1, channel.as_bytes());
    field_head(&mut before, 2, payload);
    bytes_field(&mut behind, 3, metadata);
    [before, behind]
}

impl SubmitRequest<'_> {
    /// Bytes of this request alone.
    fn encoded_len(&self) -> usize {
        let (channel, sequence) = (self.channel.len(), self.last_validation_seq);
        let channel = if channel == 0 { 0 } else { field_len(channel) };
        let sequence = if sequence == 0 { 0 } else { 1 + varint_len(sequence) };
        channel + sequence + field_len(self.payload.len())
    }

    /// Bytes that [`encode_step`](Self::encode_step) writes.
    #[must_use]
    pub fn step_len(&self) -> usize {
        field_len(self.encoded_len())
    }

    /// What stands in the `StepRequest` with this request before its payload, which ends it.
    #[must_use]
    pub fn before_payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        field_head(&mut out, 2, self.encoded_len());
        bytes_field(&mut out, 1, self.channel.as_bytes());
        varint_field(&mut out, 2, self.last_validation_seq);
        field_head(&mut out, 3, self.payload.len());
        out
    }
}

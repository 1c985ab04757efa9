// SPDX-License-Identifier: Apache-2.0
//! Views of `orderer/cluster.proto`: what orderers of a channel send each other.

use crate::encode::{bytes_field, field_head, field_len, present_field, varint_field, varint_len};
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
        let fields = [self.channel.as_bytes(), self.payload, self.metadata];
        fields.iter().filter(|field| !field.is_empty()).map(|field| field_len(field.len())).sum()
    }

    /// Bytes that [`encode_step`](Self::encode_step) writes.
    #[must_use]
    pub fn step_len(&self) -> usize {
        field_len(self.encoded_len())
    }

    /// The `StepRequest` with this request, written once into memory of the right size.
    #[must_use]
    pub fn encode_step(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.step_len());
        field_head(&mut out, 1, self.encoded_len());
        bytes_field(&mut out, 1, self.channel.as_bytes());
        bytes_field(&mut out, 2, self.payload);
        bytes_field(&mut out, 3, self.metadata);
        out
    }
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

    /// The `StepRequest` with this request, written once into memory of the right size.
    #[must_use]
    pub fn encode_step(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.step_len());
        field_head(&mut out, 2, self.encoded_len());
        bytes_field(&mut out, 1, self.channel.as_bytes());
        varint_field(&mut out, 2, self.last_validation_seq);
        present_field(&mut out, 3, self.payload);
        out
    }
}

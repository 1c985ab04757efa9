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
    /// The `StepRequest` with this request, written once into memory of the right size.
    #[must_use]
    pub fn encode_step(&self) -> Vec<u8> {
        let fields = [self.channel.as_bytes(), self.payload, self.metadata];
        let length = fields.iter().filter(|field| !field.is_empty()).map(|field| field_len(field.len())).sum();
        let mut out = Vec::with_capacity(field_len(length));
        field_head(&mut out, 1, length);
        for (number, field) in (1..).zip(fields) {
            bytes_field(&mut out, number, field);
        }
        out
    }
}

impl SubmitRequest<'_> {
    /// The `StepRequest` with this request, written once into memory of the right size.
    #[must_use]
    pub fn encode_step(&self) -> Vec<u8> {
        let (channel, sequence) = (self.channel.len(), self.last_validation_seq);
        let length = if channel == 0 { 0 } else { field_len(channel) }
            + if sequence == 0 { 0 } else { 1 + varint_len(sequence) }
            + field_len(self.payload.len());
        let mut out = Vec::with_capacity(field_len(length));
        field_head(&mut out, 2, length);
        bytes_field(&mut out, 1, self.channel.as_bytes());
        varint_field(&mut out, 2, sequence);
        present_field(&mut out, 3, self.payload);
        out
    }
}

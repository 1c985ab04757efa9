// SPDX-License-Identifier: Apache-2.0
//! Views of a channel's configuration (`common/configtx.proto`, `common/configuration.proto`, `orderer/configuration.proto`).

#![allow(clippy::zero_sized_map_values, reason = "a capability is a message that may gain fields")]

use crate::common::Envelope;
use crate::messages;
use crate::protobuf::Map;

messages! {
    /// `common.ConfigEnvelope`.
    ConfigEnvelope<'a> {
        1 => config: Option<Config<'a>>,
        2 => last_update: Option<Envelope<'a>>,
    }

    /// `common.Config`.
    Config<'a> {
        1 => sequence: u64,
        2 => channel_group: Option<ConfigGroup<'a>>,
    }

    /// `common.ConfigGroup`.
    ConfigGroup<'a> and unknown {
        1 => version: u64,
        2 => groups: Map<'a, ConfigGroup<'a>>,
        3 => values: Map<'a, ConfigValue<'a>>,
        4 => policies: Map<'a, ConfigPolicy<'a>>,
        5 => mod_policy: &'a str,
    }

    /// `common.ConfigValue`.
    ConfigValue<'a> and unknown {
        1 => version: u64,
        2 => value: &'a [u8],
        3 => mod_policy: &'a str,
    }

    /// `common.ConfigPolicy`.
    ConfigPolicy<'a> and unknown {
        1 => version: u64,
        2 => policy: Option<Policy<'a>>,
        3 => mod_policy: &'a str,
    }

    /// `common.Policy`: the bytes of a policy and what kind it is.
    Policy<'a> and unknown {
        1 => r#type: i32,
        2 => value: &'a [u8],
    }

    /// `common.ConfigUpdateEnvelope`.
    ConfigUpdateEnvelope<'a> {
        1 => config_update: &'a [u8],
        2 => signatures: Vec<ConfigSignature<'a>>,
    }

    /// `common.ConfigSignature`.
    ConfigSignature<'a> {
        1 => signature_header: &'a [u8],
        2 => signature: &'a [u8],
    }

    /// `common.ConfigUpdate`.
    ConfigUpdate<'a> {
        1 => channel_id: &'a str,
        2 => read_set: Option<ConfigGroup<'a>>,
        3 => write_set: Option<ConfigGroup<'a>>,
        5 => isolated_data: Map<'a, &'a [u8]>,
    }

    /// `common.Capabilities`: the names of what every node of the channel must support.
    Capabilities<'a> {
        1 => capabilities: Map<'a, Capability>,
    }

    /// `common.Capability`, which has no content yet.
    Capability {
    }

    /// `common.HashingAlgorithm`.
    HashingAlgorithm<'a> {
        1 => name: &'a str,
    }

    /// `common.BlockDataHashingStructure`.
    BlockDataHashingStructure {
        1 => width: u32,
    }

    /// `common.OrdererAddresses`.
    OrdererAddresses<'a> {
        1 => addresses: Vec<&'a str>,
    }

    /// `common.Consortium`.
    Consortium<'a> {
        1 => name: &'a str,
    }

    /// `common.Orderers`: the consenters of a BFT channel.
    Orderers<'a> {
        1 => consenter_mapping: Vec<Consenter<'a>>,
    }

    /// `common.Consenter`.
    Consenter<'a> {
        1 => id: u32,
        2 => host: &'a str,
        3 => port: u32,
        4 => msp_id: &'a str,
        5 => identity: &'a [u8],
        6 => client_tls_cert: &'a [u8],
        7 => server_tls_cert: &'a [u8],
    }

    /// `orderer.ConsensusType`.
    ConsensusType<'a> {
        1 => r#type: &'a str,
        2 => metadata: &'a [u8],
        3 => state: i32,
    }

    /// `orderer.BatchSize`.
    BatchSize {
        1 => max_message_count: u32,
        2 => absolute_max_bytes: u32,
        3 => preferred_max_bytes: u32,
    }

    /// `orderer.BatchTimeout`: a Go duration as text.
    BatchTimeout<'a> {
        1 => timeout: &'a str,
    }

    /// `protos.ACLs`.
    Acls<'a> {
        1 => acls: Map<'a, ApiResource<'a>>,
    }

    /// `protos.APIResource`.
    ApiResource<'a> {
        1 => policy_ref: &'a str,
    }
}

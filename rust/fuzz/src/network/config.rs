// SPDX-License-Identifier: Apache-2.0
//! The channel's configuration.

use fastledger_wire::common::header_type;
use fastledger_wire::policies::{implicit_meta_rule, policy_type};

use super::certificate::revocation_list;
use super::policy::{self, role};
use super::{CHANNEL, Network, Organization, transaction};
use crate::message::{Bytes, Number, map_entry, message, repeated};

/// The capability levels that the channel comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Application `V1_1`: LSCC, duplicates barred, no private data.
    V1_1,
    /// Application `V1_4_2`: LSCC, private data, key-level policies.
    V1_4,
    /// Application `V2_5`, raft.
    V2_5,
    /// Channel `V3_0`, BFT.
    Bft,
}

impl Rules {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::V1_1, Self::V1_4, Self::V2_5, Self::Bft];

    /// Whether LSCC is in force.
    #[must_use]
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::V1_1 | Self::V1_4)
    }

    fn application(self) -> &'static str {
        match self {
            Self::V1_1 => "V1_1",
            Self::V1_4 => "V1_4_2",
            Self::V2_5 | Self::Bft => "V2_5",
        }
    }

    fn channel(self) -> &'static str {
        match self {
            Self::V1_1 => "V1_1",
            Self::V1_4 => "V1_4_3",
            Self::V2_5 => "V2_0",
            Self::Bft => "V3_0",
        }
    }

    fn orderer(self) -> &'static str {
        match self {
            Self::V1_1 => "V1_1",
            Self::V1_4 => "V1_4_2",
            Self::V2_5 | Self::Bft => "V2_0",
        }
    }
}

/// Block 0's only entry, and the encoded `ConfigEnvelope` in it.
#[must_use]
pub fn config_block(network: &Network, rules: Rules) -> (Vec<u8>, Vec<u8>) {
    let config = message(&[Bytes(2, &channel_group(network, rules))]);
    let envelope = message(&[Bytes(1, &config)]);
    let creator = &network.orderers()[0];
    (transaction::envelope(creator, header_type::CONFIG, CHANNEL, "", &[], &envelope), envelope)
}

/// An encoded `FabricMSPConfig`.
#[must_use]
pub fn msp_definition(organization: &Organization, rules: Rules) -> Vec<u8> {
    let revoked = organization.members[3].serial;
    let revocation_list = revocation_list(&organization.authority, &[revoked]);
    let unit = |number, name: &str| message(&[Bytes(number, &message(&[Bytes(2, name.as_bytes())]))]);
    let node_ous =
        [message(&[Number(1, 1)]), unit(2, "client"), unit(3, "peer"), unit(4, "admin"), unit(5, "orderer")].concat();
    let client = organization.members.iter().find(|member| member.unit == "client");
    let mut definition = message(&[
        Bytes(1, organization.mspid.as_bytes()),
        Bytes(2, &organization.authority.pem),
        Bytes(8, &message(&[Bytes(1, b"SHA2"), Bytes(2, b"SHA256")])),
    ]);
    let is_orderer = organization.mspid == super::ORDERER;
    // Below V1_4_3 there is no orderer OU.
    if !(is_orderer && rules == Rules::V1_1) {
        definition.extend(message(&[Bytes(11, &node_ous)]));
    }
    // Nor is there an administrator OU, so one is listed.
    definition.extend(repeated(4, client.map(|client| &client.pem)));
    if !is_orderer {
        definition.extend(message(&[Bytes(5, &revocation_list)]));
    }
    definition
}

fn channel_group(network: &Network, rules: Rules) -> Vec<u8> {
    let addresses: &[&[u8]] = if rules == Rules::Bft { &[] } else { &[b"orderer:7050"] };
    [
        map_entry(2, "Application", &application_group(network, rules)),
        map_entry(2, "Orderer", &orderer_group(network, rules)),
        value("HashingAlgorithm", &message(&[Bytes(1, b"SHA256")])),
        value("BlockDataHashingStructure", &message(&[Number(1, u64::from(u32::MAX))])),
        value("OrdererAddresses", &repeated(1, addresses)),
        value("Capabilities", &capabilities(rules.channel())),
        implicit_policies(&["Readers", "Writers"], implicit_meta_rule::ANY),
        implicit_policies(&["Admins"], implicit_meta_rule::MAJORITY),
        mod_policy(),
    ]
    .concat()
}

fn application_group(network: &Network, rules: Rules) -> Vec<u8> {
    let mut group = value("Capabilities", &capabilities(rules.application()));
    for organization in &network.organizations {
        group.extend(map_entry(2, organization.mspid, &organization_group(organization, rules)));
    }
    group.extend(implicit_policies(&["Readers", "Writers"], implicit_meta_rule::ANY));
    group.extend(implicit_policies(&["Admins", "Endorsement"], implicit_meta_rule::MAJORITY));
    group.extend(mod_policy());
    group
}

fn orderer_group(network: &Network, rules: Rules) -> Vec<u8> {
    let kind: &[u8] = if rules == Rules::Bft { b"BFT" } else { b"etcdraft" };
    let consenters = (1u64..).zip(network.orderers()).map(|(number, orderer)| {
        message(&[
            Number(1, number),
            Bytes(2, b"orderer"),
            Number(3, 7050),
            Bytes(4, orderer.mspid.as_bytes()),
            Bytes(5, &orderer.pem),
        ])
    });
    let orderers = if rules == Rules::Bft { value("Orderers", &repeated(1, consenters)) } else { Vec::new() };
    [
        value("ConsensusType", &message(&[Bytes(1, kind)])),
        value("BatchSize", &message(&[Number(1, 500), Number(2, 10 << 20), Number(3, 2 << 20)])),
        value("BatchTimeout", &message(&[Bytes(1, b"2s")])),
        value("Capabilities", &capabilities(rules.orderer())),
        orderers,
        map_entry(2, "Orderers", &organization_group(&network.orderer, rules)),
        implicit_policies(&["Readers", "Writers"], implicit_meta_rule::ANY),
        implicit_policies(&["Admins"], implicit_meta_rule::MAJORITY),
        block_validation(network, rules),
        mod_policy(),
    ]
    .concat()
}

/// Any writer; on BFT channels a quorum of the consenters, each by its identity.
fn block_validation(network: &Network, rules: Rules) -> Vec<u8> {
    if rules != Rules::Bft {
        let definition = message(&[Bytes(1, b"Writers")]);
        return config_policy("BlockValidation", policy_type::IMPLICIT_META, &definition);
    }
    let indexes: Vec<_> = (0..network.orderers().len() as u64).map(policy::signed_by).collect();
    let identity = |orderer: &super::Member| message(&[Number(1, 2), Bytes(2, &orderer.serialized())]);
    let principals: Vec<_> = network.orderers().iter().map(identity).collect();
    let envelope = policy::envelope(&policy::n_out_of(3, &indexes), &principals);
    config_policy("BlockValidation", policy_type::SIGNATURE, &envelope)
}

fn organization_group(organization: &Organization, rules: Rules) -> Vec<u8> {
    let mspid = organization.mspid;
    let policy = |name, role| {
        let envelope = policy::n_of_msps(1, &[mspid], role);
        config_policy(name, policy_type::SIGNATURE, &envelope)
    };
    let is_orderer = mspid == super::ORDERER && rules != Rules::V1_1;
    let endpoints = if is_orderer { value("Endpoints", &repeated(1, [b"orderer:7050"])) } else { Vec::new() };
    [
        value("MSP", &message(&[Bytes(2, &msp_definition(organization, rules))])),
        endpoints,
        policy("Readers", role::MEMBER),
        policy("Writers", role::MEMBER),
        policy("Admins", role::ADMIN),
        policy("Endorsement", role::PEER),
        mod_policy(),
    ]
    .concat()
}

fn value(key: &str, value: &[u8]) -> Vec<u8> {
    map_entry(3, key, &message(&[Bytes(2, value), Bytes(3, b"Admins")]))
}

fn config_policy(name: &str, kind: i32, value: &[u8]) -> Vec<u8> {
    let policy = message(&[Number(1, u64::from(kind.unsigned_abs())), Bytes(2, value)]);
    map_entry(4, name, &message(&[Bytes(2, &policy), Bytes(3, b"Admins")]))
}

fn implicit_policies(names: &[&str], rule: i32) -> Vec<u8> {
    let policy = |name: &&str| {
        let definition = message(&[Bytes(1, name.as_bytes()), Number(2, u64::from(rule.unsigned_abs()))]);
        config_policy(name, policy_type::IMPLICIT_META, &definition)
    };
    names.iter().flat_map(policy).collect()
}

fn mod_policy() -> Vec<u8> {
    message(&[Bytes(5, b"Admins")])
}

fn capabilities(name: &str) -> Vec<u8> {
    map_entry(1, name, &[])
}

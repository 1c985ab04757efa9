// SPDX-License-Identifier: Apache-2.0
//! The channel's configuration as `configtxgen` makes it from a profile like that of the fabric-samples test network:
//! capabilities `V3_0`, `V2_0` and `V2_5`, one etcdraft consenter, implicit policies over the organizations' own.

use std::collections::BTreeMap;

use fastledger_wire::common::header_type;
use fastledger_wire::hash::tx_id;

use crate::identities::{ApplicationOrganization, Network, Organization};
use crate::message::Message;
use crate::policies::{self, Principal, implicit_meta_rule, out_of, role};
use crate::spec::Spec;
use crate::transaction::{EPOCH_SECONDS, nonce};

/// The policy that guards every element.
const ADMINS: &str = "Admins";
const ORDERER_HOST: &str = "127.0.0.1";
const ORDERER_PORT: u64 = 7050;

/// The only entry of block 0: an envelope that nobody signs.
pub(crate) fn envelope(network: &Network, spec: &Spec) -> Vec<u8> {
    let nonce = nonce(spec.seed, 0, 0);
    let channel_header = Message::new()
        .number(1, u64::from(header_type::CONFIG.unsigned_abs()))
        .number(2, 1)
        .bytes(3, Message::new().number(1, EPOCH_SECONDS))
        .bytes(4, &spec.channel)
        .bytes(5, tx_id(&nonce, &[]));
    let signature_header = Message::new().bytes(2, nonce);
    let header = Message::new().bytes(1, channel_header).bytes(2, signature_header);
    let config = Message::new().bytes(2, channel_group(network, spec));
    let payload = Message::new().bytes(1, header).bytes(2, Message::new().bytes(1, config));
    Message::new().bytes(1, payload).into_bytes()
}

/// A `ConfigGroup` under construction; its maps are written in the order of their keys.
#[derive(Default)]
struct Group {
    groups: BTreeMap<String, Message>,
    values: BTreeMap<&'static str, Message>,
    policies: BTreeMap<&'static str, Message>,
}

impl Group {
    fn group(mut self, name: &str, group: Self) -> Self {
        self.groups.insert(name.to_owned(), group.build());
        self
    }

    fn value(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.values.insert(name, Message::new().bytes(2, value).bytes(3, ADMINS));
        self
    }

    fn policy(mut self, name: &'static str, policy: &Message) -> Self {
        self.policies.insert(name, Message::new().bytes(2, policy).bytes(3, ADMINS));
        self
    }

    /// Readers, Writers and Admins over those of the groups below.
    fn usual_policies(self) -> Self {
        self.policy("Readers", &policies::implicit_meta(implicit_meta_rule::ANY, "Readers"))
            .policy("Writers", &policies::implicit_meta(implicit_meta_rule::ANY, "Writers"))
            .policy(ADMINS, &policies::implicit_meta(implicit_meta_rule::MAJORITY, ADMINS))
    }

    fn build(self) -> Message {
        let message = self.groups.iter().fold(Message::new(), |message, (name, group)| message.entry(2, name, group));
        let message = self.values.iter().fold(message, |message, (name, value)| message.entry(3, name, value));
        let message = self.policies.iter().fold(message, |message, (name, policy)| message.entry(4, name, policy));
        message.bytes(5, ADMINS)
    }
}

fn channel_group(network: &Network, spec: &Spec) -> Message {
    Group::default()
        .group("Application", application_group(network))
        .group("Orderer", orderer_group(network, spec))
        .value("HashingAlgorithm", Message::new().bytes(1, "SHA256"))
        .value("BlockDataHashingStructure", Message::new().number(1, u64::from(u32::MAX)))
        .value("Capabilities", capability("V3_0"))
        .usual_policies()
        .build()
}

fn application_group(network: &Network) -> Group {
    let majority = policies::implicit_meta(implicit_meta_rule::MAJORITY, "Endorsement");
    let group = Group::default()
        .value("Capabilities", capability("V2_5"))
        .usual_policies()
        .policy("Endorsement", &majority)
        .policy("LifecycleEndorsement", &majority);
    let organizations = network.organizations.iter();
    organizations.fold(group, |group, member| group.group(&member.organization.msp_id, organization_group(member)))
}

fn organization_group(member: &ApplicationOrganization) -> Group {
    let msp_id = member.organization.msp_id.as_str();
    let any_of = |roles: &[i32]| {
        let principals: Vec<Principal<'_>> = roles.iter().map(|role| (msp_id, *role)).collect();
        policies::signature(&out_of(1, &principals))
    };
    Group::default()
        .value("MSP", msp(&member.organization))
        .policy("Readers", &any_of(&[role::ADMIN, role::PEER, role::CLIENT]))
        .policy("Writers", &any_of(&[role::ADMIN, role::CLIENT]))
        .policy(ADMINS, &any_of(&[role::ADMIN]))
        .policy("Endorsement", &any_of(&[role::PEER]))
}

fn orderer_group(network: &Network, spec: &Spec) -> Group {
    let organization = &network.orderer_organization;
    let one = |role| policies::signature(&out_of(1, &[(organization.msp_id.as_str(), role)]));
    let endpoint = format!("{ORDERER_HOST}:{ORDERER_PORT}");
    let members = Group::default()
        .value("MSP", msp(organization))
        .value("Endpoints", Message::new().present(1, endpoint))
        .policy("Readers", &one(role::MEMBER))
        .policy("Writers", &one(role::MEMBER))
        .policy(ADMINS, &one(role::ADMIN));
    let batch_size = Message::new().number(1, spec.block_transactions as u64).number(2, 90 << 20).number(3, 60 << 20);
    Group::default()
        .group("OrdererOrg", members)
        .value("BatchSize", batch_size)
        .value("BatchTimeout", Message::new().bytes(1, "2s"))
        .value("ChannelRestrictions", Message::new())
        .value("Capabilities", capability("V2_0"))
        .value("ConsensusType", consensus_type(&network.orderer_tls.1))
        .usual_policies()
        .policy("BlockValidation", &policies::implicit_meta(implicit_meta_rule::ANY, "Writers"))
}

/// etcdraft with one consenter and the usual options (`orderer/etcdraft/configuration.proto`).
fn consensus_type(tls_certificate: &str) -> Message {
    let consenter = Message::new()
        .bytes(1, ORDERER_HOST)
        .number(2, ORDERER_PORT)
        .bytes(3, tls_certificate)
        .bytes(4, tls_certificate);
    let options = Message::new().bytes(1, "500ms").number(2, 10).number(3, 1).number(4, 5).number(5, 16 << 20);
    let metadata = Message::new().present(1, consenter).bytes(2, options);
    Message::new().bytes(1, "etcdraft").bytes(2, metadata)
}

/// An `MSPConfig` with node OUs.
fn msp(organization: &Organization) -> Message {
    let ou = |name: &str| Message::new().bytes(1, &organization.ca).bytes(2, name);
    let node_ous = Message::new()
        .number(1, 1)
        .bytes(2, ou("client"))
        .bytes(3, ou("peer"))
        .bytes(4, ou("admin"))
        .bytes(5, ou("orderer"));
    let definition = Message::new()
        .bytes(1, &organization.msp_id)
        .present(2, &organization.ca)
        .bytes(8, Message::new().bytes(1, "SHA2").bytes(2, "SHA256"))
        .present(9, &organization.tls_ca)
        .bytes(11, node_ous);
    Message::new().bytes(2, definition)
}

fn capability(name: &str) -> Message {
    Message::new().entry(1, name, "")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fastledger_vectors::Corpus;
    use fastledger_wire::Message as _;
    use fastledger_wire::common::{Block, Envelope, Payload};
    use fastledger_wire::configtx::{ConfigEnvelope, ConfigGroup};

    use super::envelope;
    use crate::identities::Network;
    use crate::spec::Spec;

    /// Values that hold certificates, addresses or limits.
    const NETWORKS_OWN: [&str; 5] = ["MSP", "Endpoints", "ConsensusType", "BatchSize", "BatchTimeout"];

    /// Every element of a configuration by its path: kind, modification policy and content.
    fn elements(entry: &[u8]) -> BTreeMap<String, (String, Vec<u8>)> {
        let payload = Payload::decode(Envelope::decode(entry).unwrap().payload).unwrap();
        let config = ConfigEnvelope::decode(payload.data).unwrap().config.unwrap();
        let mut found = BTreeMap::new();
        collect("", &config.channel_group.unwrap(), &mut found);
        found
    }

    fn collect(path: &str, group: &ConfigGroup<'_>, found: &mut BTreeMap<String, (String, Vec<u8>)>) {
        found.insert(format!("{path}/"), (group.mod_policy.to_owned(), Vec::new()));
        for (name, value) in &group.values {
            let content = if NETWORKS_OWN.contains(name) { &[] } else { value.value };
            found.insert(format!("{path}/value {name}"), (value.mod_policy.to_owned(), content.to_vec()));
        }
        for (name, policy) in &group.policies {
            let content = policy.policy.as_ref().unwrap();
            let content = [content.r#type.to_be_bytes().as_slice(), content.value].concat();
            found.insert(format!("{path}/policy {name}"), (policy.mod_policy.to_owned(), content));
        }
        for (name, group) in &group.groups {
            collect(&format!("{path}/{name}"), group, found);
        }
    }

    /// Both have three organizations; the corpus' configuration is by `configtxgen`.
    #[test]
    fn groups_values_and_policies_are_those_of_a_real_channel() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let block = Block::decode(corpus.delivered_blocks()[0]).unwrap();
        let theirs = elements(block.data.unwrap().data[0]);
        let spec = Spec { organizations: 3, ..Spec::default() };
        let ours = elements(&envelope(&Network::new(&spec).unwrap(), &spec));
        assert_eq!(ours, theirs);
        assert!(ours.contains_key("/Application/Org3MSP/policy Endorsement"));
    }
}

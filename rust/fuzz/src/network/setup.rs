// SPDX-License-Identifier: Apache-2.0
//! The first blocks of the channel: its configuration, then chaincodes, collections and keys with policies.

use fastledger_mvcc::testing::encode::rwset;
use fastledger_wire::Hash;
use fastledger_wire::hash::header_hash;
use fastledger_wire::rwset::{KvMetadataEntry, KvMetadataWrite, KvRwSet, KvWrite, NsRwSet, TxRwSet};
use fastledger_wire::{Message, common};

use super::policy::{self, role};
use super::{CHANNEL, Endorsed, Network, Rules, config_block, signed_block, transaction};
use crate::message::{Bytes, Number, message, repeated};

/// Chaincodes of the channel with their policies, as encoded `SignaturePolicyEnvelope`s.
fn chaincodes() -> [(&'static str, Vec<u8>); 4] {
    let [one, two, _] = super::ORGANIZATIONS;
    [
        ("cc", policy::n_of_msps(1, &[one, two], role::PEER)),
        ("other", policy::n_of_msps(2, &super::ORGANIZATIONS, role::MEMBER)),
        ("free", policy::envelope(&policy::n_out_of(0, &[]), &[])),
        ("nobody", policy::envelope(&policy::signed_by(0), &[policy::role_of("NoMSP", role::PEER)])),
    ]
}

/// Name of the metadata that holds a key's policy.
pub const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";

/// The channel's first blocks.
#[must_use]
pub fn setup(network: &Network, rules: Rules) -> Vec<Vec<u8>> {
    let (config, _) = config_block(network, rules);
    let definitions: Vec<_> = match rules.is_legacy() {
        true => chaincodes().iter().map(|(name, policy)| deployment(network, rules, name, policy)).collect(),
        false => vec![lifecycle_definitions(network)],
    };
    let mut previous: Option<Hash> = None;
    let mut blocks = Vec::new();
    for (number, entries) in (0..).zip([vec![config], definitions, vec![keys(network)]]) {
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let block = signed_block(network, rules, number, previous.as_ref(), &entries);
        previous = common::Block::decode(&block).ok().and_then(|block| Some(header_hash(&block.header?)));
        blocks.push(block);
    }
    blocks
}

/// A transaction endorsed by the first peers of all organizations.
fn by_all(network: &Network, chaincode: &str, input: &[u8], namespaces: Vec<NsRwSet<'_>>) -> Vec<u8> {
    let endorsers: Vec<_> = (0..3).map(|index| (network.peer(index), true)).collect();
    transaction(&Endorsed {
        // The client is listed as an administrator, which is all that there is below V1_4_3.
        creator: network.client(0),
        nonce: input,
        chaincode,
        version: "1",
        input,
        results: &rwset(&TxRwSet { namespaces }),
        events: &[],
        endorsers: &endorsers,
    })
}

fn namespace<'a>(namespace: &'a str, writes: &'a [(String, Vec<u8>)]) -> NsRwSet<'a> {
    let writes = writes.iter().map(|(key, value)| KvWrite { key, is_delete: false, value }).collect();
    NsRwSet { namespace, public: KvRwSet { writes, ..KvRwSet::default() }, collections: Vec::new() }
}

/// Raw writes to `_lifecycle`, as a majority may make them.
fn lifecycle_definitions(network: &Network) -> Vec<u8> {
    let mut writes = Vec::new();
    for (name, policy) in chaincodes() {
        let field = |field: &str| format!("namespaces/fields/{name}/{field}");
        let bytes = |value: &[u8]| message(&[Bytes(2, value)]);
        let fields = ["Sequence", "EndorsementInfo", "ValidationInfo", "Collections"];
        let metadata = [message(&[Bytes(1, b"ChaincodeDefinition")]), repeated(2, fields)].concat();
        let validation = message(&[Bytes(1, b"vscc"), Bytes(2, &policy::application(&policy))]);
        writes.push((format!("namespaces/metadata/{name}"), metadata));
        writes.push((field("Sequence"), vec![8, 1]));
        writes.push((field("EndorsementInfo"), bytes(&message(&[Bytes(1, b"1"), Bytes(3, b"escc")]))));
        writes.push((field("ValidationInfo"), bytes(&validation)));
        writes.push((field("Collections"), bytes(&collections())));
    }
    writes.sort();
    by_all(network, "_lifecycle", b"define", vec![namespace("_lifecycle", &writes)])
}

/// An encoded `CollectionConfigPackage`: three collections whose policies are the chaincode's, their own, the channel's.
#[must_use]
pub fn collections() -> Vec<u8> {
    let members = message(&[Bytes(1, &policy::n_of_msps(1, &super::ORGANIZATIONS, role::MEMBER))]);
    let own = policy::application(&policy::n_of_msps(1, &["Org3MSP"], role::PEER));
    let reference = policy::reference("/Channel/Application/Endorsement");
    let guards = [("coll", &[][..]), ("own", &own), ("ref", &reference)];
    let collections = guards.map(|(name, guard)| {
        let mut collection =
            message(&[Bytes(1, name.as_bytes()), Bytes(2, &members), Number(3, 0), Number(4, 1), Number(5, 2)]);
        if !guard.is_empty() {
            collection.extend(message(&[Bytes(8, guard)]));
        }
        message(&[Bytes(1, &collection)])
    });
    repeated(1, collections)
}

/// An invocation of LSCC that deploys a chaincode.
fn deployment(network: &Network, rules: Rules, name: &str, policy: &[u8]) -> Vec<u8> {
    let id = message(&[Bytes(2, name.as_bytes()), Bytes(3, b"1")]);
    let spec = message(&[Bytes(1, &message(&[Number(1, 1), Bytes(2, &id)]))]);
    let collections = if rules == Rules::V1_4 { collections() } else { Vec::new() };
    let mut arguments: Vec<&[u8]> = vec![b"deploy", CHANNEL.as_bytes(), &spec, policy, b"escc", b"vscc"];
    if !collections.is_empty() {
        arguments.push(&collections);
    }
    let input = message(&[Bytes(1, &message(&[Number(1, 1), Bytes(3, &repeated(1, arguments))]))]);
    let instantiation = policy::n_of_msps(1, &super::ORGANIZATIONS, role::ADMIN);
    let record = message(&[
        Bytes(1, name.as_bytes()),
        Bytes(2, b"1"),
        Bytes(3, b"escc"),
        Bytes(4, b"vscc"),
        Bytes(5, policy),
        Bytes(8, &instantiation),
    ]);
    let mut writes = vec![(name.to_owned(), record)];
    if !collections.is_empty() {
        writes.push((format!("{name}~collection"), collections.clone()));
    }
    by_all(network, "lscc", &input, vec![namespace("lscc", &writes)])
}

/// Some keys of `cc`: plain ones, one guarded by the third organization, one by nobody, one with another metadata.
fn keys(network: &Network) -> Vec<u8> {
    let writes: Vec<_> =
        ["a", "b", "c", "guarded", "open", "odd"].map(|key| (key.to_owned(), key.as_bytes().to_vec())).into();
    let guard = policy::n_of_msps(1, &["Org3MSP"], role::PEER);
    let open = policy::envelope(&policy::n_out_of(0, &[]), &[]);
    let metadata = |key, name, value| KvMetadataWrite { key, entries: vec![KvMetadataEntry { name, value }] };
    let mut namespace = namespace("cc", &writes);
    namespace.public.metadata_writes = vec![
        metadata("guarded", VALIDATION_PARAMETER, &guard),
        metadata("open", VALIDATION_PARAMETER, &open),
        metadata("odd", "something", b"else"),
    ];
    by_all(network, "cc", b"fill", vec![namespace])
}

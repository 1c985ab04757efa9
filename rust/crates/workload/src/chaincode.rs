// SPDX-License-Identifier: Apache-2.0
//! The workload's chaincode: its definition, and its simulations as arguments and read-write sets.

use fastledger_wire::Height;
use fastledger_wire::hash::{hex, sha256};

use crate::identities::msp_id;
use crate::keys::KeyNames;
use crate::lifecycle::Definition;
use crate::message::Message;
use crate::policies::{self, Principal, out_of, role};
use crate::rwset;
use crate::spec::Spec;
use crate::transaction::ChaincodeId;

/// The chaincode.
pub(crate) const ID: ChaincodeId = ChaincodeId { name: "assets", version: "1.0" };
/// Its collection of private data.
const COLLECTION: &str = "private";
/// Peers beside the endorser that a collection's data is sent to.
const MAX_PEER_COUNT: u64 = 3;

/// What a simulation read and wrote; keys by their numbers, each list in their order.
#[derive(Debug, Default)]
pub(crate) struct Simulation {
    /// The invoked function.
    pub(crate) function: &'static str,
    /// Keys and their versions.
    pub(crate) reads: Vec<(u64, Option<Height>)>,
    /// Keys from a first one on and their versions.
    pub(crate) range: Option<(u64, Vec<Option<Height>>)>,
    /// Keys.
    pub(crate) writes: Vec<u64>,
    /// Keys that get an endorsement policy, and the organization that it asks for, counted from 0.
    pub(crate) policies: Vec<(u64, usize)>,
    /// A key of the collection.
    pub(crate) private_write: Option<u64>,
}

/// Gives simulations their wire form.
#[derive(Debug)]
pub(crate) struct Chaincode {
    names: KeyNames,
    value_bytes: usize,
    /// For each organization the policy that asks for one of its peers.
    owner_policies: Vec<Vec<u8>>,
    /// What every transaction reads of the definition.
    lifecycle_reads: Option<Message>,
}

/// The chaincode's definition.
pub(crate) fn definition(spec: &Spec) -> Definition {
    let msp_ids: Vec<_> = (1..=spec.organizations).map(msp_id).collect();
    let all = |role| -> Vec<Principal<'_>> { msp_ids.iter().map(|msp_id| (msp_id.as_str(), role)).collect() };
    let endorsers = &all(role::PEER)[..spec.endorsement_policy.organizations];
    let collection = Message::new()
        .bytes(1, COLLECTION)
        .bytes(2, Message::new().bytes(1, out_of(1, &all(role::MEMBER))))
        .number(4, MAX_PEER_COUNT)
        .number(5, spec.block_to_live);
    let collections = match spec.private_write_share {
        0.0 => Message::new(),
        _ => Message::new().present(1, Message::new().present(1, collection)),
    };
    Definition {
        name: ID.name,
        version: ID.version,
        package_id: format!("{}_{}:{}", ID.name, ID.version, hex(&sha256(&[ID.name.as_bytes()]))),
        policy: policies::application(&out_of(spec.endorsement_policy.required, endorsers)),
        collections,
    }
}

impl Chaincode {
    /// `defined` is the height of the transaction that committed the definition.
    pub(crate) fn new(spec: &Spec, defined: Height) -> Self {
        let owner = |number| out_of(1, &[(msp_id(number).as_str(), role::PEER)]).into_bytes();
        Self {
            names: KeyNames::new(spec.keys),
            value_bytes: spec.value_bytes,
            owner_policies: (1..=spec.organizations).map(owner).collect(),
            lifecycle_reads: spec.lifecycle_reads.then(|| definition(spec).reads(defined)),
        }
    }

    /// Function and keys.
    pub(crate) fn arguments(&self, simulation: &Simulation) -> Vec<Vec<u8>> {
        let written = simulation.writes.iter().copied();
        let read = simulation.reads.iter().map(|(key, _)| *key).filter(|key| !simulation.writes.contains(key));
        let keys = simulation.private_write.into_iter().chain(written).chain(read);
        let names = keys.map(|key| self.names.name(key).into_bytes());
        std::iter::once(simulation.function.as_bytes().to_vec()).chain(names).collect()
    }

    /// The encoded `TxReadWriteSet` of a transaction at this height.
    pub(crate) fn results(&self, simulation: &Simulation, height: Height) -> Vec<u8> {
        let collection = simulation.private_write.map(|key| {
            let value = self.value("private", key, height);
            rwset::collection(COLLECTION, [], &[(&self.names.name(key), &value)])
        });
        let own = rwset::namespace(ID.name, &self.public(simulation, height), collection);
        rwset::transaction(self.lifecycle_reads.iter().cloned().chain([own])).into_bytes()
    }

    /// `KVRWSet`.
    fn public(&self, simulation: &Simulation, height: Height) -> Message {
        let reads = simulation.reads.iter().map(|(key, version)| rwset::read(&self.names.name(*key), *version));
        let ranges = simulation.range.iter().map(|(first, versions)| self.range_query(*first, versions));
        let writes = simulation
            .writes
            .iter()
            .map(|key| rwset::write(&self.names.name(*key), &self.value("value", *key, height)));
        let policies = simulation
            .policies
            .iter()
            .map(|(key, owner)| rwset::policy_write(&self.names.name(*key), &self.owner_policies[*owner]));
        Message::new().repeated(1, reads).repeated(2, ranges).repeated(3, writes).repeated(4, policies)
    }

    fn range_query(&self, first: u64, versions: &[Option<Height>]) -> Message {
        let end = self.names.name(first + versions.len() as u64);
        let exists = |(key, version): (u64, &Option<Height>)| {
            version.map(|version| rwset::read(&self.names.name(key), Some(version)))
        };
        rwset::range_query(&self.names.name(first), &end, (first..).zip(versions).filter_map(exists))
    }

    /// Text that tells where it comes from, made as long as values are.
    fn value(&self, kind: &str, key: u64, height: Height) -> Vec<u8> {
        let mut value = format!("{kind}-{key}-{}-{}-", height.block, height.tx).into_bytes();
        value.resize(self.value_bytes, b'x');
        value
    }
}

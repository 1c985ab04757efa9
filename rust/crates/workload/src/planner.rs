// SPDX-License-Identifier: Apache-2.0
//! Decides block by block what every transaction does, and what will become of it.
//!
//! The blocks: the configuration; one approval of the chaincode's definition for each organization; its commit; the
//! creation of all keys, with their policies; then the measured ones.

use std::sync::Arc;

use fastledger_wire::{Height, TxValidationCode};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::chaincode::{self, Simulation};
use crate::draws::Draws;
use crate::endorsement::Policies;
use crate::error::Result;
use crate::identities::{Member, Network};
use crate::keys::KeyChooser;
use crate::lifecycle::{Definition, Invocation};
use crate::spec::Spec;
use crate::state_model::{Claims, StateModel};
use crate::transaction::Signatory;

/// Bytes of values that a transaction creates, unless one value has more.
const CREATED_BYTES: usize = 16 << 10;
/// Transactions of a block that creates keys: a few megabytes, unless single values are large.
const CREATING_TRANSACTIONS: usize = 200;
/// No block that creates keys has more bytes of values, unless one value has more.
const CREATED_BLOCK_BYTES: usize = 8 << 20;

/// A block before its transactions are built.
#[derive(Debug)]
pub(crate) struct BlockPlan {
    pub(crate) number: u64,
    pub(crate) is_measured: bool,
    /// None for the configuration.
    pub(crate) drafts: Vec<Draft>,
    pub(crate) predicted: Vec<u8>,
}

/// A transaction before it is built.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) creator: Signatory,
    pub(crate) endorsers: Vec<Signatory>,
    pub(crate) call: Call,
}

/// What a transaction invokes.
#[derive(Debug)]
pub(crate) enum Call {
    Lifecycle(Invocation),
    Chaincode(Simulation),
}

/// Makes plans in the order of the blocks; a few numbers for every key are all that it remembers.
pub(crate) struct Planner {
    spec: Spec,
    network: Arc<Network>,
    definition: Definition,
    policies: Policies,
    keys: KeyChooser,
    model: StateModel,
    rng: Xoshiro256PlusPlus,
    number: u64,
    created_keys: u64,
    planned_transactions: u64,
}

/// The block that commits the chaincode's definition.
pub(crate) fn definition_height(spec: &Spec) -> Height {
    Height { block: spec.organizations as u64 + 1, tx: 0 }
}

impl Planner {
    pub(crate) fn new(spec: &Spec, network: Arc<Network>) -> Result<Self> {
        Ok(Self {
            definition: chaincode::definition(spec),
            policies: Policies::new(spec),
            keys: KeyChooser::new(spec)?,
            model: StateModel::new(spec.keys),
            rng: Xoshiro256PlusPlus::seed_from_u64(spec.seed),
            number: 0,
            created_keys: 0,
            planned_transactions: 0,
            spec: spec.clone(),
            network,
        })
    }

    /// The next block, until there are no more transactions.
    pub(crate) fn next_block(&mut self) -> Option<BlockPlan> {
        let number = self.number;
        let (is_measured, planned) = if number == 0 {
            (false, Vec::new())
        } else if number <= self.spec.organizations as u64 {
            (false, vec![self.approval()])
        } else if number == definition_height(&self.spec).block {
            (false, vec![self.commit()])
        } else if self.created_keys < self.spec.keys {
            (false, self.creation())
        } else if self.planned_transactions < self.spec.transactions {
            (true, self.measured())
        } else {
            return None;
        };
        self.number += 1;
        self.model.end_block(if is_measured { self.spec.endorsement_lag_blocks } else { 0 });
        let (drafts, codes): (_, Vec<_>) = planned.into_iter().unzip();
        let predicted = if number == 0 { vec![TxValidationCode::Valid as u8] } else { codes };
        Some(BlockPlan { number, is_measured, drafts, predicted })
    }

    fn approval(&self) -> (Draft, u8) {
        #[expect(clippy::cast_possible_truncation, reason = "at most the number of organizations")]
        let organization = &self.network.organizations[self.number as usize - 1];
        let approval = self.definition.approval(&organization.organization.msp_id);
        lifecycle(&organization.admin, [&organization.peers[0]], approval)
    }

    fn commit(&self) -> (Draft, u8) {
        let organizations = &self.network.organizations;
        let approvals = (1..)
            .zip(organizations)
            .map(|(block, organization)| (organization.organization.msp_id.as_str(), Height { block, tx: 0 }));
        let majority = organizations.len() / 2 + 1;
        let endorsers = organizations[..majority].iter().map(|organization| &organization.peers[0]);
        lifecycle(&organizations[0].admin, endorsers, self.definition.commit(approvals))
    }

    fn creation(&mut self) -> Vec<(Draft, u8)> {
        let keys_each = (CREATED_BYTES / self.spec.value_bytes).max(1);
        let transactions = CREATING_TRANSACTIONS.min(CREATED_BLOCK_BYTES / (keys_each * self.spec.value_bytes)).max(1);
        let mut planned = Vec::with_capacity(transactions);
        while planned.len() < transactions && self.created_keys < self.spec.keys {
            let end = self.spec.keys.min(self.created_keys + keys_each as u64);
            let writes: Vec<_> = (self.created_keys..end).collect();
            self.created_keys = end;
            self.model.commit(Height { block: self.number, tx: planned.len() as u64 }, &writes);
            let policies = writes.iter().filter_map(|key| Some((*key, self.policies.owner(*key)?))).collect();
            let simulation = Simulation { function: "create", writes, policies, ..Simulation::default() };
            planned.push(self.created(simulation));
        }
        planned
    }

    /// New keys have no policies yet.
    fn created(&mut self, simulation: Simulation) -> (Draft, u8) {
        let mut draws = Draws { spec: &self.spec, network: &self.network, rng: &mut self.rng };
        let first = draws.first_organization();
        let endorsers = draws.endorsers(self.policies.needed(first, &[]));
        let creator = Signatory { member: draws.client(), signs_well: true };
        (Draft { creator, endorsers, call: Call::Chaincode(simulation) }, TxValidationCode::Valid as u8)
    }

    fn measured(&mut self) -> Vec<(Draft, u8)> {
        let rest = self.spec.transactions - self.planned_transactions;
        let count = rest.min(self.spec.block_transactions as u64);
        self.planned_transactions += count;
        (0..count).map(|tx| self.transaction(Height { block: self.number, tx })).collect()
    }

    fn transaction(&mut self, height: Height) -> (Draft, u8) {
        let mut draws = Draws { spec: &self.spec, network: &self.network, rng: &mut self.rng };
        let simulation = draws.simulation(&mut self.keys, &self.model);
        let (endorsers, endorsed) = draws.endorsements(&self.policies, &simulation.writes);
        let creator = draws.creator();
        let code = if !creator.signs_well {
            TxValidationCode::BadCreatorSignature
        } else if !self.policies.hold(endorsed, &simulation.writes, simulation.private_write.is_some()) {
            TxValidationCode::EndorsementPolicyFailure
        } else {
            let range = simulation.range.as_ref().map(|(first, versions)| *first..*first + versions.len() as u64);
            self.model.judge(&Claims { reads: &simulation.reads, range })
        };
        if code == TxValidationCode::Valid {
            self.model.commit(height, &simulation.writes);
        }
        (Draft { creator, endorsers, call: Call::Chaincode(simulation) }, code as u8)
    }
}

fn lifecycle<'m>(
    admin: &Arc<Member>,
    endorsers: impl IntoIterator<Item = &'m Arc<Member>>,
    invocation: Invocation,
) -> (Draft, u8) {
    let well = |member: &Arc<Member>| Signatory { member: Arc::clone(member), signs_well: true };
    let endorsers = endorsers.into_iter().map(well).collect();
    let draft = Draft { creator: well(admin), endorsers, call: Call::Lifecycle(invocation) };
    (draft, TxValidationCode::Valid as u8)
}

// SPDX-License-Identifier: Apache-2.0
//! Everything about a transaction that is left to chance.

use std::sync::Arc;

use rand::{Rng, RngExt};

use crate::chaincode::Simulation;
use crate::endorsement::{Organizations, Policies};
use crate::identities::{Member, Network};
use crate::keys::KeyChooser;
use crate::spec::Spec;
use crate::state_model::{StateModel, outdated};
use crate::transaction::Signatory;

/// Chance, with what it chooses from.
pub(crate) struct Draws<'d, R> {
    pub(crate) spec: &'d Spec,
    pub(crate) network: &'d Network,
    pub(crate) rng: &'d mut R,
}

impl<R: Rng> Draws<'_, R> {
    /// What a measured transaction reads and writes, on the state that endorsers see.
    pub(crate) fn simulation(&mut self, keys: &mut KeyChooser, model: &StateModel) -> Simulation {
        let spec = self.spec;
        let only_reads = self.happens(spec.read_only_share);
        let writes = if only_reads { 0 } else { spec.writes };
        let drawn = keys.draw(self.rng, spec.reads.max(writes));
        let mut reads: Vec<_> = drawn[..spec.reads].iter().map(|key| (*key, model.seen(*key))).collect();
        if self.happens(spec.stale_read_share)
            && let Some((_, version)) = reads.first_mut()
        {
            *version = outdated(*version);
        }
        reads.sort_unstable_by_key(|(key, _)| *key);
        let mut writes = drawn[..writes].to_vec();
        writes.sort_unstable();
        let range = self.happens(spec.range_query_share).then(|| {
            let count = u64::from(spec.range_query_keys);
            let first = keys.draw_one(self.rng).min(spec.keys - count);
            (first, (first..first + count).map(|key| model.seen(key)).collect())
        });
        let private_write = self.happens(spec.private_write_share).then(|| keys.draw_one(self.rng));
        let function = if only_reads { "query" } else { "update" };
        Simulation { function, reads, range, writes, policies: Vec::new(), private_write }
    }

    /// The endorsements of a transaction that writes these keys, and the organizations of those that are good.
    pub(crate) fn endorsements(&mut self, policies: &Policies, writes: &[u64]) -> (Vec<Signatory>, Organizations) {
        let mut organizations = policies.needed(self.first_organization(), writes);
        let owner = writes.iter().find_map(|key| policies.owner(*key));
        let mut spoiled = None;
        if let Some(owner) = owner
            && self.happens(self.spec.key_policy_violation_share)
        {
            // A transaction without any endorsement would be no transaction of a real client.
            if organizations == 1 << owner { spoiled = Some(0) } else { organizations &= !(1 << owner) }
        }
        let mut endorsers = self.endorsers(organizations);
        if self.happens(self.spec.bad_endorsement_signature_share) {
            spoiled = Some(self.rng.random_range(0..endorsers.len()));
        }
        if let Some(place) = spoiled {
            endorsers[place].signs_well = false;
            let organization = bits(organizations).nth(place);
            organizations &= !organization.map_or(0, |organization| 1 << organization);
        }
        (endorsers, organizations)
    }

    /// Where the chaincode's policy begins to take organizations from.
    pub(crate) fn first_organization(&mut self) -> usize {
        self.rng.random_range(0..self.spec.endorsement_policy.organizations)
    }

    /// A peer of each organization.
    pub(crate) fn endorsers(&mut self, organizations: Organizations) -> Vec<Signatory> {
        bits(organizations)
            .map(|organization| {
                let peer = self.rng.random_range(0..self.spec.endorsers_per_organization);
                let member = Arc::clone(&self.network.organizations[organization].peers[peer]);
                Signatory { member, signs_well: true }
            })
            .collect()
    }

    /// Any client.
    pub(crate) fn client(&mut self) -> Arc<Member> {
        let organization = self.rng.random_range(0..self.spec.organizations);
        let client = self.rng.random_range(0..self.spec.clients_per_organization);
        Arc::clone(&self.network.organizations[organization].clients[client])
    }

    /// Any client, who may sign badly.
    pub(crate) fn creator(&mut self) -> Signatory {
        let signs_well = !self.happens(self.spec.bad_creator_signature_share);
        Signatory { member: self.client(), signs_well }
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share)
    }
}

fn bits(organizations: Organizations) -> impl Iterator<Item = usize> {
    (0..Organizations::BITS).filter(move |bit| organizations & 1 << bit != 0).map(|bit| bit as usize)
}

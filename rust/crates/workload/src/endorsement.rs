// SPDX-License-Identifier: Apache-2.0
//! Whose endorsements transactions need, and whether those that they have suffice.

use crate::spec::{EndorsementPolicy, Spec};

/// Organizations, counted from 0, as bits.
pub(crate) type Organizations = u64;

/// The chaincode's policy and those of keys.
#[derive(Debug)]
pub(crate) struct Policies {
    chaincode: EndorsementPolicy,
    organizations: usize,
    key_share: f64,
}

impl Policies {
    pub(crate) fn new(spec: &Spec) -> Self {
        Self { chaincode: spec.endorsement_policy, organizations: spec.organizations, key_share: spec.key_policy_share }
    }

    /// The organization whose endorsement a key's own policy asks for; keys with policies lie evenly spread.
    pub(crate) fn owner(&self, key: u64) -> Option<usize> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let quota = |keys: u64| (keys as f64 * self.key_share).floor();
        let before = quota(key);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of keys")]
        let turn = before as u64;
        #[expect(clippy::cast_possible_truncation, reason = "below the number of organizations")]
        (quota(key + 1) > before).then_some((turn % self.organizations as u64) as usize)
    }

    /// As many organizations as the chaincode's policy asks for, from the `first` of those that it names on, and the
    /// owners of the written keys.
    pub(crate) fn needed(&self, first: usize, writes: &[u64]) -> Organizations {
        let EndorsementPolicy { required, organizations } = self.chaincode;
        let chosen = (first..first + required).map(|place| place % organizations);
        let owners = writes.iter().filter_map(|key| self.owner(*key));
        chosen.chain(owners).fold(0, |all, organization| all | 1 << organization)
    }

    /// Whether these organizations' good endorsements suffice for a transaction that writes these keys, and private
    /// ones or not: the chaincode's policy holds for every key without its own, and always where no key has its own.
    pub(crate) fn hold(&self, endorsed: Organizations, writes: &[u64], writes_private: bool) -> bool {
        let mut chaincode_policy_counts = writes_private || writes.is_empty();
        for key in writes {
            match self.owner(*key) {
                Some(owner) if endorsed & 1 << owner == 0 => return false,
                Some(_) => {}
                None => chaincode_policy_counts = true,
            }
        }
        let named: Organizations = (0..self.chaincode.organizations).fold(0, |all, place| all | 1 << place);
        !chaincode_policy_counts || (endorsed & named).count_ones() as usize >= self.chaincode.required
    }
}

#[cfg(test)]
mod tests {
    use super::Policies;
    use crate::spec::{EndorsementPolicy, Spec};

    fn policies(key_policy_share: f64) -> Policies {
        let endorsement_policy = EndorsementPolicy { required: 2, organizations: 3 };
        Policies::new(&Spec { organizations: 4, endorsement_policy, key_policy_share, ..Spec::default() })
    }

    #[test]
    fn every_organization_owns_its_share_of_the_keys() {
        let owners: Vec<_> = (0..12).map(|key| policies(0.5).owner(key)).collect();
        let expected = [None, Some(0), None, Some(1), None, Some(2), None, Some(3), None, Some(0), None, Some(1)];
        assert_eq!(owners, expected);
        assert!((0..100).all(|key| policies(0.0).owner(key).is_none() && policies(1.0).owner(key).is_some()));
    }

    #[test]
    fn what_is_needed_is_enough_and_less_is_not() {
        let policies = policies(0.5);
        for first in 0..3 {
            let needed = policies.needed(first, &[0]);
            assert_eq!(needed.count_ones(), 2);
            assert!(policies.hold(needed, &[0], false));
            assert!(!policies.hold(needed & (needed - 1), &[0], false));
        }
        // Organization 3 is not named by the chaincode's policy, but owns key 7.
        assert_eq!(policies.needed(0, &[0, 7]), 0b1011);
        assert!(!policies.hold(0b0011, &[0, 7], false));
        assert!(!policies.hold(0b1001, &[0, 7], false));
        assert!(policies.hold(0b1000, &[7], false));
        assert!(!policies.hold(0b1000, &[7], true));
        assert!(!policies.hold(0b0001, &[], false));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Signature policies: compiling and evaluating against a naive evaluator that recurses over the message itself.
#![no_main]

use std::sync::{Arc, LazyLock};

use fastledger_fuzz::network::{CHANNEL, Member, Network, Rules, config_block, from_pem};
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_identity::{ChannelConfig, Identity, Signers};
use fastledger_wire::hash::sha256;
use fastledger_wire::msp::{
    CombinedPrincipal, MspIdentityAnonymity, MspPrincipal, MspRole, OrganizationUnit, SerializedIdentity,
    principal_classification, role,
};
use fastledger_wire::policies::{ApplicationPolicy, SignaturePolicy, SignaturePolicyEnvelope};
use fastledger_wire::{Message, messages};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// Most signers.
const MAX_SIGNERS: usize = 80;
/// Steps after which the naive evaluator gives up: it copies what signers are taken at every step.
const MAX_STEPS: usize = 20_000;

messages! {
    /// A policy and who signed.
    Input<'a> {
        /// Encoded `SignaturePolicyEnvelope`.
        1 => envelope: &'a [u8],
        /// Places of the signers among the network's members.
        2 => signers: &'a [u8],
    }
}

static CONFIG: LazyLock<ChannelConfig> = LazyLock::new(|| {
    let (_, envelope) = config_block(Network::get(), Rules::V2_5);
    ChannelConfig::from_envelope(CHANNEL, &envelope).expect("a good configuration")
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, 0, fuzzer_mutate)
});

fuzz_target!(|bytes: &[u8]| on_deep_stack(|| {
    let Ok(input) = Input::decode(bytes) else { return };
    let compiled = CONFIG.key_policy(input.envelope);
    let decoded = SignaturePolicyEnvelope::decode(input.envelope);
    let well_formed = decoded.as_ref().is_ok_and(|envelope| {
        envelope.rule.as_ref().is_some_and(|rule| is_well_formed(rule, envelope.identities.len()))
    });
    assert_eq!(compiled.is_ok(), well_formed, "{compiled:?}");
    let (Ok(compiled), Ok(envelope)) = (compiled, decoded) else { return };
    assert_eq!(CONFIG.signature_policy(input.envelope).is_ok(), envelope.version == 0);

    let members = signers(input.signers);
    let identities: Signers = members.iter().map(|member| identity(member)).collect();
    let mut naive = Naive { members: &members, principals: &envelope.identities, steps: 0 };
    let expected = naive.evaluate(envelope.rule.as_ref().expect("a rule"), &mut vec![false; members.len()]);
    let Some(expected) = expected else { return };
    assert_eq!(compiled.is_satisfied_by(identities.as_slice()), expected, "{compiled}");
    assert_eq!(compiled.evaluate(identities.as_slice()).is_ok(), expected);
    let again = CONFIG.compile(&ApplicationPolicy::SignaturePolicy(envelope)).expect("it compiled");
    assert_eq!(again.is_satisfied_by(identities.as_slice()), expected);
}));

/// Each signer once, in order.
fn signers(places: &[u8]) -> Vec<&'static Member> {
    let mut members: Vec<&Member> = Vec::new();
    for place in places.iter().take(MAX_SIGNERS) {
        let member = Network::get().member(usize::from(*place));
        if !members.iter().any(|known| std::ptr::eq(*known, member)) {
            members.push(member);
        }
    }
    members
}

fn identity(member: &Member) -> Arc<Identity> {
    CONFIG.msps().identity(&member.serialized()).expect("an identity")
}

fn is_well_formed(rule: &SignaturePolicy, principals: usize) -> bool {
    match rule {
        SignaturePolicy::Unset => false,
        SignaturePolicy::SignedBy(index) => usize::try_from(*index).is_ok_and(|index| index < principals),
        SignaturePolicy::NOutOf(gate) => gate.rules.iter().all(|rule| is_well_formed(rule, principals)),
    }
}

struct Naive<'n> {
    members: &'n [&'static Member],
    principals: &'n [MspPrincipal<'n>],
    steps: usize,
}

impl Naive<'_> {
    /// `None` where it takes too long.
    fn evaluate(&mut self, rule: &SignaturePolicy, used: &mut Vec<bool>) -> Option<bool> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return None;
        }
        match rule {
            SignaturePolicy::Unset => Some(false),
            SignaturePolicy::SignedBy(index) => {
                let principal = &self.principals[*index as usize];
                for (place, member) in self.members.iter().enumerate() {
                    if !used[place] && satisfies(member, principal) {
                        used[place] = true;
                        return Some(true);
                    }
                }
                Some(false)
            }
            SignaturePolicy::NOutOf(gate) => {
                let mut taken = used.clone();
                let mut holding = 0;
                for rule in &gate.rules {
                    let mut attempt = taken.clone();
                    if self.evaluate(rule, &mut attempt)? {
                        taken = attempt;
                        holding += 1;
                    }
                }
                let holds = holding >= i64::from(gate.n);
                if holds {
                    *used = taken;
                }
                Some(holds)
            }
        }
    }
}

/// Whether a member of the network is what a principal asks for; the network's own facts decide.
fn satisfies(member: &Member, principal: &MspPrincipal<'_>) -> bool {
    // The second client of an application organization is revoked.
    let is_valid = !(member.unit == "client" && member.serial == 5);
    match principal.principal_classification {
        principal_classification::ROLE => MspRole::decode(principal.principal).is_ok_and(|asked| {
            let unit = match asked.role {
                role::MEMBER => Some(member.unit),
                role::ADMIN => Some("admin"),
                role::CLIENT => Some("client"),
                role::PEER => Some("peer"),
                role::ORDERER => Some("orderer"),
                _ => None,
            };
            // The first client is listed as an administrator, besides.
            let listed = asked.role == role::ADMIN && is_listed(member);
            asked.msp_identifier == member.mspid && is_valid && (unit == Some(member.unit) || listed)
        }),
        principal_classification::ORGANIZATION_UNIT => {
            OrganizationUnit::decode(principal.principal).is_ok_and(|asked| {
                let organization = Network::get().organizations.iter().chain([&Network::get().orderer]);
                let authority = organization.map(|organization| &organization.authority);
                let authority = authority.into_iter().find(|authority| authority.mspid == member.mspid);
                let certifier = authority.map(|authority| sha256(&[&from_pem(&authority.pem)]));
                asked.msp_identifier == member.mspid
                    && is_valid
                    && asked.organizational_unit_identifier == member.unit
                    && certifier.is_some_and(|certifier| asked.certifiers_identifier == certifier)
            })
        }
        principal_classification::IDENTITY => SerializedIdentity::decode(principal.principal).is_ok_and(|asked| {
            let expected = CONFIG.msps().identity(principal.principal);
            asked.mspid == member.mspid
                && expected.is_ok_and(|expected| {
                    expected.validity().is_ok() && expected.certificate().der() == identity(member).certificate().der()
                })
        }),
        principal_classification::ANONYMITY => {
            MspIdentityAnonymity::decode(principal.principal).is_ok_and(|asked| asked.anonymity_type == 0)
        }
        principal_classification::COMBINED => CombinedPrincipal::decode(principal.principal).is_ok_and(|asked| {
            !asked.principals.is_empty() && asked.principals.iter().all(|part| satisfies(member, part))
        }),
        _ => false,
    }
}

fn is_listed(member: &Member) -> bool {
    let members = Network::get().members().filter(|other| other.mspid == member.mspid);
    members.into_iter().find(|other| other.unit == "client").is_some_and(|first| std::ptr::eq(first, member))
}

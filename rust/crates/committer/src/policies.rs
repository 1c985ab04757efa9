// SPDX-License-Identifier: Apache-2.0
//! The policies that transactions are held against, under one configuration.

use std::sync::Arc;

use fastledger_identity::{ChannelConfig, Identity, Policy};
use fastledger_wire::encode;
use fastledger_wire::msp::{MspPrincipal, principal_classification};
use fastledger_wire::policies::{ApplicationPolicy, NOutOf, SignaturePolicy, SignaturePolicyEnvelope};

/// Where `_lifecycle`'s own policy stands (`lifecycle.LifecycleEndorsementPolicyRef`).
const LIFECYCLE_ENDORSEMENT: &str = "/Channel/Application/LifecycleEndorsement";

/// Names a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PolicyRef<'p> {
    /// An encoded `ApplicationPolicy`.
    Application(&'p [u8]),
    /// An encoded `SignaturePolicyEnvelope`.
    Signature(&'p [u8]),
    /// An encoded `SignaturePolicyEnvelope` that is evaluated as part of an `ApplicationPolicy`: of any version.
    WrappedSignature(&'p [u8]),
    /// A decoded `ApplicationPolicy`.
    Decoded(&'p ApplicationPolicy<'p>),
    /// That of `_lifecycle`'s own namespace (`LifecycleEndorsementPolicyAsBytes`).
    LifecycleEndorsement,
    /// That of an organization's implicit collection, by MSP id (`ImplicitCollectionEndorsementPolicyAsBytes`).
    Organization(&'p str),
    /// Any member of the channel's application organizations: 1.x's policy for system chaincodes.
    AnyMember,
}

/// Whether these signers, each listed once, satisfy the policy; an error says which policy it is, or what is wrong
/// with it.
pub(crate) fn evaluate(config: &ChannelConfig, policy: PolicyRef<'_>, signers: &[Arc<Identity>]) -> Result<(), String> {
    hold(&*find(config, policy)?, signers)
}

/// [`evaluate`] of a policy that was found.
pub(crate) fn hold(policy: &Policy, signers: &[Arc<Identity>]) -> Result<(), String> {
    if policy.is_satisfied_by(signers) { Ok(()) } else { Err(policy.to_string()) }
}

/// The policy in Fabric's policy language, or what is wrong with it.
pub(crate) fn describe(config: &ChannelConfig, policy: PolicyRef<'_>) -> Result<String, String> {
    find(config, policy).map(|policy| policy.to_string())
}

/// The policy as an encoded `ApplicationPolicy`, which every policy of a namespace can be written as.
pub(crate) fn encode(config: &ChannelConfig, policy: PolicyRef<'_>) -> Result<Vec<u8>, String> {
    match policy {
        PolicyRef::Application(encoded) => Ok(encoded.to_vec()),
        PolicyRef::Signature(envelope) | PolicyRef::WrappedSignature(envelope) => {
            let mut wrapped = Vec::new();
            encode::present_field(&mut wrapped, 1, envelope);
            Ok(wrapped)
        }
        PolicyRef::Decoded(policy) => Ok(policy.encode()),
        PolicyRef::LifecycleEndorsement => Ok(lifecycle_endorsement(config)),
        PolicyRef::Organization(msp_id) => organization(config, msp_id),
        PolicyRef::AnyMember => Ok(signed_by_members(1, &application_members(config))),
    }
}

/// The policy compiled, or what is wrong with it.
pub(crate) fn find(config: &ChannelConfig, policy: PolicyRef<'_>) -> Result<Arc<Policy>, String> {
    let found = match policy {
        PolicyRef::Application(encoded) => config.application_policy(encoded),
        PolicyRef::Signature(encoded) => config.signature_policy(encoded),
        PolicyRef::WrappedSignature(encoded) => config.key_policy(encoded),
        PolicyRef::Decoded(policy) => config.compile(policy),
        PolicyRef::LifecycleEndorsement | PolicyRef::Organization(_) | PolicyRef::AnyMember => {
            config.application_policy(&encode(config, policy)?)
        }
    };
    found.map_err(|error| error.to_string())
}

/// The configuration's policy for it, by default the majority of the organizations.
fn lifecycle_endorsement(config: &ChannelConfig) -> Vec<u8> {
    if config.policy(LIFECYCLE_ENDORSEMENT).is_some() {
        return ApplicationPolicy::ChannelConfigPolicyReference(LIFECYCLE_ENDORSEMENT).encode();
    }
    let members = application_members(config);
    signed_by_members(members.len() / 2 + 1, &members)
}

/// The organization's policy `Endorsement`, by default any member of it.
fn organization(config: &ChannelConfig, msp_id: &str) -> Result<Vec<u8>, String> {
    let organizations = config.application().map(|application| &application.organizations);
    let name = organizations
        .and_then(|organizations| organizations.iter().find(|(_, organization)| organization.mspid == msp_id))
        .map(|(name, _)| name)
        .ok_or_else(|| format!("no organization of the channel has MSP {msp_id:?}"))?;
    let path = format!("/Channel/Application/{name}/Endorsement");
    if config.policy(&path).is_some() {
        return Ok(ApplicationPolicy::ChannelConfigPolicyReference(&path).encode());
    }
    Ok(signed_by_members(1, &[msp_id]))
}

/// MSP ids of the application organizations, sorted as Fabric's policies have them.
fn application_members(config: &ChannelConfig) -> Vec<&str> {
    let mut members = config.application().map_or_else(Vec::new, |application| application.mspids());
    members.sort_unstable();
    members
}

/// An encoded `ApplicationPolicy` that asks for members of `n` of the MSPs (`policydsl.SignedByNOutOfGivenRole`).
fn signed_by_members(n: usize, msp_ids: &[&str]) -> Vec<u8> {
    // An MspRole's role MEMBER is 0, which protobuf leaves out.
    let member = |msp_id: &&str| {
        let mut role = Vec::new();
        encode::bytes_field(&mut role, 1, msp_id.as_bytes());
        role
    };
    let members: Vec<_> = msp_ids.iter().map(member).collect();
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    let rules = (0..).map(SignaturePolicy::SignedBy).take(msp_ids.len()).collect();
    let principal = |role| MspPrincipal { principal_classification: principal_classification::ROLE, principal: role };
    ApplicationPolicy::SignaturePolicy(SignaturePolicyEnvelope {
        version: 0,
        rule: Some(SignaturePolicy::NOutOf(NOutOf { n, rules })),
        identities: members.iter().map(|role| principal(role)).collect(),
    })
    .encode()
}

#[cfg(test)]
mod tests {
    use fastledger_wire::Message;
    use fastledger_wire::msp::MspRole;

    use super::*;

    #[test]
    fn members_policies_decode_to_what_they_ask_for() {
        let bytes = signed_by_members(2, &["Org1MSP", "Org2MSP"]);
        let ApplicationPolicy::SignaturePolicy(envelope) = ApplicationPolicy::decode(&bytes).expect("decodes") else {
            panic!("{bytes:?}")
        };
        let Some(SignaturePolicy::NOutOf(rule)) = envelope.rule else { panic!("{envelope:?}") };
        assert_eq!((rule.n, rule.rules), (2, vec![SignaturePolicy::SignedBy(0), SignaturePolicy::SignedBy(1)]));
        let roles: Vec<_> =
            envelope.identities.iter().map(|id| MspRole::decode(id.principal).expect("decodes")).collect();
        assert_eq!(roles[1], MspRole { msp_identifier: "Org2MSP", role: 0 });
    }
}

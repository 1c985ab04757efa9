// SPDX-License-Identifier: Apache-2.0
//! The policies that transactions are held against, under one configuration.

use std::sync::Arc;

use fastledger_identity::{ChannelConfig, Identity, Policy};
use fastledger_wire::encode;
use fastledger_wire::policies::ApplicationPolicy;

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
    let policy = find(config, policy)?;
    if policy.is_satisfied_by(signers) { Ok(()) } else { Err(policy.to_string()) }
}

/// The policy in Fabric's policy language, or what is wrong with it.
pub(crate) fn describe(config: &ChannelConfig, policy: PolicyRef<'_>) -> Result<String, String> {
    find(config, policy).map(|policy| policy.to_string())
}

fn find(config: &ChannelConfig, policy: PolicyRef<'_>) -> Result<Arc<Policy>, String> {
    let found = match policy {
        PolicyRef::Application(encoded) => config.application_policy(encoded),
        PolicyRef::Signature(encoded) => config.signature_policy(encoded),
        PolicyRef::WrappedSignature(encoded) => config.key_policy(encoded),
        PolicyRef::Decoded(policy) => config.compile(policy),
        PolicyRef::LifecycleEndorsement => return lifecycle_endorsement(config),
        PolicyRef::Organization(msp_id) => return organization(config, msp_id),
        PolicyRef::AnyMember => config.signature_policy(&signed_by_members(1, &application_members(config))),
    };
    found.map_err(|error| error.to_string())
}

fn lifecycle_endorsement(config: &ChannelConfig) -> Result<Arc<Policy>, String> {
    if let Some(policy) = config.policy(LIFECYCLE_ENDORSEMENT) {
        return Ok(Arc::clone(policy));
    }
    let members = application_members(config);
    config.signature_policy(&signed_by_members(members.len() / 2 + 1, &members)).map_err(|error| error.to_string())
}

fn organization(config: &ChannelConfig, msp_id: &str) -> Result<Arc<Policy>, String> {
    let organizations = config.application().map(|application| &application.organizations);
    let name = organizations
        .and_then(|organizations| organizations.iter().find(|(_, organization)| organization.mspid == msp_id))
        .map(|(name, _)| name)
        .ok_or_else(|| format!("no organization of the channel has MSP {msp_id:?}"))?;
    match config.policy(&format!("/Channel/Application/{name}/Endorsement")) {
        Some(policy) => Ok(Arc::clone(policy)),
        None => config.signature_policy(&signed_by_members(1, &[msp_id])).map_err(|error| error.to_string()),
    }
}

/// MSP ids of the application organizations, sorted as Fabric's policies have them.
fn application_members(config: &ChannelConfig) -> Vec<&str> {
    let mut members = config.application().map_or_else(Vec::new, |application| application.mspids());
    members.sort_unstable();
    members
}

/// An encoded `SignaturePolicyEnvelope` that asks for members of `n` of the MSPs (`policydsl.SignedByNOutOfGivenRole`).
fn signed_by_members(n: usize, msp_ids: &[&str]) -> Vec<u8> {
    let mut n_out_of = Vec::new();
    encode::varint_field(&mut n_out_of, 1, n as u64);
    for index in 0..msp_ids.len() as u64 {
        // The index of the first principal is 0, and is written all the same: it says which case of the oneof this is.
        let mut signed_by = vec![1 << 3];
        encode::varint(&mut signed_by, index);
        encode::present_field(&mut n_out_of, 2, &signed_by);
    }
    let mut rule = Vec::new();
    encode::present_field(&mut rule, 2, &n_out_of);
    let mut envelope = Vec::new();
    encode::present_field(&mut envelope, 2, &rule);
    for msp_id in msp_ids {
        // Classification ROLE and role MEMBER are both 0, which protobuf leaves out.
        let mut member = Vec::new();
        encode::bytes_field(&mut member, 1, msp_id.as_bytes());
        let mut identity = Vec::new();
        encode::bytes_field(&mut identity, 2, &member);
        encode::present_field(&mut envelope, 3, &identity);
    }
    envelope
}

#[cfg(test)]
mod tests {
    use super::signed_by_members;
    use fastledger_wire::Message;
    use fastledger_wire::msp::MspRole;
    use fastledger_wire::policies::{SignaturePolicy, SignaturePolicyEnvelope};

    #[test]
    fn members_policies_decode_to_what_they_ask_for() {
        let bytes = signed_by_members(2, &["Org1MSP", "Org2MSP"]);
        let envelope = SignaturePolicyEnvelope::decode(&bytes).expect("decodes");
        let Some(SignaturePolicy::NOutOf(rule)) = envelope.rule else { panic!("{envelope:?}") };
        assert_eq!((rule.n, rule.rules), (2, vec![SignaturePolicy::SignedBy(0), SignaturePolicy::SignedBy(1)]));
        let roles: Vec<_> =
            envelope.identities.iter().map(|id| MspRole::decode(id.principal).expect("decodes")).collect();
        assert_eq!(roles[1], MspRole { msp_identifier: "Org2MSP", role: 0 });
    }
}

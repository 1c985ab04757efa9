// SPDX-License-Identifier: Apache-2.0
//! Views of `common/policies.proto` and of `protos.ApplicationPolicy`.

use crate::encode::{bytes_field, present_field, varint, varint_field};
use crate::messages;
use crate::msp::MspPrincipal;
use crate::protobuf::{DecodeError, Field, Message, Value};

/// `common.Policy.PolicyType`.
pub mod policy_type {
    /// The value is a `SignaturePolicyEnvelope`.
    pub const SIGNATURE: i32 = 1;
    /// The value is an `ImplicitMetaPolicy`.
    pub const IMPLICIT_META: i32 = 3;
}

/// `common.ImplicitMetaPolicy.Rule`.
pub mod implicit_meta_rule {
    /// One sub-policy suffices.
    pub const ANY: i32 = 0;
    /// Every sub-policy must hold.
    pub const ALL: i32 = 1;
    /// More than half of the sub-policies must hold.
    pub const MAJORITY: i32 = 2;
}

/// Tag of `common.SignaturePolicy.signed_by`, a varint.
const SIGNED_BY_TAG: u8 = 1 << 3;

messages! {
    /// `common.SignaturePolicyEnvelope`.
    SignaturePolicyEnvelope<'a> {
        1 => version: i32,
        2 => rule: Option<SignaturePolicy>,
        3 => identities: Vec<MspPrincipal<'a>>,
    }

    /// `common.SignaturePolicy.NOutOf`.
    NOutOf {
        1 => n: i32,
        2 => rules: Vec<SignaturePolicy>,
    }

    /// `common.ImplicitMetaPolicy`.
    ImplicitMetaPolicy<'a> {
        1 => sub_policy: &'a str,
        2 => rule: i32,
    }
}

/// `common.SignaturePolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// Neither case of the oneof is present.
    #[default]
    Unset,
    /// An index into the envelope's identities.
    SignedBy(i32),
    /// So many of these rules.
    NOutOf(NOutOf),
}

impl<'a> Message<'a> for SignaturePolicy {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        match number {
            1 => {
                let mut index = 0i32;
                let known = index.merge_value(value, depth)?;
                if known {
                    *self = Self::SignedBy(index);
                }
                Ok(known)
            }
            2 => merge_case(
                self,
                value,
                depth,
                |policy| match policy {
                    Self::NOutOf(rule) => Some(std::mem::take(rule)),
                    _ => None,
                },
                Self::NOutOf,
            ),
            _ => Ok(false),
        }
    }
}

/// `protos.ApplicationPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApplicationPolicy<'a> {
    /// Neither case of the oneof is present.
    #[default]
    Unset,
    /// The policy itself.
    SignaturePolicy(SignaturePolicyEnvelope<'a>),
    /// The path of a policy in the channel's configuration.
    ChannelConfigPolicyReference(&'a str),
}

impl<'a> Message<'a> for ApplicationPolicy<'a> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        match number {
            1 => merge_case(
                self,
                value,
                depth,
                |policy| match policy {
                    Self::SignaturePolicy(envelope) => Some(std::mem::take(envelope)),
                    _ => None,
                },
                Self::SignaturePolicy,
            ),
            2 => {
                let mut reference = "";
                let known = reference.merge_value(value, depth)?;
                if known {
                    *self = Self::ChannelConfigPolicyReference(reference);
                }
                Ok(known)
            }
            _ => Ok(false),
        }
    }
}

impl SignaturePolicy {
    /// Encodes the message; the case of the oneof that is present is written even where it is 0 or empty.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Unset => {}
            Self::SignedBy(index) => {
                varint(&mut out, u64::from(SIGNED_BY_TAG));
                varint(&mut out, i64::from(*index).cast_unsigned());
            }
            Self::NOutOf(rule) => {
                let mut inner = Vec::new();
                varint_field(&mut inner, 1, i64::from(rule.n).cast_unsigned());
                for rule in &rule.rules {
                    present_field(&mut inner, 2, &rule.encode());
                }
                present_field(&mut out, 2, &inner);
            }
        }
        out
    }
}

impl SignaturePolicyEnvelope<'_> {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        varint_field(&mut out, 1, i64::from(self.version).cast_unsigned());
        if let Some(rule) = &self.rule {
            present_field(&mut out, 2, &rule.encode());
        }
        for identity in &self.identities {
            let mut principal = Vec::new();
            varint_field(&mut principal, 1, i64::from(identity.principal_classification).cast_unsigned());
            bytes_field(&mut principal, 2, identity.principal);
            present_field(&mut out, 3, &principal);
        }
        out
    }
}

impl ApplicationPolicy<'_> {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Unset => {}
            Self::SignaturePolicy(envelope) => present_field(&mut out, 1, &envelope.encode()),
            Self::ChannelConfigPolicyReference(path) => present_field(&mut out, 2, path.as_bytes()),
        }
        out
    }
}

/// Merges a message-typed case of a oneof: a repeated same case merges, another case is replaced.
pub(crate) fn merge_case<'a, O, M: Message<'a>>(
    oneof: &mut O,
    value: Value<'a>,
    depth: u32,
    take_same: impl FnOnce(&mut O) -> Option<M>,
    wrap: impl FnOnce(M) -> O,
) -> Result<bool, DecodeError> {
    let Value::Bytes(bytes) = value else { return Ok(false) };
    let mut message = take_same(oneof).unwrap_or_default();
    message.merge(bytes, depth + 1)?;
    *oneof = wrap(message);
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use std::thread;

    use super::*;
    use crate::protobuf::{MAX_DEPTH, with_stack_for};

    /// Rules within rules, so many levels deep.
    fn nested(levels: u32) -> Vec<u8> {
        let mut rule = SignaturePolicy::SignedBy(0).encode();
        for _ in 0..levels {
            let mut n_out_of = Vec::new();
            present_field(&mut n_out_of, 2, &rule);
            rule = Vec::new();
            present_field(&mut rule, 2, &n_out_of);
        }
        rule
    }

    #[test]
    fn the_deepest_message_is_decoded_and_encoded_on_any_threads_stack() {
        let deepest = nested(MAX_DEPTH / 2 - 1);
        let work = move || {
            with_stack_for(deepest.len(), || {
                let policy = SignaturePolicy::decode(&deepest).unwrap();
                assert!(matches!(policy, SignaturePolicy::NOutOf(_)));
                assert!(SignaturePolicy::decode(&policy.encode()).unwrap() == policy);
            });
        };
        thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn policies_are_encoded_as_they_were_decoded() {
        let rule = SignaturePolicy::NOutOf(NOutOf {
            n: -1,
            rules: vec![SignaturePolicy::SignedBy(0), SignaturePolicy::SignedBy(-7), SignaturePolicy::Unset],
        });
        let identities = vec![
            MspPrincipal { principal_classification: 0, principal: b"role" },
            MspPrincipal { principal_classification: 2, principal: b"" },
        ];
        let envelope = SignaturePolicyEnvelope { version: 3, rule: Some(rule), identities };
        for policy in [
            ApplicationPolicy::SignaturePolicy(envelope),
            ApplicationPolicy::SignaturePolicy(SignaturePolicyEnvelope::default()),
            ApplicationPolicy::ChannelConfigPolicyReference("/Channel"),
            ApplicationPolicy::Unset,
        ] {
            assert_eq!(ApplicationPolicy::decode(&policy.encode()).unwrap(), policy);
        }
    }
}

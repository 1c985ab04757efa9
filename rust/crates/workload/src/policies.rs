// SPDX-License-Identifier: Apache-2.0
//! Policies in their wire form (`common/policies.proto`).

use fastledger_wire::policies::policy_type;

use crate::message::Message;

pub(crate) use fastledger_wire::msp::role;
pub(crate) use fastledger_wire::policies::implicit_meta_rule;

/// Somebody with a role: MSP and `MSPRole.MSPRoleType`.
pub(crate) type Principal<'m> = (&'m str, i32);

/// A `SignaturePolicyEnvelope`: so many of these principals must have signed.
pub(crate) fn out_of(required: usize, principals: &[Principal<'_>]) -> Message {
    let rules = (0..principals.len() as u64).map(|index| Message::new().present_number(1, index));
    let gate = Message::new().number(1, required as u64).repeated(2, rules);
    let identities = principals.iter().map(|(msp_id, role)| {
        let role = Message::new().bytes(1, msp_id).number(2, u64::from(role.unsigned_abs()));
        Message::new().bytes(2, role)
    });
    Message::new().bytes(2, Message::new().bytes(2, gate)).repeated(3, identities)
}

/// An `ApplicationPolicy` that holds a signature policy.
pub(crate) fn application(policy: &Message) -> Message {
    Message::new().present(1, policy)
}

/// A `Policy` that is a signature policy.
pub(crate) fn signature(policy: &Message) -> Message {
    typed(policy_type::SIGNATURE, policy)
}

/// A `Policy` that asks for the policies of this name one level below.
pub(crate) fn implicit_meta(rule: i32, sub_policy: &str) -> Message {
    let policy = Message::new().bytes(1, sub_policy).number(2, u64::from(rule.unsigned_abs()));
    typed(policy_type::IMPLICIT_META, &policy)
}

fn typed(kind: i32, policy: &Message) -> Message {
    Message::new().number(1, u64::from(kind.unsigned_abs())).bytes(2, policy)
}

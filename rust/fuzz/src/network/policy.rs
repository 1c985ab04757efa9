// SPDX-License-Identifier: Apache-2.0
//! Policies in their wire form.

use crate::message::{Bytes, Number, message, repeated};

/// `MSPRole.MSPRoleType`.
pub use fastledger_wire::msp::role;

/// An encoded `SignaturePolicy`: signed by the principal of this index.
#[must_use]
pub fn signed_by(index: u64) -> Vec<u8> {
    let mut rule = vec![1 << 3];
    fastledger_wire::encode::varint(&mut rule, index);
    rule
}

/// An encoded `SignaturePolicy`: so many of these rules.
#[must_use]
pub fn n_out_of(n: u64, rules: &[Vec<u8>]) -> Vec<u8> {
    let gate = [message(&[Number(1, n)]), repeated(2, rules)].concat();
    message(&[Bytes(2, &gate)])
}

/// An encoded `MSPPrincipal`: a role in an MSP.
#[must_use]
pub fn role_of(mspid: &str, role: i32) -> Vec<u8> {
    message(&[Bytes(2, &message(&[Bytes(1, mspid.as_bytes()), Number(2, u64::from(role.unsigned_abs()))]))])
}

/// An encoded `SignaturePolicyEnvelope`.
#[must_use]
pub fn envelope(rule: &[u8], principals: &[Vec<u8>]) -> Vec<u8> {
    [message(&[Bytes(2, rule)]), repeated(3, principals)].concat()
}

/// An envelope that asks for so many of these MSPs, each in this role.
#[must_use]
pub fn n_of_msps(n: u64, mspids: &[&str], role: i32) -> Vec<u8> {
    let rules: Vec<_> = (0..mspids.len() as u64).map(signed_by).collect();
    let principals: Vec<_> = mspids.iter().map(|mspid| role_of(mspid, role)).collect();
    envelope(&n_out_of(n, &rules), &principals)
}

/// An encoded `ApplicationPolicy` that holds an envelope.
#[must_use]
pub fn application(envelope: &[u8]) -> Vec<u8> {
    message(&[Bytes(1, envelope)])
}

/// An encoded `ApplicationPolicy` that names a policy of the channel's configuration.
#[must_use]
pub fn reference(path: &str) -> Vec<u8> {
    message(&[Bytes(2, path.as_bytes())])
}

// SPDX-License-Identifier: Apache-2.0
//! Principals: what a policy asks of one signer (`MSP.SatisfiesPrincipal`).

use std::fmt;
use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::msp::{
    CombinedPrincipal, MspIdentityAnonymity, MspPrincipal, MspRole, OrganizationUnit, principal_classification, role,
};

use crate::identity::Identity;
use crate::msp::{MspManager, MspVersion};

/// `MSPIdentityAnonymity.MSPIdentityAnonymityType` of identities that are known by name, as all X.509 ones are.
const NOMINAL: i32 = 0;

/// A compiled principal: everything that does not depend on the signer is decided.
#[derive(Debug)]
pub enum Principal {
    /// An `MSPRole`.
    Role {
        /// The MSP that the signer must belong to.
        mspid: Box<str>,
        /// `MSPRole.MSPRoleType`.
        role: i32,
    },
    /// An `OrganizationUnit`.
    Unit {
        /// The MSP that the signer must belong to.
        mspid: Box<str>,
        /// The unit that the signer's certificate must name.
        unit: Box<str>,
        /// Hash of the chain that must have certified it.
        certifiers_identifier: Box<[u8]>,
    },
    /// One identity, which must be valid.
    Identity(Arc<Identity>),
    /// Anybody with a name: even an identity that its MSP calls invalid.
    Nominal,
    /// Several principals at once.
    All(Vec<Principal>),
    /// Nobody, for this reason.
    Nobody(String),
}

impl Principal {
    pub(super) fn compile(principal: &MspPrincipal<'_>, msps: &MspManager) -> Self {
        if principal.principal_classification != principal_classification::COMBINED {
            return Self::compile_single(principal, msps);
        }
        if msps.version() < MspVersion::V1_3 {
            return Self::Nobody("combined principals need channel capability V1_3".into());
        }
        Self::compile_combined(principal, msps)
    }

    /// Combined principals nest to any depth, so they are flattened without recursion.
    fn compile_combined(principal: &MspPrincipal<'_>, msps: &MspManager) -> Self {
        let mut parts = Vec::new();
        let mut open = vec![principal.clone()];
        while let Some(next) = open.pop() {
            if next.principal_classification != principal_classification::COMBINED {
                parts.push(Self::compile_single(&next, msps));
                continue;
            }
            match CombinedPrincipal::decode(next.principal) {
                Ok(combined) if combined.principals.is_empty() => {
                    return Self::Nobody("a combined principal without parts".into());
                }
                Ok(combined) => open.extend(combined.principals.into_iter().rev()),
                Err(error) => return Self::Nobody(format!("an undecodable combined principal ({error})")),
            }
        }
        Self::All(parts)
    }

    fn compile_single(principal: &MspPrincipal<'_>, msps: &MspManager) -> Self {
        let compiled = match principal.principal_classification {
            principal_classification::ROLE => MspRole::decode(principal.principal)
                .map(|role| Self::Role { mspid: role.msp_identifier.into(), role: role.role }),
            principal_classification::ORGANIZATION_UNIT => {
                OrganizationUnit::decode(principal.principal).map(|unit| Self::Unit {
                    mspid: unit.msp_identifier.into(),
                    unit: unit.organizational_unit_identifier.into(),
                    certifiers_identifier: unit.certifiers_identifier.into(),
                })
            }
            principal_classification::IDENTITY => Ok(match msps.identity(principal.principal) {
                Ok(identity) => Self::Identity(identity),
                Err(error) => Self::Nobody(format!("an unusable identity ({error})")),
            }),
            principal_classification::ANONYMITY if msps.version() >= MspVersion::V1_3 => {
                MspIdentityAnonymity::decode(principal.principal).map(|anonymity| match anonymity.anonymity_type {
                    NOMINAL => Self::Nominal,
                    _ => Self::Nobody("an anonymous identity".into()),
                })
            }
            other => Ok(Self::Nobody(format!("principal of unknown classification {other}"))),
        };
        compiled.unwrap_or_else(|error| Self::Nobody(format!("an undecodable principal ({error})")))
    }

    /// Whether this identity, as a signer, satisfies the principal.
    #[must_use]
    pub fn is_satisfied_by(&self, identity: &Identity) -> bool {
        match self {
            Self::Role { mspid, role } => identity.roles().contains(*role) && identity.mspid() == &**mspid,
            Self::Unit { mspid, unit, certifiers_identifier } => {
                let units = &identity.certificate().subject().organizational_units;
                identity.mspid() == &**mspid
                    && identity.validity().is_ok()
                    && units.iter().any(|own| **own == **unit)
                    && identity.certifiers_identifier.as_ref() == Some(certifiers_identifier)
            }
            Self::Identity(expected) => {
                identity.mspid() == expected.mspid()
                    && identity.certificate().der() == expected.certificate().der()
                    && expected.validity().is_ok()
            }
            Self::Nominal => true,
            Self::All(parts) => parts.iter().all(|part| part.is_satisfied_by(identity)),
            Self::Nobody(_) => false,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role { mspid, role } => write!(formatter, "'{mspid}.{}'", role_name(*role)),
            Self::Unit { mspid, unit, .. } => write!(formatter, "'{mspid}.OU({unit})'"),
            Self::Identity(identity) => write!(formatter, "'{identity}'"),
            Self::Nominal => formatter.write_str("'anybody'"),
            Self::All(parts) => {
                formatter.write_str("AllOf(")?;
                for (index, part) in parts.iter().enumerate() {
                    write!(formatter, "{}{part}", if index == 0 { "" } else { ", " })?;
                }
                formatter.write_str(")")
            }
            Self::Nobody(reason) => write!(formatter, "'nobody: {reason}'"),
        }
    }
}

fn role_name(role: i32) -> &'static str {
    match role {
        role::MEMBER => "member",
        role::ADMIN => "admin",
        role::CLIENT => "client",
        role::PEER => "peer",
        role::ORDERER => "orderer",
        _ => "unknown role",
    }
}

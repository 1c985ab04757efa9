// SPDX-License-Identifier: Apache-2.0
//! What an MSP demands of an identity beyond a chain: key, revocation, organizational units (`mspimplvalidate.go`).

use std::sync::Arc;

use fastledger_wire::msp::role;

use super::MspVersion;
use super::node_ous::{NodeOu, NodeOus};
use super::provider::Msp;
use crate::identity::{Identity, Roles};
use crate::x509::{Certificate, PublicKey};

impl Msp {
    /// Judges an identity that has a chain.
    pub(super) fn validate(&self, identity: &Identity, chain: &[Arc<Certificate>]) -> Result<(), String> {
        let key = identity.certificate.public_key();
        let supported = match key {
            PublicKey::Ec(_) => true,
            PublicKey::Ed25519(_) => self.version >= MspVersion::V3_0,
            _ => false,
        };
        if !supported {
            return Err(format!("{} keys are not supported at this capability level", key.algorithm()));
        }
        self.check_revocation(&identity.certificate, chain)?;
        self.check_ou_identifiers(identity)?;
        self.node_ous.as_ref().map_or(Ok(()), |node_ous| self.check_node_ous(node_ous, identity))
    }

    /// Looks the certificate up in the lists that its issuer signed; one by another key is passed over.
    ///
    /// A list without authority key identifier makes every certificate fail, as it does in Fabric.
    pub(super) fn check_revocation(&self, certificate: &Certificate, chain: &[Arc<Certificate>]) -> Result<(), String> {
        let issuer = chain.get(1).ok_or("chain has no issuer above the certificate")?;
        let key_id = issuer.subject_key_id().ok_or("issuer's certificate has no subject key identifier")?;
        for list in &self.revocation_lists {
            let authority = list.authority_key_id.as_ref().ok_or("a CRL of the MSP has no authority key identifier")?;
            if authority == key_id && list.revokes(certificate.serial()) && list.is_signed_by(issuer) {
                return Err("the certificate has been revoked".into());
            }
        }
        Ok(())
    }

    /// One of the identity's units must be among the MSP's, if it names any.
    fn check_ou_identifiers(&self, identity: &Identity) -> Result<(), String> {
        let units = &identity.certificate.subject().organizational_units;
        let is_known = |unit: &String| {
            let certifiers = self.ou_identifiers.get(unit).map(Vec::as_slice).unwrap_or_default();
            certifiers.iter().any(|certifier| identity.certifiers_identifier.as_ref() == Some(certifier))
        };
        if self.ou_identifiers.is_empty() || units.iter().any(is_known) {
            return Ok(());
        }
        Err(format!("none of its organizational units {units:?} is among the MSP's"))
    }

    /// Exactly one of the identity's units must be a node OU; the same one twice is one too many.
    fn check_node_ous(&self, node_ous: &NodeOus, identity: &Identity) -> Result<(), String> {
        let units = &identity.certificate.subject().organizational_units;
        let mut found = 0;
        for node_ou in units.iter().filter_map(|unit| node_ous.by_unit(unit, self.version)) {
            if !is_certified(node_ou, identity) {
                return Err(format!("organizational unit {:?} is certified by another chain", node_ou.unit));
            }
            found += 1;
            if found > 1 {
                break;
            }
        }
        match found {
            1 => Ok(()),
            0 => Err(format!("none of its organizational units {units:?} is a node OU")),
            _ => Err(format!("its organizational units {units:?} hold more than one node OU")),
        }
    }

    /// The roles that the identity satisfies (`satisfiesPrincipalInternal…`, classification ROLE).
    pub(super) fn roles(&self, identity: &Identity) -> Roles {
        let mut roles = Roles::default();
        // A listed administrator needs no further validity; it was checked when the MSP was set up.
        if self.admins.iter().any(|admin| admin.der() == identity.certificate.der()) {
            roles.insert(role::ADMIN);
        }
        if identity.validity.is_err() {
            return roles;
        }
        roles.insert(role::MEMBER);
        let units = &identity.certificate.subject().organizational_units;
        let by_unit: &[i32] = if self.version >= MspVersion::V1_4_3 {
            &[role::ADMIN, role::CLIENT, role::PEER, role::ORDERER]
        } else {
            &[role::CLIENT, role::PEER]
        };
        for role in by_unit {
            if self.node_ous.as_ref().is_some_and(|node_ous| node_ous.has_role(units, *role)) {
                roles.insert(*role);
            }
        }
        roles
    }
}

fn is_certified(node_ou: &NodeOu, identity: &Identity) -> bool {
    node_ou
        .certifiers_identifier
        .as_ref()
        .is_none_or(|expected| identity.certifiers_identifier.as_ref() == Some(expected))
}

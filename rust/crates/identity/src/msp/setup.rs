// SPDX-License-Identifier: Apache-2.0
//! Making an MSP of its definition, with the checks of Fabric's `mspimplsetup.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::msp::{FabricMspConfig, FabricNodeOus, FabricOuIdentifier, role};

use super::MspVersion;
use super::node_ous::{NodeOu, NodeOus};
use super::provider::{Msp, hash_algorithm, unique_chain};
use crate::error::{IdentityError, Result};
use crate::key::{SignatureHash, VerifyingKey};
use crate::x509::{CertPool, Certificate, Crl};

type Setup<T> = std::result::Result<T, String>;

impl Msp {
    /// Sets an X.509 MSP up from an encoded `FabricMSPConfig`.
    pub fn new(config: &[u8], version: MspVersion) -> Result<Self> {
        let config = FabricMspConfig::decode(config)
            .map_err(|reason| IdentityError::ConfigUndecodable { what: "FabricMSPConfig".into(), reason })?;
        set_up(&config, version).map_err(|reason| IdentityError::MspSetup { msp: config.name.into(), reason })
    }
}

fn set_up(config: &FabricMspConfig<'_>, version: MspVersion) -> Setup<Msp> {
    let mut msp = empty(config, version)?;
    set_up_cas(&mut msp, config)?;
    msp.revocation_lists =
        in_order(&config.revocation_list, "CRL", |list| Crl::parse(list).map_err(|e| e.to_string()))?;
    check_cas(&mut msp)?;
    set_up_tls_cas(&mut msp, config)?;
    set_up_ou_identifiers(&mut msp, config)?;
    if let Some(node_ous) = &config.fabric_node_ous {
        msp.node_ous = set_up_node_ous(&msp, node_ous)?;
    }
    msp.admins = in_order(&config.admins, "administrator", |admin| msp.member(admin))?;
    check_admins(&msp, config)?;
    Ok(msp)
}

fn empty(config: &FabricMspConfig<'_>, version: MspVersion) -> Setup<Msp> {
    let crypto = config.crypto_config.clone().unwrap_or_default();
    let identifier_hash = hash_algorithm(crypto.identity_identifier_hash_function)
        .ok_or_else(|| format!("unknown identifier hash function {:?}", crypto.identity_identifier_hash_function))?;
    Ok(Msp {
        name: config.name.into(),
        version,
        signature_hash: SignatureHash::from_family(crypto.signature_hash_family),
        identifier_hash,
        roots: Vec::new(),
        intermediates: Vec::new(),
        root_pool: CertPool::default(),
        intermediate_pool: CertPool::default(),
        internal_nodes: Vec::new(),
        admins: Vec::new(),
        revocation_lists: Vec::new(),
        ou_identifiers: BTreeMap::new(),
        node_ous: None,
        tls_roots: Vec::new(),
        tls_intermediates: Vec::new(),
    })
}

/// Applies `read` to each entry and says which one failed.
fn in_order<T>(entries: &[&[u8]], what: &str, read: impl Fn(&[u8]) -> Setup<T>) -> Setup<Vec<T>> {
    let numbered = entries.iter().enumerate();
    numbered.map(|(index, entry)| read(entry).map_err(|reason| format!("{what} {index}: {reason}"))).collect()
}

fn certificate(pem: &[u8]) -> Setup<Arc<Certificate>> {
    Certificate::from_pem(pem).map(Arc::new).map_err(|error| error.to_string())
}

impl Msp {
    /// A certificate of the definition, imported and sanitized as an identity's is (`getIdentityFromConf`).
    fn member(&self, pem: &[u8]) -> Setup<Arc<Certificate>> {
        let certificate = certificate(pem)?;
        if VerifyingKey::from_public_key(certificate.public_key(), self.signature_hash).is_none() {
            return Err(format!("public key of {} is of no supported kind", certificate.subject()));
        }
        let sanitized = self.sanitize(&certificate).map_err(|error| format!("{}: {error}", certificate.subject()))?;
        Ok(sanitized.0)
    }
}

/// Sanitizing needs chains, so the pools hold the certificates as they come first and the sanitized ones afterwards.
fn set_up_cas(msp: &mut Msp, config: &FabricMspConfig<'_>) -> Setup<()> {
    if config.root_certs.is_empty() {
        return Err("expected at least one CA certificate".into());
    }
    msp.root_pool = in_order(&config.root_certs, "root certificate", certificate)?.into_iter().collect();
    msp.intermediate_pool =
        in_order(&config.intermediate_certs, "intermediate certificate", certificate)?.into_iter().collect();
    msp.roots = in_order(&config.root_certs, "root certificate", |root| msp.member(root))?;
    msp.intermediates = in_order(&config.intermediate_certs, "intermediate certificate", |pem| msp.member(pem))?;
    msp.root_pool = msp.roots.iter().cloned().collect();
    msp.intermediate_pool = msp.intermediates.iter().cloned().collect();
    Ok(())
}

fn check_cas(msp: &mut Msp) -> Setup<()> {
    for ca in msp.roots.iter().chain(&msp.intermediates) {
        check_ca(msp, ca, &msp.root_pool, &msp.intermediate_pool)?;
    }
    let mut internal_nodes = Vec::new();
    for intermediate in &msp.intermediates {
        let chain = msp.unique_chain(intermediate, &msp.root_pool).map_err(|error| error.to_string())?;
        internal_nodes.extend(chain.into_iter().skip(1));
    }
    msp.internal_nodes = internal_nodes;
    Ok(())
}

fn check_ca(msp: &Msp, ca: &Arc<Certificate>, roots: &CertPool, intermediates: &CertPool) -> Setup<()> {
    let refuse = |reason: String| format!("CA certificate ({}): {reason}", ca.subject());
    if !ca.is_ca() {
        return Err(refuse("it lacks the CA attribute".into()));
    }
    if ca.subject_key_id().is_none() {
        return Err(refuse("it has no subject key identifier".into()));
    }
    let chain = unique_chain(ca, roots, intermediates).map_err(|error| refuse(error.to_string()))?;
    if chain.len() == 1 { Ok(()) } else { msp.check_revocation(ca, &chain).map_err(refuse) }
}

fn set_up_tls_cas(msp: &mut Msp, config: &FabricMspConfig<'_>) -> Setup<()> {
    msp.tls_roots = in_order(&config.tls_root_certs, "TLS root certificate", certificate)?;
    msp.tls_intermediates = in_order(&config.tls_intermediate_certs, "TLS intermediate certificate", certificate)?;
    let roots: CertPool = msp.tls_roots.iter().cloned().collect();
    let intermediates: CertPool = msp.tls_intermediates.iter().cloned().collect();
    let mut cas = msp.tls_roots.iter().chain(&msp.tls_intermediates);
    cas.try_for_each(|ca| check_ca(msp, ca, &roots, &intermediates)).map_err(|reason| format!("TLS {reason}"))
}

/// Hash of a CA of this MSP and the CAs above it (`getCertifiersIdentifier`).
fn certifiers_identifier(msp: &Msp, pem: &[u8]) -> Setup<Box<[u8]>> {
    let certificate = certificate(pem)?;
    let (certificate, _) = msp.sanitize(&certificate).map_err(|error| error.to_string())?;
    let is_among = |cas: &[Arc<Certificate>]| cas.iter().any(|ca| ca.der() == certificate.der());
    if is_among(&msp.roots) {
        return Ok(msp.certifiers_identifier(&[certificate]));
    }
    if !is_among(&msp.intermediates) {
        return Err(format!("certifier ({}) is not among the MSP's CAs", certificate.subject()));
    }
    let chain = msp.unique_chain(&certificate, &msp.root_pool).map_err(|error| error.to_string())?;
    msp.check_leaf_chain(&chain, 0).map_err(|error| error.to_string())?;
    Ok(msp.certifiers_identifier(&chain))
}

fn set_up_ou_identifiers(msp: &mut Msp, config: &FabricMspConfig<'_>) -> Setup<()> {
    for identifier in &config.organizational_unit_identifiers {
        let unit = identifier.organizational_unit_identifier;
        let certifiers = certifiers_identifier(msp, identifier.certificate)
            .map_err(|reason| format!("organizational unit {unit:?}: {reason}"))?;
        msp.ou_identifiers.entry(unit.to_owned()).or_default().push(certifiers);
    }
    Ok(())
}

fn set_up_node_ous(msp: &Msp, config: &FabricNodeOus<'_>) -> Setup<Option<NodeOus>> {
    let node_ous = match msp.version {
        MspVersion::V1_0 => return Ok(None),
        MspVersion::V1_1 | MspVersion::V1_3 => NodeOus {
            client: Some(required_node_ou(msp, config.client_ou_identifier.as_ref(), "client")?),
            peer: Some(required_node_ou(msp, config.peer_ou_identifier.as_ref(), "peer")?),
            ..NodeOus::default()
        },
        MspVersion::V1_4_3 | MspVersion::V3_0 => NodeOus {
            client: node_ou(msp, config.client_ou_identifier.as_ref())?,
            peer: node_ou(msp, config.peer_ou_identifier.as_ref())?,
            admin: node_ou(msp, config.admin_ou_identifier.as_ref())?,
            orderer: node_ou(msp, config.orderer_ou_identifier.as_ref())?,
        },
    };
    let names_a_role =
        [&node_ous.client, &node_ous.peer, &node_ous.admin, &node_ous.orderer].iter().any(|ou| ou.is_some());
    Ok((config.enable && names_a_role).then_some(node_ous))
}

fn required_node_ou(msp: &Msp, identifier: Option<&FabricOuIdentifier<'_>>, role: &str) -> Setup<NodeOu> {
    let named = identifier.filter(|identifier| !identifier.organizational_unit_identifier.is_empty());
    node_ou(msp, named)?.ok_or_else(|| format!("node OUs need a {role} OU"))
}

fn node_ou(msp: &Msp, identifier: Option<&FabricOuIdentifier<'_>>) -> Setup<Option<NodeOu>> {
    let Some(identifier) = identifier else { return Ok(None) };
    let unit = identifier.organizational_unit_identifier.to_owned();
    let certifiers_identifier = match identifier.certificate {
        [] => None,
        pem => Some(certifiers_identifier(msp, pem).map_err(|reason| format!("node OU {unit:?}: {reason}"))?),
    };
    Ok(Some(NodeOu { unit, certifiers_identifier }))
}

/// Listed administrators must be what a policy will take them for (`postSetup…`).
fn check_admins(msp: &Msp, config: &FabricMspConfig<'_>) -> Setup<()> {
    let has_admin_ou = msp.node_ous.as_ref().is_some_and(|node_ous| node_ous.admin.is_some());
    if msp.version >= MspVersion::V1_4_3 && msp.admins.is_empty() && !has_admin_ou {
        return Err("administrators must be listed where there is no administrator OU".into());
    }
    for (index, pem) in config.admins.iter().enumerate() {
        check_admin(msp, pem).map_err(|reason| format!("administrator {index}: {reason}"))?;
    }
    Ok(())
}

fn check_admin(msp: &Msp, pem: &[u8]) -> Setup<()> {
    let admin = msp.identity(pem).map_err(|error| error.to_string())?;
    match &msp.node_ous {
        None => admin.validity().map_err(ToString::to_string),
        Some(_) if msp.version < MspVersion::V1_4_3 => {
            let is_client = admin.roles().contains(role::CLIENT);
            is_client.then_some(()).ok_or_else(|| format!("({admin}) is not a valid client"))
        }
        Some(node_ous) => {
            // Units count only where they are certified by some chain, but revocation does not matter here.
            let units = &admin.certificate().subject().organizational_units;
            let has_role = node_ous.has_role(units, role::CLIENT) || node_ous.has_role(units, role::ADMIN);
            let is_certified = admin.certifiers_identifier.is_some();
            (has_role && is_certified)
                .then_some(())
                .ok_or_else(|| format!("({admin}) is neither client nor administrator"))
        }
    }
}

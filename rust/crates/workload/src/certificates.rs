// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities and what they certify, in the shape that Fabric's `cryptogen` gives them.

use std::cell::RefCell;

use fastledger_wire::hash::sha256;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey,
};

use crate::error::{Result, WorkloadError};
use crate::signer::{Key, Signer};

/// First and last year of every certificate: expiry plays no part in validation, and fixed years need no clock.
const YEARS: (i32, i32) = (2025, 2045);

/// A certificate authority of an organization.
pub(crate) struct Authority {
    issuer: Issuer<'static, AuthorityKey>,
    seed: u64,
    domain: String,
    /// Its own certificate, PEM.
    pub(crate) pem: String,
}

impl Authority {
    /// One called `name.domain`, certified by itself.
    pub(crate) fn new(seed: u64, name: &str, domain: &str) -> Result<Self> {
        let common_name = format!("{name}.{domain}");
        let key = Key::derive(seed, &common_name);
        let mut params = params(&key, domain, &common_name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = false;
        let signer = RefCell::new(Signer::new(seed, &common_name, 0));
        let key = AuthorityKey { key, signer };
        let pem = params.self_signed(&key).map_err(|reason| refused(&common_name, reason))?.pem();
        Ok(Self { issuer: Issuer::new(params, key), seed, domain: domain.to_owned(), pem })
    }

    /// Certifies a member of the organization by its organizational unit: key and PEM.
    pub(crate) fn certify(&self, common_name: &str, unit: &str) -> Result<(Key, String)> {
        self.issue(common_name, Some(unit), &[])
    }

    /// Certifies a server for TLS: key and PEM.
    pub(crate) fn certify_server(&self, common_name: &str) -> Result<(Key, String)> {
        let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(common_name, None, &usages)
    }

    fn issue(
        &self,
        common_name: &str,
        unit: Option<&str>,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<(Key, String)> {
        let purpose = if unit.is_some() { "sign" } else { "tls" };
        let key = Key::derive(self.seed, &format!("{common_name} {purpose}"));
        let mut params = params(&key, &self.domain, common_name, unit);
        params.custom_extensions = vec![no_ca()];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.to_vec();
        let certificate = params.signed_by(&key, &self.issuer).map_err(|reason| refused(common_name, reason))?;
        Ok((key, certificate.pem()))
    }
}

/// Critical basic constraints of somebody who is no authority; the library would add a key identifier, `cryptogen` adds none.
fn no_ca() -> CustomExtension {
    let mut constraints = CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![0x30, 0]);
    constraints.set_criticality(true);
    constraints
}

fn params(key: &Key, domain: &str, common_name: &str, unit: Option<&str>) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::StateOrProvinceName, "California");
    name.push(DnType::LocalityName, "San Francisco");
    match unit {
        Some(unit) => name.push(DnType::OrganizationalUnitName, unit),
        None => name.push(DnType::OrganizationName, domain),
    }
    name.push(DnType::CommonName, common_name);
    let key_id = sha256(&[key.point()]);
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(YEARS.1, 1, 1);
    // Sixteen bytes whose first bit is 0, as `cryptogen` takes them.
    params.serial_number = Some([&[key_id[0] & 0x7f], &key_id[1..16]].concat().into());
    params.distinguished_name = name;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id.to_vec());
    params.use_authority_key_identifier_extension = true;
    params
}

fn refused(subject: &str, reason: rcgen::Error) -> WorkloadError {
    WorkloadError::Certificate { subject: subject.to_owned(), reason }
}

/// An authority's key with its nonces, which every certificate uses up.
struct AuthorityKey {
    key: Key,
    signer: RefCell<Signer>,
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        Ok(self.signer.borrow_mut().sign(&self.key, &sha256(&[message])))
    }
}

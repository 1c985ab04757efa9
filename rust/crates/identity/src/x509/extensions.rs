// SPDX-License-Identifier: Apache-2.0
//! Certificate extensions (Go's `processExtensions`): malformed known ones refuse the certificate, unknown critical
//! ones refuse its chains.

use std::collections::BTreeSet;

use super::der::{BOOLEAN, CONSTRUCTED, CONTEXT, Der, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use super::name_constraints::{AlternativeNames, NameConstraints};
use super::policies::CertificatePolicies;
use super::{CertificateError, Result};

const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];
const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// keyCertSign is bit 5 (RFC 5280, 4.2.1.3).
const KEY_CERT_SIGN: usize = 5;
/// Bits that RFC 5280 names.
const KEY_USAGE_BITS: usize = 9;

/// RFC 5280, 4.2.1.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BasicConstraints {
    pub(super) is_ca: bool,
    pub(super) max_path_length: Option<u64>,
}

/// What an extended key usage extension allows, as far as Fabric asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ExtendedKeyUsage {
    /// No extension, an empty one, or one that lists any use.
    #[default]
    Unrestricted,
    /// Some uses are listed.
    Only {
        /// Server authentication is among them.
        server_auth: bool,
        /// Client authentication is among them.
        client_auth: bool,
    },
}

impl ExtendedKeyUsage {
    pub(super) fn allows_server_auth(self) -> bool {
        matches!(self, Self::Unrestricted | Self::Only { server_auth: true, .. })
    }

    pub(super) fn allows_client_auth(self) -> bool {
        matches!(self, Self::Unrestricted | Self::Only { client_auth: true, .. })
    }
}

/// The extensions of a certificate, by their effect.
#[derive(Debug, Clone, Default)]
pub(super) struct Extensions {
    pub(super) basic_constraints: Option<BasicConstraints>,
    key_usage: Vec<usize>,
    pub(super) extended_key_usage: ExtendedKeyUsage,
    pub(super) subject_key_id: Option<Vec<u8>>,
    pub(super) authority_key_id: Vec<u8>,
    /// The subject alternative name extension as it stands, and its names.
    pub(super) alternative_names: Option<(Vec<u8>, AlternativeNames)>,
    pub(super) name_constraints: Option<NameConstraints>,
    pub(super) policies: CertificatePolicies,
    pub(super) has_unhandled_critical: bool,
}

impl Extensions {
    pub(super) fn parse(mut list: Der<'_>) -> Result<Self> {
        let mut extensions = Self::default();
        let mut seen = BTreeSet::new();
        while !list.is_empty() {
            let mut extension = list.nested(SEQUENCE, "malformed extension")?;
            let oid = extension.oid("malformed extension")?;
            let critical = extension.next_is(BOOLEAN) && extension.boolean("malformed extension")?;
            let value = extension.contents(OCTET_STRING, "malformed extension")?;
            if !seen.insert(oid) {
                return Err(CertificateError("duplicate extension"));
            }
            let handled = extensions.read(oid, critical, value)?;
            extensions.has_unhandled_critical |= critical && !handled;
        }
        Ok(extensions)
    }

    pub(super) fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.is_ca)
    }

    /// A key usage that names no bit at all is as good as none.
    pub(super) fn may_sign_certificates(&self) -> bool {
        self.key_usage.is_empty() || self.key_usage.contains(&KEY_CERT_SIGN)
    }

    /// Reads one extension; false where it has no effect that Go knows.
    fn read(&mut self, oid: &[u8], critical: bool, value: &[u8]) -> Result<bool> {
        match oid {
            [0x55, 0x1d, number] => self.read_standard(*number, critical, value),
            AUTHORITY_INFO_ACCESS if critical => Err(CertificateError("authority info access marked critical")),
            AUTHORITY_INFO_ACCESS => check_authority_info_access(value).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Extensions of the arc 2.5.29.
    fn read_standard(&mut self, number: u8, critical: bool, value: &[u8]) -> Result<bool> {
        let mut der = Der::new(value);
        match number {
            14 if critical => return Err(CertificateError("subject key identifier marked critical")),
            14 => self.subject_key_id = Some(der.contents(OCTET_STRING, "malformed subject key identifier")?.to_vec()),
            15 => {
                let bits = der.bit_string("malformed key usage")?;
                self.key_usage = (0..KEY_USAGE_BITS).filter(|index| bits.bit(*index)).collect();
            }
            17 => {
                let names = AlternativeNames::parse(value)?;
                let handled = !names.is_empty();
                self.alternative_names = Some((value.to_vec(), names));
                return Ok(handled);
            }
            19 => self.basic_constraints = Some(basic_constraints(der)?),
            30 => {
                let constraints = NameConstraints::parse(value)?;
                let handled = !constraints.has_unhandled;
                self.name_constraints = Some(constraints);
                return Ok(handled);
            }
            31 => check_distribution_points(der)?,
            32 => self.policies.read_policies(der)?,
            33 => self.policies.read_mappings(der)?,
            35 if critical => return Err(CertificateError("authority key identifier marked critical")),
            35 => self.authority_key_id = authority_key_id(der)?,
            36 => self.policies.read_constraints(der)?,
            37 => self.extended_key_usage = extended_key_usage(der)?,
            54 => self.policies.read_inhibit_any(der)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn basic_constraints(mut der: Der<'_>) -> Result<BasicConstraints> {
    const WHAT: &str = "malformed basic constraints";
    let mut fields = der.nested(SEQUENCE, WHAT)?;
    let is_ca = fields.next_is(BOOLEAN) && fields.boolean(WHAT)?;
    let max_path_length = if fields.next_is(INTEGER) { Some(fields.unsigned(WHAT)?) } else { None };
    Ok(BasicConstraints { is_ca, max_path_length })
}

pub(super) fn authority_key_id(mut der: Der<'_>) -> Result<Vec<u8>> {
    const WHAT: &str = "malformed authority key identifier";
    let mut fields = der.nested(SEQUENCE, WHAT)?;
    let identifier = fields.optional(CONTEXT, WHAT)?;
    Ok(identifier.map(|identifier| identifier.rest().to_vec()).unwrap_or_default())
}

fn extended_key_usage(mut der: Der<'_>) -> Result<ExtendedKeyUsage> {
    const WHAT: &str = "malformed extended key usage";
    let mut usages = der.nested(SEQUENCE, WHAT)?;
    if usages.is_empty() {
        return Ok(ExtendedKeyUsage::Unrestricted);
    }
    let (mut any, mut server_auth, mut client_auth) = (false, false, false);
    while !usages.is_empty() {
        let usage = usages.oid(WHAT)?;
        any |= usage == ANY_EXTENDED_KEY_USAGE;
        server_auth |= usage == SERVER_AUTH;
        client_auth |= usage == CLIENT_AUTH;
    }
    Ok(if any { ExtendedKeyUsage::Unrestricted } else { ExtendedKeyUsage::Only { server_auth, client_auth } })
}

/// Nothing in it matters, but Go refuses a certificate where it is malformed.
fn check_distribution_points(mut der: Der<'_>) -> Result<()> {
    const WHAT: &str = "malformed CRL distribution points";
    let mut points = der.nested(SEQUENCE, WHAT)?;
    while !points.is_empty() {
        let mut point = points.nested(SEQUENCE, WHAT)?;
        let Some(mut name) = point.optional(CONTEXT | CONSTRUCTED, WHAT)? else { continue };
        let mut names = name.nested(CONTEXT | CONSTRUCTED, WHAT)?;
        while names.next_is(CONTEXT | 6) {
            names.contents(CONTEXT | 6, WHAT)?;
        }
    }
    Ok(())
}

/// As [`check_distribution_points`].
fn check_authority_info_access(value: &[u8]) -> Result<()> {
    const WHAT: &str = "malformed authority info access";
    let mut descriptions = Der::new(value).nested(SEQUENCE, WHAT)?;
    while !descriptions.is_empty() {
        let mut description = descriptions.nested(SEQUENCE, WHAT)?;
        let method = description.contents(OBJECT_IDENTIFIER, WHAT)?;
        if method.is_empty() {
            return Err(CertificateError(WHAT));
        }
        description.optional(CONTEXT | 6, WHAT)?;
    }
    Ok(())
}

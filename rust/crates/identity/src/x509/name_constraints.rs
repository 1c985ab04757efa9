// SPDX-License-Identifier: Apache-2.0
//! Subject alternative names, and the constraints that a CA's certificate puts on them (RFC 5280, 4.2.1.6 and 4.2.1.10).

use super::certificate::Certificate;
use super::der::{CONSTRUCTED, CONTEXT, Der, SEQUENCE};
use super::host::{is_domain, mailbox};
use super::name::ascii;
use super::{CertificateError, Result, uri};

const EMAIL: u8 = CONTEXT | 1;
const DNS: u8 = CONTEXT | 2;
const URI: u8 = CONTEXT | 6;
const IP: u8 = CONTEXT | 7;

/// The names of a subject alternative name extension; kinds that Go ignores are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct AlternativeNames {
    dns: Vec<String>,
    emails: Vec<String>,
    uri_hosts: Vec<String>,
    ips: Vec<Vec<u8>>,
}

impl AlternativeNames {
    pub(super) fn parse(value: &[u8]) -> Result<Self> {
        let mut names = Self::default();
        let mut list = Der::new(value).nested(SEQUENCE, "malformed subject alternative names")?;
        while !list.is_empty() {
            let (tag, value) = list.any()?;
            match tag {
                EMAIL => names.emails.push(ia5(value)?),
                DNS => names.dns.push(ia5(value)?),
                URI => names.uri_hosts.push(uri_host(value)?),
                IP if matches!(value.len(), 4 | 16) => names.ips.push(value.to_vec()),
                IP => return Err(CertificateError("IP address of another length than 4 or 16")),
                _ => {}
            }
        }
        Ok(names)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.emails.is_empty() && self.uri_hosts.is_empty() && self.ips.is_empty()
    }
}

fn ia5(value: &[u8]) -> Result<String> {
    ascii(value, |byte| byte < 0x80).ok_or(CertificateError("name is not an IA5String"))
}

/// The host of a URI, empty where it has none.
fn uri_host(value: &[u8]) -> Result<String> {
    let host = uri::host(&ia5(value)?).filter(|host| is_domain(host, false));
    host.ok_or(CertificateError("malformed URI"))
}

/// Names that are permitted, or excluded.
#[derive(Debug, Clone, Default)]
struct Subtrees {
    dns: Vec<String>,
    emails: Vec<String>,
    uris: Vec<String>,
    /// Address and mask.
    ips: Vec<(Vec<u8>, Vec<u8>)>,
    has_unhandled: bool,
}

/// A name constraints extension.
#[derive(Debug, Clone, Default)]
pub(super) struct NameConstraints {
    permitted: Subtrees,
    excluded: Subtrees,
    /// It constrains a kind of name that Go does not handle, such as directory names.
    pub(super) has_unhandled: bool,
}

impl NameConstraints {
    pub(super) fn parse(value: &[u8]) -> Result<Self> {
        const WHAT: &str = "malformed name constraints";
        let mut outer = Der::new(value);
        let mut fields = outer.nested(SEQUENCE, WHAT)?;
        let permitted = fields.optional(CONTEXT | CONSTRUCTED, WHAT)?;
        let excluded = fields.optional(CONTEXT | CONSTRUCTED | 1, WHAT)?;
        let is_empty = [permitted, excluded].iter().flatten().all(Der::is_empty);
        if !outer.is_empty() || !fields.is_empty() || is_empty {
            return Err(CertificateError(WHAT));
        }
        let permitted = permitted.map(subtrees).transpose()?.unwrap_or_default();
        let excluded = excluded.map(subtrees).transpose()?.unwrap_or_default();
        let has_unhandled = permitted.has_unhandled || excluded.has_unhandled;
        Ok(Self { permitted, excluded, has_unhandled })
    }

    fn check(&self, names: &AlternativeNames) -> Result<()> {
        let Self { permitted, excluded, .. } = self;
        for ip in &names.ips {
            allow(&permitted.ips, &excluded.ips, |network| contains(network, ip))?;
        }
        for name in &names.dns {
            allow_domain(&permitted.dns, &excluded.dns, name)?;
        }
        for host in &names.uri_hosts {
            let domain = uri::domain(host).ok_or(CertificateError("URI without a domain under name constraints"))?;
            allow_domain(&permitted.uris, &excluded.uris, &domain)?;
        }
        for address in &names.emails {
            let parsed = mailbox(address).ok_or(CertificateError("malformed mailbox under name constraints"))?;
            allow_email(&permitted.emails, &excluded.emails, &parsed)?;
        }
        Ok(())
    }
}

/// Checks the names of every certificate against the constraints of all above it (Go's `checkChainConstraints`).
pub(super) fn check_chain(chain: &[impl AsRef<Certificate>]) -> Result<()> {
    for (index, certificate) in chain.iter().enumerate() {
        let Some((_, names)) = &certificate.as_ref().extensions.alternative_names else { continue };
        let issuers = chain[index + 1..].iter();
        for constraints in issuers.filter_map(|issuer| issuer.as_ref().extensions.name_constraints.as_ref()) {
            constraints.check(names)?;
        }
    }
    Ok(())
}

fn subtrees(mut list: Der<'_>) -> Result<Subtrees> {
    const WHAT: &str = "malformed name constraints";
    let mut trees = Subtrees::default();
    while !list.is_empty() {
        let (tag, value) = list.nested(SEQUENCE, WHAT)?.any()?;
        match tag {
            DNS => trees.dns.push(domain_constraint(value)?),
            EMAIL => trees.emails.push(email_constraint(value)?),
            URI => {
                let domain = domain_constraint(value)?;
                if is_ip_address(&domain) {
                    return Err(CertificateError("URI constraint is an IP address"));
                }
                trees.uris.push(domain);
            }
            IP => trees.ips.push(network(value)?),
            _ => trees.has_unhandled = true,
        }
    }
    Ok(trees)
}

fn domain_constraint(value: &[u8]) -> Result<String> {
    let domain = ia5(value)?;
    if is_domain(&domain, true) { Ok(domain) } else { Err(CertificateError("malformed domain constraint")) }
}

fn email_constraint(value: &[u8]) -> Result<String> {
    let constraint = ia5(value)?;
    let valid = if constraint.contains('@') { mailbox(&constraint).is_some() } else { is_domain(&constraint, true) };
    if valid { Ok(constraint) } else { Err(CertificateError("malformed mailbox constraint")) }
}

fn network(value: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let (address, mask) = value.split_at(value.len() / 2);
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let contiguous = mask.iter().map(|byte| byte.count_ones()).sum::<u32>() == ones
        && mask.windows(2).all(|pair| pair[0] == 0xff || pair[1] == 0);
    match value.len() {
        8 | 32 if contiguous => Ok((address.to_vec(), mask.to_vec())),
        _ => Err(CertificateError("malformed IP constraint")),
    }
}

fn is_ip_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

fn contains((address, mask): &(Vec<u8>, Vec<u8>), ip: &[u8]) -> bool {
    address.len() == ip.len() && (0..ip.len()).all(|index| (address[index] ^ ip[index]) & mask[index] == 0)
}

fn allow<T>(permitted: &[T], excluded: &[T], matches: impl Fn(&T) -> bool) -> Result<()> {
    if !permitted.is_empty() && !permitted.iter().any(&matches) {
        return Err(CertificateError("name is not permitted by the issuer's name constraints"));
    }
    if excluded.iter().any(matches) {
        return Err(CertificateError("name is excluded by the issuer's name constraints"));
    }
    Ok(())
}

fn allow_domain(permitted: &[String], excluded: &[String], name: &str) -> Result<()> {
    if !is_domain(name, false) {
        return Err(CertificateError("malformed domain under name constraints"));
    }
    allow(permitted, &[], |constraint| in_domain(constraint, name))?;
    // An excluded sibling also rules out the wildcard that would cover it.
    let covers = |constraint: &str| match (name.strip_prefix('*'), constraint.find('.')) {
        (Some(parent), Some(dot)) => constraint[dot..].eq_ignore_ascii_case(parent),
        _ => false,
    };
    allow(&[], excluded, |constraint| in_domain(constraint, name) || covers(constraint))
}

fn allow_email(permitted: &[String], excluded: &[String], (local, domain): &(String, String)) -> Result<()> {
    if !is_domain(domain, false) {
        return Err(CertificateError("malformed mailbox under name constraints"));
    }
    allow(permitted, excluded, |constraint| match mailbox(constraint) {
        Some(exact) => exact == (local.clone(), domain.clone()),
        None => in_domain(constraint, domain),
    })
}

/// Whether `name` is the constraint's domain or below it; a constraint that starts with a period wants it below.
fn in_domain(constraint: &str, name: &str) -> bool {
    let Some(start) = name.len().checked_sub(constraint.len()) else { return false };
    let (head, tail) = name.as_bytes().split_at(start);
    let on_boundary =
        constraint.is_empty() || constraint.starts_with('.') || head.last().is_none_or(|byte| *byte == b'.');
    on_boundary && tail.eq_ignore_ascii_case(constraint.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn domains_nest_on_labels() {
        for (constraint, name, inside) in [
            ("example.com", "example.com", true),
            ("example.com", "A.Example.com", true),
            ("example.com", "badexample.com", false),
            (".example.com", "example.com", false),
            (".example.com", "a.example.com", true),
            ("", "anything", true),
        ] {
            assert_eq!(in_domain(constraint, name), inside, "{constraint} {name}");
        }
    }

    #[test]
    fn exclusion_covers_wildcards() {
        let excluded = ["secret.example.com".to_owned()];
        assert!(allow_domain(&[], &excluded, "*.example.com").is_err());
        assert!(allow_domain(&[], &excluded, "open.example.com").is_ok());
    }

    #[test]
    fn masks_are_contiguous() {
        assert!(network(&[10, 0, 0, 0, 255, 0, 0, 0]).is_ok());
        assert!(network(&[10, 0, 0, 0, 255, 0, 255, 0]).is_err());
        assert!(network(&[10, 0, 0, 0, 254, 255, 0, 0]).is_err());
        assert!(contains(&(vec![10, 0, 0, 0], vec![255, 0, 0, 0]), &[10, 9, 8, 7]));
    }
}

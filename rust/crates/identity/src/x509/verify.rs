// SPDX-License-Identifier: Apache-2.0
//! Chains from a certificate to a root (Go's `Certificate.Verify` with the options that Fabric passes).

use std::sync::Arc;

use super::certificate::Certificate;
use super::extensions::ExtendedKeyUsage;
use super::signature::BAD_SIGNATURE;
use super::time::UnixSeconds;
use super::{CertificateError, Result};
use super::{name_constraints, policies};

/// Signature checks that one search for chains may make (Go's `maxChainSignatureChecks`).
const MAX_SIGNATURE_CHECKS: usize = 100;

/// The time asked about is before a certificate's validity.
pub(super) const NOT_YET_VALID: CertificateError =
    CertificateError("an issuer's certificate is not yet valid when this certificate's validity starts");

/// The time asked about is after a certificate's validity.
pub(super) const EXPIRED: CertificateError =
    CertificateError("a certificate of the chain has expired when this certificate's validity starts");

/// No chain leads to a root.
pub(super) const UNKNOWN_AUTHORITY: CertificateError = CertificateError("certificate signed by unknown authority");

/// What every certificate of a chain must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Server authentication: what Go asks for where no usage is given.
    ServerAuth,
    /// Server authentication, or client authentication, the same one along the whole chain.
    EitherAuth,
}

/// A chain of certificates, leaf first, root last.
pub(crate) type Chain = Vec<Arc<Certificate>>;

/// A set of certificates, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertPool {
    certificates: Vec<Arc<Certificate>>,
}

impl CertPool {
    pub(crate) fn add(&mut self, certificate: Arc<Certificate>) {
        if !self.contains(&certificate) {
            self.certificates.push(certificate);
        }
    }

    fn contains(&self, certificate: &Certificate) -> bool {
        self.certificates.iter().any(|member| member.der() == certificate.der())
    }

    /// Certificates of the issuer's name; those whose key identifier fits come first.
    fn potential_parents(&self, child: &Certificate) -> Vec<&Arc<Certificate>> {
        let mut parents: Vec<_> =
            self.certificates.iter().filter(|member| member.raw_subject == child.raw_issuer).collect();
        parents.sort_by_key(|parent| {
            let (subject, authority) =
                (parent.subject_key_id().unwrap_or_default(), &child.extensions.authority_key_id);
            if subject == authority.as_slice() {
                0
            } else if subject.is_empty() || authority.is_empty() {
                1
            } else {
                2
            }
        });
        parents
    }
}

impl FromIterator<Arc<Certificate>> for CertPool {
    fn from_iter<I: IntoIterator<Item = Arc<Certificate>>>(certificates: I) -> Self {
        let mut pool = Self::default();
        certificates.into_iter().for_each(|certificate| pool.add(certificate));
        pool
    }
}

/// Every chain from an identity's certificate to a root, one at least.
///
/// Fabric's MSP sets the time to one second after the certificate's own start of validity, and the key usages not
/// at all.
pub(crate) fn verify(certificate: &Arc<Certificate>, roots: &CertPool, intermediates: &CertPool) -> Result<Vec<Chain>> {
    verify_at(certificate, roots, intermediates, certificate.not_before().saturating_add(1), Usage::ServerAuth)
}

/// Every chain from `certificate` to a root that is valid at a time and for a usage, one at least.
pub(super) fn verify_at(
    certificate: &Arc<Certificate>,
    roots: &CertPool,
    intermediates: &CertPool,
    now: UnixSeconds,
    usage: Usage,
) -> Result<Vec<Chain>> {
    check_member(certificate, Role::Leaf, &[], now)?;
    let start = vec![Arc::clone(certificate)];
    let candidates = if roots.contains(certificate) {
        vec![start]
    } else {
        let mut search = Search { roots, intermediates, now, checks: 0, chains: Vec::new(), hint: None };
        search.extend(&start);
        search.finish()?
    };
    let mut hint = None;
    let mut holds = |chain: &Chain| check_chain(chain, usage).map_err(|error| hint = Some(error)).is_ok();
    let valid: Vec<_> = candidates.into_iter().filter(|chain| holds(chain)).collect();
    match hint {
        Some(error) if valid.is_empty() => Err(error),
        _ => Ok(valid),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leaf,
    Intermediate,
    Root,
}

struct Search<'a> {
    roots: &'a CertPool,
    intermediates: &'a CertPool,
    now: UnixSeconds,
    checks: usize,
    chains: Vec<Chain>,
    /// Why the first candidate was refused.
    hint: Option<CertificateError>,
}

impl Search<'_> {
    /// Adds every chain that continues `chain`.
    ///
    /// It recurses at most once per distinct certificate of the intermediates, and the checks are counted.
    fn extend(&mut self, chain: &Chain) {
        let Some(child) = chain.last() else { return };
        for (role, pool) in [(Role::Root, self.roots), (Role::Intermediate, self.intermediates)] {
            for parent in pool.potential_parents(child) {
                self.checks += 1;
                if self.checks > MAX_SIGNATURE_CHECKS {
                    self.hint.get_or_insert(CertificateError("too many signature checks while building chains"));
                    return;
                }
                if let Err(error) = self.consider(parent, role, chain) {
                    self.hint.get_or_insert(error);
                }
            }
        }
    }

    fn consider(&mut self, parent: &Arc<Certificate>, role: Role, chain: &Chain) -> Result<()> {
        let Some(child) = chain.last() else { return Ok(()) };
        if is_in_chain(parent, chain) {
            return Ok(());
        }
        child.check_signature_from(parent)?;
        check_member(parent, role, chain, self.now)?;
        let longer: Chain = chain.iter().chain([parent]).cloned().collect();
        if role == Role::Root {
            self.chains.push(longer);
        } else {
            self.extend(&longer);
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Chain>> {
        if self.chains.is_empty() {
            return Err(match self.hint {
                Some(BAD_SIGNATURE) | None => UNKNOWN_AUTHORITY,
                Some(error) => error,
            });
        }
        Ok(self.chains)
    }
}

/// Whether subject, key and alternative names already stand in the chain; it keeps cross-signed CAs from looping.
fn is_in_chain(candidate: &Certificate, chain: &[Arc<Certificate>]) -> bool {
    let names =
        |certificate: &Certificate| certificate.extensions.alternative_names.as_ref().map(|(raw, _)| raw.clone());
    let same_key = chain.iter().filter(|member| {
        member.raw_subject == candidate.raw_subject && member.raw_public_key == candidate.raw_public_key
    });
    for member in same_key {
        match (names(candidate), names(member)) {
            (None, None) => return true,
            (Some(left), Some(right)) if left == right => return true,
            (Some(_), Some(_)) => {}
            _ => return false,
        }
    }
    false
}

/// Whether a certificate may stand after `chain` (Go's `isValid`).
fn check_member(certificate: &Certificate, role: Role, chain: &[Arc<Certificate>], now: UnixSeconds) -> Result<()> {
    let extensions = &certificate.extensions;
    if extensions.has_unhandled_critical {
        return Err(CertificateError("unhandled critical extension"));
    }
    if now < certificate.not_before() {
        return Err(NOT_YET_VALID);
    }
    if now > certificate.not_after() {
        return Err(EXPIRED);
    }
    if role == Role::Intermediate && !extensions.is_ca() {
        return Err(CertificateError("issuer is not a certificate authority"));
    }
    let intermediates = chain.len().saturating_sub(1) as u64;
    let limit = extensions.basic_constraints.and_then(|constraints| constraints.max_path_length);
    if limit.is_some_and(|limit| intermediates > limit) {
        return Err(CertificateError("path length constraint exceeded"));
    }
    Ok(())
}

fn check_chain(chain: &Chain, usage: Usage) -> Result<()> {
    if !policies::are_valid(chain) {
        return Err(CertificateError("chain does not satisfy its certificate policies"));
    }
    let mut usages = chain.iter().map(|certificate| certificate.extensions.extended_key_usage);
    if !usages.clone().all(ExtendedKeyUsage::allows_server_auth) {
        if usage == Usage::ServerAuth {
            return Err(CertificateError("extended key usage excludes server authentication"));
        }
        if !usages.all(ExtendedKeyUsage::allows_client_auth) {
            return Err(CertificateError("certificate specifies an incompatible key usage"));
        }
    }
    name_constraints::check_chain(chain)
}

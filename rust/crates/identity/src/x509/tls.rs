// SPDX-License-Identifier: Apache-2.0
//! TLS certificates that a configuration names, held against its CAs (`validateConsenterTLSCerts`).

use std::sync::Arc;

use thiserror::Error;

use super::CertificateError;
use super::certificate::Certificate;
use super::time::UnixSeconds;
use super::verify::{CertPool, EXPIRED, NOT_YET_VALID, Usage, verify_at};

/// Why a TLS certificate does not hold; the texts of the commonest reasons are Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlsError {
    /// It, or a CA above it, is not valid at the time.
    #[error("x509: certificate has expired or is not yet valid")]
    Validity,
    /// It has no chain to a root, or none that may be used for TLS.
    #[error("x509: {0}")]
    Chain(CertificateError),
}

/// Whether a certificate has a chain to one of the roots, for a server or for a client, at a time.
pub fn verify_tls(
    certificate: &Arc<Certificate>,
    roots: impl IntoIterator<Item = Arc<Certificate>>,
    intermediates: impl IntoIterator<Item = Arc<Certificate>>,
    now: UnixSeconds,
) -> Result<(), TlsError> {
    let (roots, intermediates): (CertPool, CertPool) =
        (roots.into_iter().collect(), intermediates.into_iter().collect());
    match verify_at(certificate, &roots, &intermediates, now, Usage::EitherAuth) {
        Ok(_) => Ok(()),
        Err(EXPIRED | NOT_YET_VALID) => Err(TlsError::Validity),
        Err(error) => Err(TlsError::Chain(error)),
    }
}

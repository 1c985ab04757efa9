// SPDX-License-Identifier: Apache-2.0
//! X.509 as Go's `crypto/x509` reads and verifies it.
//!
//! What a real peer accepts is decided by Go's reader, which is neither plain DER nor BER: it ignores bytes
//! after the last field of most structures, refuses duplicated extensions, compressed points and unknown
//! critical extensions. General libraries differ at these corners, so the reader is our own; signatures
//! themselves are verified by AWS-LC and, for P-224, by `RustCrypto`.

mod certificate;
mod crl;
mod der;
mod ecdsa;
mod extensions;
mod host;
mod key;
mod name;
mod name_constraints;
mod pem;
mod policies;
mod sanitize;
mod signature;
mod time;
mod tls;
mod uri;
mod verify;

pub use certificate::{Certificate, NO_PEM};
pub use name::Name;
pub use time::UnixSeconds;
pub use tls::{TlsError, verify_tls};

pub(crate) use crl::Crl;
pub(crate) use ecdsa::EcdsaSignature;
pub(crate) use host::is_legacy_hostname;
pub(crate) use key::{Curve, EcKey, PublicKey, verify_ed25519};
pub(crate) use sanitize::sanitized;
pub(crate) use verify::{CertPool, Chain, verify};

/// Why bytes are not a certificate, or a certificate does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CertificateError(pub(crate) &'static str);

type Result<T> = std::result::Result<T, CertificateError>;

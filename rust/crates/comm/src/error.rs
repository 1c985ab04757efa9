// SPDX-License-Identifier: Apache-2.0
//! What goes wrong when a server starts, or a client, and what a lost connection means.

use h2::Reason;
use tonic::{Code, Status};

/// Why a server or client cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CommError {
    /// The address is taken, or not this machine's, or none at all.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// There is no connection to be had.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The address as it was given.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// A key or certificate cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// The system gives no thread or descriptor.
    #[error("the system gives no {what}: {reason}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        reason: String,
    },
}

/// What the end of a stream or connection means (`doc/PROTOCOL-HTTP2.md` of gRPC).
pub(crate) fn lost(error: &h2::Error) -> Status {
    if !error.is_reset() || !error.is_remote() {
        let code = if error.is_reset() { Code::Internal } else { Code::Unavailable };
        return Status::new(code, format!("the connection is lost: {error}"));
    }
    let code = match error.reason() {
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        _ => Code::Internal,
    };
    Status::new(code, format!("the server has reset the call: {error}"))
}

// SPDX-License-Identifier: Apache-2.0
//! What goes wrong when a server starts, or a client.

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

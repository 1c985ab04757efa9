// SPDX-License-Identifier: Apache-2.0
//! Why there is no workload.

use std::path::PathBuf;

use thiserror::Error;

/// What keeps a workload from being made or written.
#[derive(Debug, Error)]
pub enum WorkloadError {
    /// A value of the [`Spec`](crate::Spec) that cannot be.
    #[error("{key} is {value}, but must be {allowed}")]
    Spec {
        /// Name of the key, with dots where it is nested.
        key: &'static str,
        /// The value as given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// Text that is no [`Spec`](crate::Spec).
    #[error("the workload's specification cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The certificate library refused to make a certificate.
    #[error("cannot make the certificate of {subject}: {reason}")]
    Certificate {
        /// Common name.
        subject: String,
        /// The library's words.
        reason: rcgen::Error,
    },
    /// A file that cannot be written or read.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, WorkloadError>;

// SPDX-License-Identifier: Apache-2.0
//! Why a simulation does not do what it was asked.

use fastledger_defect::Defect;
use fastledger_ledger::LedgerError;

/// What is asked of a simulation, or why it cannot be.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a simulation does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The state cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The transaction asks for what a simulation does not do; the text is Fabric's where Fabric has one.
    #[error("{0}")]
    Refused(String),
    /// This program is to blame.
    #[error("{0}")]
    Defect(#[from] Defect),
}

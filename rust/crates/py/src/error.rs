// SPDX-License-Identifier: Apache-2.0
//! Every error of the core as one of the exception classes that Python owns (`fastledger.common.errors`).

use fastledger_comm::CommError;
use fastledger_committer::CommitError;
use fastledger_consensus::StepError;
use fastledger_defect::Defect;
use fastledger_identity::IdentityError;
use fastledger_ledger::LedgerError;
use fastledger_raftlog::LogError;
use fastledger_simulator::Failure;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

fn raise<'py>(py: Python<'py>, class: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let exception = py
        .import("fastledger.common.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1(arguments));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// What was handed in cannot be used.
pub(crate) fn input(py: Python<'_>, text: String) -> PyErr {
    raise(py, "InputError", (text,))
}

/// A certificate that does not hold.
pub(crate) fn refused(py: Python<'_>, text: String) -> PyErr {
    raise(py, "IdentityRefused", (text,))
}

/// What was asked for does not exist.
pub(crate) fn not_found(py: Python<'_>, text: String) -> PyErr {
    raise(py, "NotFound", (text,))
}

/// What was asked for is sound, but not done.
pub(crate) fn unsupported(py: Python<'_>, text: String) -> PyErr {
    raise(py, "Unsupported", (text,))
}

/// Signatures do not satisfy a policy: what Fabric says, and the details.
pub(crate) fn policy(py: Python<'_>, reason: &str, details: &str) -> PyErr {
    raise(py, "PolicyUnsatisfied", (reason, details))
}

/// A simulation, or a request for it, that does not do what it was asked.
pub(crate) fn simulation(py: Python<'_>, failure: Failure) -> PyErr {
    match failure {
        Failure::Ledger(error) => ledger(py, error),
        Failure::Refused(text) => raise(py, "SimulationError", (text,)),
        Failure::Defect(found) => defect(py, found),
    }
}

/// What Python raised where the core asked it, as a failure of the core's.
pub(crate) fn failure(py: Python<'_>, error: &PyErr) -> Failure {
    let value = error.value(py);
    let name = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    let part = |name: &str| value.getattr(name).and_then(|part| part.extract::<String>());
    if name == "Defect"
        && let (Ok(text), Ok(place)) = (part("text"), part("place"))
    {
        return Failure::Defect(Defect { text, place });
    }
    let text = value.to_string();
    Failure::Refused(if text.is_empty() { name } else { text })
}

/// A panic: our defect, which is no refusal of anything.
pub(crate) fn defect(py: Python<'_>, Defect { text, place }: Defect) -> PyErr {
    raise(py, "Defect", (text, place))
}

/// A server cannot start.
pub(crate) fn comm(py: Python<'_>, error: CommError) -> PyErr {
    let class = if matches!(error, CommError::Listen { .. }) { "ListenFailed" } else { "ConnectionFailed" };
    raise(py, class, (error.to_string(),))
}

/// An error of the committer.
pub(crate) fn commit(py: Python<'_>, error: CommitError) -> PyErr {
    let text = error.to_string();
    match error {
        CommitError::Refused { number, refusal } => raise(py, "BlockRefused", (number, refusal.to_string())),
        CommitError::Ledger(error) => ledger(py, error),
        CommitError::NotDurable(_) | CommitError::Threads(_) => raise(py, "LedgerIo", (text,)),
        CommitError::Replay { .. } | CommitError::StoredConfig(_) | CommitError::Undecodable { .. } => {
            raise(py, "LedgerCorrupted", (text,))
        }
        CommitError::NothingSubmitted | CommitError::Void | CommitError::Empty => input(py, text),
        CommitError::Stopped => raise(py, "LedgerStopped", (text,)),
        CommitError::Defect { number, defect: Defect { text, place } } => {
            defect(py, Defect { text: format!("block {number}: {text}"), place })
        }
    }
}

/// An error of the ledger.
pub(crate) fn ledger(py: Python<'_>, error: LedgerError) -> PyErr {
    let text = error.to_string();
    let class = match error {
        LedgerError::InUse { .. } => "LedgerLocked",
        LedgerError::DamagedBlockFile { .. } | LedgerError::DamagedDerived { .. } => "LedgerCorrupted",
        LedgerError::NoSuchBlock { .. } => "NotFound",
        LedgerError::NotARecord { .. }
        | LedgerError::TooLarge { .. }
        | LedgerError::Option { .. }
        | LedgerError::Snapshot { .. } => "InputError",
        LedgerError::Io { .. }
        | LedgerError::NotNext { .. }
        | LedgerError::WriterFailed { .. }
        | LedgerError::Derived { .. }
        | LedgerError::GrowthBlocked { .. } => "LedgerIo",
    };
    raise(py, class, (text,))
}

/// An error of identities, policies or configurations.
pub(crate) fn identity(py: Python<'_>, error: IdentityError) -> PyErr {
    let text = error.to_string();
    match error {
        IdentityError::Undecodable(_)
        | IdentityError::UnknownMsp(_)
        | IdentityError::IdemixNotSupported(_)
        | IdentityError::Certificate { .. }
        | IdentityError::Invalid { .. }
        | IdentityError::Signature { .. } => raise(py, "IdentityRefused", (text,)),
        IdentityError::UnknownPolicy(path) => not_found(py, format!("no such policy: '{path}'")),
        IdentityError::Policy(_) | IdentityError::MspSetup { .. } | IdentityError::SigningKey(_) => input(py, text),
        // The reason alone: it is what Fabric says.
        IdentityError::Config(reason) | IdentityError::ConfigUpdate(reason) => raise(py, "ConfigRefused", (reason,)),
        IdentityError::ConfigUndecodable { .. } => raise(py, "ConfigRefused", (text,)),
        IdentityError::UnsupportedCapability { .. } => unsupported(py, text),
        IdentityError::BlockMetadata { block, reason } => raise(py, "BlockRefused", (block, reason)),
        IdentityError::BlockSignature { block, policy, details } => {
            let reason = format!("orderer signatures do not satisfy {policy}; {details}");
            raise(py, "BlockRefused", (block, reason))
        }
    }
}

/// A message or a proposal that a member of a Raft cluster does not take.
pub(crate) fn raft(py: Python<'_>, error: &StepError) -> PyErr {
    let class = match error {
        StepError::Dropped(_) => "ProposalDropped",
        StepError::LostEntries { .. } => "LedgerCorrupted",
        StepError::Undecodable(_)
        | StepError::Local { .. }
        | StepError::Misdirected { .. }
        | StepError::Stranger { .. }
        | StepError::Malformed { .. } => "InputError",
    };
    raise(py, class, (error.to_string(),))
}

/// An error of a Raft log.
pub(crate) fn raft_log(py: Python<'_>, error: LogError) -> PyErr {
    let class = match error {
        LogError::Io { .. } => "LedgerIo",
        LogError::InUse { .. } => "LedgerLocked",
        LogError::Damaged { .. } | LogError::OtherMember { .. } => "LedgerCorrupted",
        LogError::TooLarge { .. } => "InputError",
    };
    raise(py, class, (error.to_string(),))
}

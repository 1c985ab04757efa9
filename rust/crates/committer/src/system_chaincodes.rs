// SPDX-License-Identifier: Apache-2.0
//! The system chaincodes by name, and which of them transactions may call and write to.

/// Namespace of the 2.x lifecycle.
pub(crate) const LIFECYCLE: &str = "_lifecycle";
/// Namespace of the 1.x lifecycle.
pub(crate) const LSCC: &str = "lscc";

/// The system chaincodes of 1.x.
pub(crate) fn is_system_chaincode(name: &str) -> bool {
    matches!(name, "vscc" | "escc" | LSCC | "qscc" | "cscc")
}

/// `IsSysCCAndNotInvokableExternal`.
pub(crate) fn never_invokable(name: &str) -> bool {
    matches!(name, "vscc" | "escc")
}

/// `IsSysCCAndNotInvokableCC2CC` or never invokable at all: no chaincode can have written there.
pub(crate) fn never_written(name: &str) -> bool {
    matches!(name, "vscc" | "escc" | "cscc")
}

/// Where LSCC's table has a chaincode's collections (`privdata.BuildCollectionKVSKey`).
pub(crate) fn lscc_collections_key(chaincode: &str) -> String {
    format!("{chaincode}~collection")
}

// SPDX-License-Identifier: Apache-2.0
//! Membership service providers: who belongs to an organization, and in which role (Fabric's `msp`).

mod manager;
mod node_ous;
mod provider;
mod setup;
mod validate;

pub use manager::{IDENTITY_CACHE_BYTES, MspManager};
pub use provider::Msp;

pub(crate) use manager::Provider;

/// How an MSP behaves; the channel's capabilities choose (`msp.MSPVersion`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MspVersion {
    /// Fabric 1.0.
    V1_0,
    /// Node OUs for clients and peers.
    V1_1,
    /// Anonymity and combined principals.
    V1_3,
    /// Node OUs for administrators and orderers.
    V1_4_3,
    /// Ed25519 identities.
    V3_0,
}

// SPDX-License-Identifier: Apache-2.0
//! Identities, MSPs, policies and channel configurations, judged as a Hyperledger Fabric peer judges them.
//!
//! A [`ChannelConfig`] is made of a channel's configuration and never changes; a configuration transaction makes the
//! next one. It holds the channel's MSPs, through which serialized identities become [`Identity`] values, and its
//! policies, which take identities whose signatures were verified before. Verdicts on identities are remembered by
//! content for as long as the configuration is in force.
//!
//! Policies and configurations are recursive messages that outsiders send: decode them on threads with
//! [`fastledger_wire::protobuf::DECODE_STACK_BYTES`] of stack. Whatever is compiled of them is flat or bounded.
//!
//! Idemix MSPs are recognised, but their identities are refused as not supported.

#![forbid(unsafe_code)]

pub mod block_signature;
mod cache;
pub mod config;
mod error;
mod expiration;
mod identity;
mod key;
pub mod msp;
pub mod policy;
mod signed;
mod signing;
pub mod x509;

pub use config::{ApplicationCapabilities, ChannelCapabilities, ChannelConfig, OrdererCapabilities};
pub use error::{IdentityError, Result};
pub use expiration::expires_at;
pub use identity::{Identity, Roles};
pub use key::{OtherKey, SignatureHash, VerifyingKey};
pub use msp::{Msp, MspManager, MspVersion};
pub use policy::{Policy, PolicyManager, PolicyResult, Signers, Unsatisfied};
pub use signed::{Signed, valid_signers};
pub use signing::SigningKey;

// SPDX-License-Identifier: Apache-2.0
//! Fabric's messages as borrowed views of the bytes they arrived in.
//!
//! Nothing is copied and nothing is interpreted beyond protobuf: a view holds slices of the
//! block it was decoded from. [`protobuf`] follows the decoding rules of Go's protobuf runtime
//! to the letter, because what a real peer can and cannot decode is part of its verdict.

#![forbid(unsafe_code)]

pub mod block;
pub mod cluster;
pub mod code;
pub mod common;
pub mod configtx;
pub mod encode;
pub mod events;
pub mod hash;
pub mod ledger;
pub mod lifecycle;
pub mod msp;
pub mod peer;
pub mod policies;
pub mod proposal;
pub mod protobuf;
pub mod raftpb;
pub mod rwset;
pub mod shim;

pub use code::TxValidationCode;
pub use hash::Hash;
pub use protobuf::{DecodeError, Message};
pub use rwset::Height;

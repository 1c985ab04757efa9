// SPDX-License-Identifier: Apache-2.0
//! ECDSA P-256 verification in batches, and SHA-256 of many messages at once.
//!
//! A permissioned ledger sees the same few keys sign very many messages, nothing about verification is
//! secret, and signatures arrive in blocks. This crate is built on these three facts; it never signs.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod cache;
mod der;
mod engine;
mod key;
mod library;
mod p256;
mod prefetch;
mod sha256;
mod verifier;

pub use der::{Signature, SignatureError};
pub use engine::{Engine, EngineError};
pub use key::{KeyError, PublicKey};
pub use prefetch::prefetch;
pub use sha256::{Message, sha256, sha256_many};
pub use verifier::{Job, Verifier, VerifierOptions};

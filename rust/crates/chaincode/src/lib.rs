// SPDX-License-Identifier: Apache-2.0
//! The peer's side of a chaincode's stream (Fabric: `core/chaincode/handler.go`).
//!
//! ```text
//!  chaincode ── message ──► conversation ─┬─ request for public state ──► transaction ── answer ──► chaincode
//!                                         │                                    │ simulator
//!                                         └─ all else ──► whoever began the transaction
//! ```
//!
//! A request is answered on the thread that it comes in on, unless it may take long: then whoever began the
//! transaction has it answered on a thread that may wait. There is one request of a transaction at a time.

#![forbid(unsafe_code)]

mod conversation;
mod disk;
mod limits;
mod message;
mod queries;
mod request;
mod transaction;

pub use conversation::{Beginning, Conversation};
pub use limits::Limits;
pub use queries::{Rows, kv};
pub use request::Whose;
pub use transaction::{Setting, Transaction};

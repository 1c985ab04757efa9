// SPDX-License-Identifier: Apache-2.0
//! gRPC servers whose calls are answered elsewhere, and calls for threads that wait.
//!
//! HTTP/2, TLS, framing and flow control run on one thread of their own. Whoever answers sees [`Event`]s: a call
//! begins, messages come as bytes, the client has no more, the call is over; and sends messages and a status back.
//! Events gather in a queue with a file descriptor to wait for, so that one wake-up of a slow reader, such as an
//! event loop in Python, takes all that have come.

mod call;
mod client;
mod codec;
mod error;
mod events;
mod linger;
mod listener;
mod memory;
mod preface;
mod server;
mod tls;

pub use client::{ClientStream, Route};
pub use error::CommError;
pub use events::{Event, Happened};
pub use server::{Limits, Server};
pub use tls::{ClientRoots, ClientTls, ServerTls};

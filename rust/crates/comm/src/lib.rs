// SPDX-License-Identifier: Apache-2.0
//! gRPC servers and clients whose calls are answered and made elsewhere.
//!
//! HTTP/2, TLS, framing and flow control run on one thread of their own. Whoever answers sees [`Event`]s: a call
//! begins, messages come as bytes, the client has no more, the call is over; and sends messages and a status back.
//! Whoever calls sees messages and a status, and sends messages.
//! Events gather in a queue with a file descriptor to wait for, so that one wake-up of a slow reader, such as an
//! event loop in Python, takes all that have come. A quick reader follows them where they arise.

mod accept;
mod answer;
mod asking;
mod call;
mod channel;
mod dial;
mod error;
mod events;
mod exchange;
mod frames;
mod gathered;
mod guests;
mod heard;
mod host;
mod incoming;
mod limits;
mod line;
mod linger;
mod link;
mod listener;
mod memory;
mod message;
mod patience;
mod preface;
mod reply;
mod responder;
mod runtime;
mod server;
mod tls;
mod told;
mod trust;
mod waiting;

pub use call::Make;
pub use channel::{GrpcChannel, Hub, OutgoingCall};
pub use dial::ClientLimits;
pub use error::CommError;
pub use events::{Event, Following, Happened};
pub use limits::Limits;
pub use line::Line;
pub use message::{LARGE_BYTES, Message};
pub use responder::{Answer, Responder};
pub use runtime::THREAD;
pub use server::Server;
pub use tls::{ClientRoots, ClientTls, ServerTls};
pub use told::describe_metrics;
pub use tonic::Status;

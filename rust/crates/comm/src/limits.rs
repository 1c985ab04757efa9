// SPDX-License-Identifier: Apache-2.0
//! What a server allows.

use std::time::Duration;

/// What a server allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest message in either direction.
    pub max_message_bytes: usize,
    /// Calls at a time on one connection.
    pub max_calls: u32,
    /// A silent client is pinged that often.
    pub keepalive: Duration,
    /// A connection whose ping is not answered for so long is closed.
    pub keepalive_timeout: Duration,
    /// A client that has not finished TLS's handshake, or then not begun HTTP/2, after so long is dropped.
    pub handshake_timeout: Duration,
    /// A connection that has not brought a call after so long is asked to go.
    pub unused_timeout: Duration,
    /// A call of which nothing comes for so long ends while its message is not whole, or its answer not taken.
    pub message_timeout: Duration,
    /// Connections at a time. The next one takes the place of one without calls; where there is none, it is turned
    /// away. Half of the process's descriptors where that is less.
    pub max_connections: usize,
    /// Calls at a time on all connections. The next one takes the place of one that waits for its client; where there
    /// is none, it is refused.
    pub max_all_calls: usize,
    /// Bytes of messages that are not whole or not taken, of all calls.
    pub max_held_bytes: usize,
}

impl Default for Limits {
    /// As Fabric has them, and bounds for what it leaves open.
    fn default() -> Self {
        Self {
            max_message_bytes: 100 << 20,
            max_calls: 2_500,
            keepalive: Duration::from_secs(7_200),
            keepalive_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            unused_timeout: Duration::from_secs(60),
            message_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            max_all_calls: 10_000,
            max_held_bytes: 1 << 30,
        }
    }
}

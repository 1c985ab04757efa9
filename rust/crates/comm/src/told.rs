// SPDX-License-Identifier: Apache-2.0
//! What a server tells its operator of those whom it does not serve, under Fabric's logger.
//!
//! Whatever strangers can bring about is only counted and told, at levels by whose matter it is: the operator's are
//! errors and warnings, a client's own are for whoever looks for them.

use std::fmt::Display;
use std::time::Instant;

use log::Level;
use metrics::{counter, describe_counter};
use tokio_rustls::rustls;

const LOGGER: &str = "core.comm";

/// Fabric's counters of connections.
const OPENED: &str = "grpc_comm_conn_opened";
const CLOSED: &str = "grpc_comm_conn_closed";

const HANDSHAKES: &str = "grpc_comm_handshakes_failed";
const CONNECTIONS: &str = "grpc_comm_conn_dropped";
const CALLS: &str = "grpc_comm_calls_dropped";

/// Of a client that hung up.
const GONE: &str = "gone";

/// Why a connection came to nothing before it could bring calls.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// TLS was not agreed on.
    Tls(std::io::Error),
    /// What came is not HTTP/2.
    Http2,
    /// It took too long.
    Late,
    /// This process has no thread to look for the authorities of clients.
    Here,
}

impl NotBegun {
    const REASONS: [&str; 7] = ["certificate", "alert", "protocol", GONE, "http2", "timeout", "here"];

    fn reason(&self) -> &'static str {
        match self {
            Self::Tls(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => "certificate",
                Some(rustls::Error::AlertReceived(_)) => "alert",
                Some(_) => "protocol",
                None => GONE,
            },
            Self::Http2 => "http2",
            Self::Late => "timeout",
            Self::Here => "here",
        }
    }
}

impl Display for NotBegun {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(to),
            Self::Http2 => to.write_str("the client does not speak HTTP/2"),
            Self::Late => to.write_str("deadline exceeded"),
            Self::Here => to.write_str("no thread to look for the authorities of clients"),
        }
    }
}

/// A connection has come to nothing.
pub(crate) fn not_begun(peer: &str, since: Instant, why: &NotBegun, tls: bool) {
    let reason = why.reason();
    counter!(HANDSHAKES, "reason" => reason).increment(1);
    let spent = since.elapsed();
    if tls && !matches!(why, NotBegun::Http2) {
        // Whoever only looks whether somebody listens hangs up at once.
        let level = if reason == GONE { Level::Info } else { Level::Error };
        log::log!(
            target: LOGGER,
            level,
            "Server TLS handshake failed in {spent:?} with error {why} remoteaddress={peer}"
        );
    } else {
        log::debug!(target: LOGGER, "a connection brought no call in {spent:?}: {why} remoteaddress={peer}");
    }
}

/// A connection stands while this lives.
pub(crate) struct Open;

impl Open {
    pub(crate) fn new() -> Self {
        counter!(OPENED).increment(1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        counter!(CLOSED).increment(1);
    }
}

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// All places are in use.
    NoPlace,
    /// Another one needs its place.
    PlaceNeeded,
    /// Too many frames came that neither begin a call nor bring any of it.
    Overhead,
    /// It breaks the rules of HTTP/2.
    Protocol,
    /// It never brought a call.
    Unused,
    /// A ping was not answered.
    Silent,
}

impl Dropped {
    const ALL: [Self; 6] =
        [Self::NoPlace, Self::PlaceNeeded, Self::Overhead, Self::Protocol, Self::Unused, Self::Silent];

    /// Its label, how loudly it is told, and what is said.
    fn told(self) -> (&'static str, Level, &'static str) {
        match self {
            Self::NoPlace => ("no_place", Level::Warn, "turned away: all places for connections are in use"),
            Self::PlaceNeeded => ("place_needed", Level::Warn, "given up: another one needs its place"),
            Self::Overhead => ("overhead", Level::Warn, "given up: too many frames came that belong to no call"),
            Self::Protocol => ("protocol", Level::Warn, "given up: it breaks the rules of HTTP/2"),
            Self::Unused => ("unused", Level::Debug, "given up: it has not brought a call"),
            Self::Silent => ("keepalive", Level::Info, "given up: it does not answer pings"),
        }
    }
}

/// A connection is given up.
pub(crate) fn dropped(peer: &str, cause: Dropped) {
    let (label, level, text) = cause.told();
    counter!(CONNECTIONS, "cause" => label).increment(1);
    log::log!(target: LOGGER, level, "a connection is {text} remoteaddress={peer}");
}

/// The system gives no connection.
pub(crate) fn not_accepted(error: &std::io::Error) {
    log::error!(target: LOGGER, "no connection can be accepted: {error}");
}

/// Authorities of clients cannot be used; those before stay in force.
pub(crate) fn roots_unusable(error: &dyn Display) {
    log::error!(target: LOGGER, "the authorities of clients are not changed: {error}");
}

/// Why a call is not answered to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It is no gRPC.
    NoGrpc,
    /// There are too many.
    Limit,
    /// Another one needs its place, or its memory.
    PlaceNeeded,
    /// Too much is held by all calls together.
    Memory,
    /// Its message is too large, or not as agreed on.
    Message,
    /// Its message does not come in time.
    Late,
    /// Its answer is not taken in time.
    NotTaken,
    /// Its client has taken it back, or gone.
    Cancelled,
}

impl Unanswered {
    const ALL: [Self; 8] = [
        Self::NoGrpc,
        Self::Limit,
        Self::PlaceNeeded,
        Self::Memory,
        Self::Message,
        Self::Late,
        Self::NotTaken,
        Self::Cancelled,
    ];

    fn told(self) -> (&'static str, Level, &'static str) {
        match self {
            Self::NoGrpc => ("no_grpc", Level::Debug, "it is not gRPC"),
            Self::Limit => ("limit", Level::Warn, "too many calls are under way"),
            Self::PlaceNeeded => ("place_needed", Level::Warn, "another one needs its place"),
            Self::Memory => ("memory", Level::Warn, "too many messages are held that are not whole or not taken"),
            Self::Message => ("message", Level::Debug, "its message is too large, or not as agreed on"),
            Self::Late => ("message_late", Level::Debug, "its message did not come in time"),
            Self::NotTaken => ("answer_not_taken", Level::Debug, "its answer was not taken in time"),
            Self::Cancelled => ("cancelled", Level::Debug, "its client has taken it back, or gone"),
        }
    }
}

/// A call is not answered to its end.
pub(crate) fn unanswered(peer: &str, cause: Unanswered) {
    let (label, level, text) = cause.told();
    counter!(CALLS, "cause" => label).increment(1);
    log::log!(target: LOGGER, level, "a call is not answered: {text} remoteaddress={peer}");
}

/// Describes the counters to the metrics recorder, and begins them at 0.
pub fn describe_metrics() {
    describe_counter!(OPENED, "gRPC connections opened. Open minus closed is the active number of connections.");
    describe_counter!(CLOSED, "gRPC connections closed. Open minus closed is the active number of connections.");
    describe_counter!(HANDSHAKES, "Connections that failed before they could bring a call, by reason.");
    describe_counter!(CONNECTIONS, "Connections that a server turned away or gave up, by cause.");
    describe_counter!(CALLS, "Calls that a server did not answer to their end, by cause.");
    counter!(OPENED).increment(0);
    counter!(CLOSED).increment(0);
    NotBegun::REASONS.into_iter().for_each(|reason| counter!(HANDSHAKES, "reason" => reason).increment(0));
    Dropped::ALL.into_iter().for_each(|cause| counter!(CONNECTIONS, "cause" => cause.told().0).increment(0));
    Unanswered::ALL.into_iter().for_each(|cause| counter!(CALLS, "cause" => cause.told().0).increment(0));
}

// SPDX-License-Identifier: Apache-2.0
//! The two ways of connecting: a chaincode dials its peer, or peers dial it.

use bytes::Bytes;
use fastledger_comm::{Following, GrpcChannel, OutgoingCall, Server};

/// How what is said of a stream gets to its other end.
pub(crate) enum Way {
    /// Peers dial.
    Serving { server: Server, following: Following },
    /// The peer was dialled.
    Dialled { call: OutgoingCall, channel: GrpcChannel, following: Following },
}

impl Way {
    /// Sends a message; nothing happens to it once the stream is over. It waits without bound for a peer that reads
    /// slowly: a transaction has one on the way at a time, and has seen to it that there is room.
    pub(crate) fn send(&self, stream: u64, message: Bytes) {
        let _ = match self {
            Self::Serving { server, .. } => server.send(stream, message),
            Self::Dialled { call, .. } => call.send(message),
        };
    }

    /// Says that a message was taken.
    pub(crate) fn consumed(&self, stream: u64, bytes: usize) {
        match self {
            Self::Serving { server, .. } => server.consumed(stream, bytes),
            Self::Dialled { call, .. } => call.consumed(bytes),
        }
    }

    /// Ends a stream, with one of gRPC's codes.
    pub(crate) fn finish(&self, stream: u64, code: i32, why: &str) {
        match self {
            Self::Serving { server, .. } => server.finish(stream, code, why, Bytes::new()),
            Self::Dialled { call, .. } => call.cancel(),
        }
    }

    /// Ends everything.
    pub(crate) fn close(&self) {
        match self {
            Self::Serving { server, following } => {
                server.abort();
                following.end();
            }
            Self::Dialled { channel, following, .. } => {
                channel.close();
                following.end();
            }
        }
    }
}

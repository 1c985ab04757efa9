// SPDX-License-Identifier: Apache-2.0
//! The peers of a chaincode, and the transactions that they ask for.

use std::sync::Arc;

use fastledger_comm::{ClientLimits, ClientTls, CommError, Hub, Limits, Server, ServerTls};

use crate::shared::{Shared, Stream, taker};
use crate::transaction::Transaction;
use crate::way::Way;

/// Largest message, as everywhere in Fabric.
const MAX_MESSAGE_BYTES: usize = 100 << 20;

/// Peers that may have dialled a service; more are refused.
const MAX_PEERS: usize = 64;

/// What a chaincode calls at its peer.
const REGISTER_PATH: &str = "/protos.ChaincodeSupport/Register";

/// A chaincode's peers.
pub struct Peers {
    shared: Arc<Shared>,
    port: u16,
}

impl Peers {
    /// Dials the peer at `host:port` or `unix:path`, and registers; so many transactions may run at a time.
    pub fn dial(ccid: &str, address: &str, tls: Option<&ClientTls>, workers: usize) -> Result<Self, CommError> {
        let hub = Hub::new()?;
        let limits = ClientLimits { max_message_bytes: MAX_MESSAGE_BYTES, ..ClientLimits::default() };
        let channel = hub.channel(address, tls, limits)?;
        channel.begin()?;
        let call = channel.converse(REGISTER_PATH, None)?;
        let stream = call.id();
        let shared = Shared::new(ccid, workers);
        let following = hub.follow(taker(&shared))?;
        shared.lock().streams.insert(stream, Stream::default());
        shared.begin(Way::Dialled { call, channel, following });
        shared.send(stream, shared.register.clone());
        Ok(Self { shared, port: 0 })
    }

    /// Listens for peers at `host:port` or `unix:path`; so many transactions of all of them may run at a time.
    pub fn serve(ccid: &str, address: &str, tls: Option<ServerTls>, workers: usize) -> Result<Self, CommError> {
        let limits = Limits { max_message_bytes: MAX_MESSAGE_BYTES, max_all_calls: MAX_PEERS, ..Limits::default() };
        let server = Server::start(address, tls, limits)?;
        let port = server.port();
        let shared = Shared::new(ccid, workers);
        let following = server.follow(taker(&shared))?;
        shared.begin(Way::Serving { server, following });
        Ok(Self { shared, port })
    }

    /// The TCP port that it listens at; 0 for a path, or where the peer was dialled.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for a transaction that may be run now; none once no peer can ask for any.
    #[must_use]
    pub fn next(&self) -> Option<Transaction> {
        let (stream, asked, params) = self.shared.next()?;
        Some(Transaction { shared: Arc::clone(&self.shared), stream, asked, params })
    }

    /// Whether a thread waits for a transaction; otherwise whoever has one needs another to wait.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        self.shared.lock().idle > 0
    }

    /// Hangs up, or serves no more.
    pub fn close(&self) {
        self.shared.end(String::new());
        if let Some(way) = self.shared.way.get() {
            way.close();
        }
    }

    /// Why the peer that was dialled is gone; empty without an error, none while it is there.
    #[must_use]
    pub fn over(&self) -> Option<String> {
        self.shared.lock().over.clone()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.close();
    }
}

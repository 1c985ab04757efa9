// SPDX-License-Identifier: Apache-2.0
//! What the threads of a chaincode share with the one that reads its streams.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use fastledger_comm::{Event, Happened};
use fastledger_wire::Message;
use fastledger_wire::encode::bytes_field;
use rustc_hash::FxHashMap;

use crate::asked::{Answer, Asked};
use crate::message::{ANSWERS, ChaincodeMessage, ERROR, INIT, KEEPALIVE, READY, REGISTER, TRANSACTION};
use crate::message::{encoded, is_chaincodes};
use crate::turns::Turns;
use crate::way::Way;

/// What a peer calls at a chaincode.
const CONNECT_PATH: &str = "/protos.Chaincode/Connect";

/// gRPC's codes for what is none of this service, and for a peer that does what none should.
const UNIMPLEMENTED: i32 = 12;
const INVALID_ARGUMENT: i32 = 3;

pub(crate) struct Shared {
    /// What is said first on each stream.
    pub(crate) register: Bytes,
    pub(crate) way: OnceLock<Way>,
    state: Mutex<State>,
    /// Tells a thread of a transaction, or all that there will be none.
    came: Condvar,
}

pub(crate) struct State {
    pub(crate) streams: FxHashMap<u64, Stream>,
    turns: Turns<(u64, Asked)>,
    /// Threads that wait for a transaction.
    pub(crate) idle: usize,
    /// Why there is no peer any more; empty where that is no error.
    pub(crate) over: Option<String>,
}

#[derive(Default)]
pub(crate) struct Stream {
    params: Bytes,
    /// Who waits for an answer, by channel and transaction.
    waiting: FxHashMap<Vec<u8>, SyncSender<Answer>>,
    /// How often a transaction is run now: again where it has called its own chaincode on another channel.
    running: FxHashMap<Bytes, usize>,
}

/// Takes events for as long as anybody has the peers.
pub(crate) fn taker(shared: &Arc<Shared>) -> impl Fn(Event) + Send + 'static {
    let shared = Arc::downgrade(shared);
    move |event| {
        if let Some(shared) = shared.upgrade() {
            shared.happened(event);
        }
    }
}

impl Shared {
    pub(crate) fn new(ccid: &str, workers: usize) -> Arc<Self> {
        // A `protos.ChaincodeID`.
        let mut id = Vec::new();
        bytes_field(&mut id, 2, ccid.as_bytes());
        let state = State { streams: FxHashMap::default(), turns: Turns::new(workers), idle: 0, over: None };
        Arc::new(Self {
            register: encoded(REGISTER, &id, &[], &[], &[]),
            way: OnceLock::new(),
            state: Mutex::new(state),
            came: Condvar::new(),
        })
    }

    pub(crate) fn begin(&self, way: Way) {
        // It is set only here, and once.
        drop(self.way.set(way));
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, stream: u64, message: Bytes) {
        if let Some(way) = self.way.get() {
            way.send(stream, message);
        }
    }

    pub(crate) fn ask(&self, stream: u64, channel_id: &[u8], tx_id: &[u8], request: Bytes) -> Option<Answer> {
        let (sender, answer) = sync_channel(1);
        self.lock().streams.get_mut(&stream)?.waiting.insert(key(channel_id, tx_id), sender);
        self.send(stream, request);
        answer.recv().ok()
    }

    /// The next that may be run, with its stream and what that peer offers; waits for it. None once there can be none.
    pub(crate) fn next(&self) -> Option<(u64, Asked, Bytes)> {
        let mut state = self.lock();
        loop {
            if state.over.is_some() {
                return None;
            }
            if let Some((stream, asked)) = state.turns.take() {
                let mut params = Bytes::new();
                if let Some(peer) = state.streams.get_mut(&stream) {
                    *peer.running.entry(asked.tx_id.clone()).or_default() += 1;
                    params = peer.params.clone();
                }
                return Some((stream, asked, params));
            }
            state.idle += 1;
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    pub(crate) fn done(&self, stream: u64, asked: &Asked) {
        let mut state = self.lock();
        state.turns.done(&asked.caller);
        if let Some(peer) = state.streams.get_mut(&stream)
            && let Some(runs) = peer.running.get_mut(&asked.tx_id)
        {
            *runs -= 1;
            if *runs == 0 {
                peer.running.remove(&asked.tx_id);
            }
        }
    }

    /// Called on the thread that serves all connections, for one event after the other.
    fn happened(&self, event: Event) {
        let Some(way) = self.way.get() else { return };
        let stream = event.call;
        match event.happened {
            Happened::Begun { path, .. } if path == CONNECT_PATH => {
                self.lock().streams.insert(stream, Stream::default());
                way.send(stream, self.register.clone());
            }
            Happened::Begun { .. } | Happened::Asked { .. } => {
                way.finish(stream, UNIMPLEMENTED, "a chaincode has one method, Connect");
            }
            Happened::Message(message) => {
                way.consumed(stream, message.len());
                if let Err(why) = self.receive(way, stream, &message) {
                    way.finish(stream, INVALID_ARGUMENT, &why);
                    self.left(way, stream, why);
                }
            }
            Happened::HalfClosed => {
                way.finish(stream, 0, "");
                self.left(way, stream, String::new());
            }
            Happened::Finished(status) => self.left(way, stream, status.message().to_owned()),
            Happened::Ended => self.left(way, stream, String::new()),
            Happened::Writable => {}
        }
    }

    fn receive(&self, way: &Way, stream: u64, whole: &Bytes) -> Result<(), String> {
        let message = ChaincodeMessage::decode(whole)
            .map_err(|error| format!("the peer sent {} bytes that are no message: {error}", whole.len()))?;
        let mut state = self.lock();
        let Some(peer) = state.streams.get_mut(&stream) else { return Ok(()) };
        match message.r#type {
            TRANSACTION | INIT => {
                let is_nested = peer.running.contains_key(message.txid.as_bytes());
                let asked = Asked::new(whole, &message, is_nested);
                let caller = asked.caller.clone();
                state.turns.put(&caller, (stream, asked));
                if state.idle > 0 {
                    self.came.notify_one();
                }
            }
            kind if ANSWERS.contains(&kind) => {
                let key = key(message.channel_id.as_bytes(), message.txid.as_bytes());
                // Nobody waits once the transaction has ended.
                if let Some(waiting) = peer.waiting.remove(&key) {
                    drop(state);
                    let payload = whole.slice_ref(message.payload);
                    drop(waiting.send(Answer { is_error: kind == ERROR, payload }));
                }
            }
            READY => peer.params = whole.slice_ref(message.payload),
            KEEPALIVE => {
                drop(state);
                way.send(stream, whole.clone());
            }
            kind if is_chaincodes(kind) => {
                return Err(format!("the peer sent a message of type {kind}, which only chaincodes send"));
            }
            _ => {}
        }
        Ok(())
    }

    /// A peer is gone: who waits for its answers gets none. One that was dialled was the only one.
    fn left(&self, way: &Way, stream: u64, why: String) {
        drop(self.lock().streams.remove(&stream));
        if matches!(way, Way::Dialled { .. }) {
            self.end(why);
        }
    }

    pub(crate) fn end(&self, why: String) {
        let mut state = self.lock();
        state.over.get_or_insert(why);
        state.streams.clear();
        drop(state);
        self.came.notify_all();
    }
}

/// What tells the requests of a stream apart: each transaction asks one thing at a time.
fn key(channel_id: &[u8], tx_id: &[u8]) -> Vec<u8> {
    [channel_id, &[0], tx_id].concat()
}

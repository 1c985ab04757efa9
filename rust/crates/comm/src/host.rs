// SPDX-License-Identifier: Apache-2.0
//! What the connections of a server share, and each one's calls.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashSet;

use crate::call::Calls;
use crate::error::CommError;
use crate::events::Events;
use crate::guests::{Guest, Guests};
use crate::limits::Limits;
use crate::memory::Memory;
use crate::tls::Acceptors;
use crate::waiting::Waiting;

/// What all connections of a server share.
pub(crate) struct Host {
    pub(crate) acceptors: Option<Acceptors>,
    pub(crate) limits: Limits,
    pub(crate) calls: Calls,
    pub(crate) events: Arc<Events>,
    pub(crate) guests: Arc<Guests>,
    pub(crate) waiting: Arc<Waiting>,
    /// Calls that are not told of yet.
    pub(crate) untold: AtomicUsize,
    pub(crate) received: Arc<Memory>,
    next_call: AtomicU64,
    asks_once: RwLock<FxHashSet<String>>,
}

impl Host {
    pub(crate) fn new(acceptors: Option<Acceptors>, limits: Limits) -> Result<Self, CommError> {
        Ok(Self {
            acceptors,
            limits,
            calls: Calls::default(),
            events: Arc::new(Events::new()?),
            guests: Arc::default(),
            waiting: Arc::default(),
            untold: AtomicUsize::new(0),
            received: Arc::new(Memory::new(limits.max_held_bytes)),
            next_call: AtomicU64::new(0),
            asks_once: RwLock::default(),
        })
    }

    pub(crate) fn asks_once(&self, path: &str) {
        self.asks_once.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    pub(crate) fn is_asked_once(&self, path: &str) -> bool {
        self.asks_once.read().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    pub(crate) fn next_call(&self) -> u64 {
        self.next_call.fetch_add(1, Ordering::Relaxed)
    }

    /// Has others give way before messages that are not whole take all memory there is for them.
    pub(crate) fn spare_memory(&self, guest: &Guest) {
        if self.received.held() > self.limits.max_held_bytes / 4 * 3 {
            self.waiting.give_memory(guest.id, self.guests.greediest(guest));
        }
    }
}

/// A connection, and what its calls need of it.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) host: Arc<Host>,
    pub(crate) guest: Arc<Guest>,
    pub(crate) peer: Arc<str>,
    pub(crate) certificates: Arc<[Vec<u8>]>,
}

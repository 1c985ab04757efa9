// SPDX-License-Identifier: Apache-2.0
//! What the connections of a server share, and how each is served.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection as Http2};
use rustc_hash::FxHashSet;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::{Calls, answer};
use crate::error::CommError;
use crate::events::Events;
use crate::guests::{Guest, Guests, Stay};
use crate::heard::{Heard, Hearing};
use crate::linger::Lingering;
use crate::listener::{Connection, Listener};
use crate::memory::Memory;
use crate::preface;
use crate::server::Limits;
use crate::tls::Acceptors;
use crate::waiting::Waiting;

/// Pause after the system refuses a connection, as it does when it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Largest header block of a call; Fabric's clients send under 200 bytes.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Calls that a client may take back before they were looked at; with more, its connection ends (CVE-2023-44487).
const MAX_RESETS: usize = 256;

/// What a client may have on the way that was not read yet: of a call, of all calls of a connection.
const WINDOW_BYTES: (u32, u32) = (1 << 20, 4 << 20);

/// What of an answer is handed to HTTP/2 before it is sent: a client may open its windows wide and read nothing.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// How long a client that is sent away has to take that.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How far a server is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// No new calls.
    Closing,
    /// No calls.
    Closed,
}

/// What all connections of a server share.
pub(crate) struct Host {
    acceptors: Option<Acceptors>,
    pub(crate) limits: Limits,
    pub(crate) calls: Calls,
    pub(crate) events: Arc<Events>,
    pub(crate) guests: Arc<Guests>,
    pub(crate) waiting: Arc<Waiting>,
    /// Calls that are not told of yet.
    pub(crate) untold: AtomicUsize,
    received: Arc<Memory>,
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
            self.waiting.give_memory(self.guests.greediest(guest));
        }
    }

    pub(crate) async fn accept(self: Arc<Self>, listener: Listener, phase: watch::Receiver<Phase>) {
        let most = self.limits.max_connections.min(half_of_descriptors());
        let mut ending = phase.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = ending.wait_for(|phase| *phase != Phase::Serving) => return,
            };
            match accepted {
                Ok((connection, peer)) => {
                    if let Some(stay) = self.guests.enter(most, &self.received) {
                        tokio::spawn(Arc::clone(&self).serve(connection, peer, stay, phase.clone()));
                    }
                    // Lets those go whose place was needed.
                    tokio::task::yield_now().await;
                }
                // It was the client that gave up.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.guests.make_room();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(
        self: Arc<Self>,
        connection: Box<dyn Connection>,
        peer: Arc<str>,
        stay: Stay,
        phase: watch::Receiver<Phase>,
    ) {
        let guest = Arc::clone(&stay.guest);
        let served = async {
            let begun = tokio::time::timeout(self.limits.handshake_timeout, self.begin(connection)).await;
            if let Ok(Some((connection, hearing, certificates))) = begun {
                let visit = Visit { host: Arc::clone(&self), guest: Arc::clone(&guest), peer, certificates };
                visit.serve(connection, hearing, phase).await;
            }
        };
        tokio::select! {
            () = served => {}
            () = guest.leaves() => {}
        }
    }

    /// What comes before calls; none where the client does not do its part.
    async fn begin(
        self: &Arc<Self>,
        connection: Box<dyn Connection>,
    ) -> Option<(Http2<Lingering<Heard>, Bytes>, Hearing, Arc<[Vec<u8>]>)> {
        let mut certificates = Arc::default();
        let mut connection = connection;
        if self.acceptors.is_some() {
            let asking = Arc::clone(self);
            let acceptor = tokio::task::spawn_blocking(move || asking.acceptors.as_ref().map(Acceptors::acceptor));
            let stream = acceptor.await.ok()??.accept(connection).await.ok()?;
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            certificates = shown.iter().map(|certificate| certificate.to_vec()).collect();
            connection = Box::new(stream);
        }
        let (heard, hearing) = Heard::client(Box::new(preface::read(connection).await?));
        let http2 = Builder::new()
            .initial_window_size(WINDOW_BYTES.0)
            .initial_connection_window_size(WINDOW_BYTES.1)
            .max_concurrent_streams(self.limits.max_calls)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .handshake(Lingering::new(heard))
            .await
            .ok()?;
        Some((http2, hearing, certificates))
    }
}

/// The other half is for files, for connections to others, and for their answers.
fn half_of_descriptors() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most / 2).ok()).unwrap_or(usize::MAX)
}

/// A connection, and what its calls need of it.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) host: Arc<Host>,
    pub(crate) guest: Arc<Guest>,
    pub(crate) peer: Arc<str>,
    pub(crate) certificates: Arc<[Vec<u8>]>,
}

impl Visit {
    async fn serve(
        self,
        mut connection: Http2<Lingering<Heard>, Bytes>,
        hearing: Hearing,
        mut phase: watch::Receiver<Phase>,
    ) {
        let limits = self.host.limits;
        let Hearing { last, patience, .. } = hearing;
        let pings = connection.ping_pong();
        let gone = async {
            match pings {
                Some(pings) => last.watch(pings, limits.keepalive, limits.keepalive_timeout).await,
                None => std::future::pending().await,
            }
        };
        let mut gone = std::pin::pin!(gone);
        let mut unused = std::pin::pin!(tokio::time::sleep(limits.unused_timeout));
        let mut ending = phase.clone();
        let mut closing = std::pin::pin!(ending.wait_for(|phase| *phase != Phase::Serving));
        let mut closed = std::pin::pin!(phase.wait_for(|phase| *phase == Phase::Closed));
        let (mut watches, mut leaving, mut serves) = (true, false, true);
        loop {
            // What ends a connection is the client's matter; its calls end with it.
            tokio::select! {
                biased;
                call = connection.accept() => match call {
                    Some(Ok((request, respond))) => drop(tokio::spawn(answer(self.clone(), request, respond))),
                    Some(Err(_)) | None => return,
                },
                () = &mut gone => return,
                _ = &mut closed => return,
                () = patience.lost() => {
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    break;
                }
                () = &mut unused, if watches => {
                    watches = !self.host.guests.was_used(&self.guest);
                    if watches && leaving {
                        return;
                    }
                    if watches {
                        leaving = true;
                        connection.graceful_shutdown();
                        unused.as_mut().reset(Instant::now() + LAST_WORDS);
                    }
                }
                _ = &mut closing, if serves => {
                    serves = false;
                    connection.graceful_shutdown();
                }
            }
        }
        drop(tokio::time::timeout(LAST_WORDS, std::future::poll_fn(|context| connection.poll_closed(context))).await);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! How connections are accepted, and each is served.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection as Http2};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::answer;
use crate::gathered::{Gathered, Turns};
use crate::guests::Stay;
use crate::heard::{Heard, Hearing};
use crate::host::{Host, Visit};
use crate::linger::Lingering;
use crate::listener::{Connection, Listener};
use crate::preface;
use crate::tls::Acceptors;
use crate::told::{self, Dropped, NotBegun, Open};

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

/// What a client is served over.
type Served = Lingering<Heard>;

/// How far a server is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// No new calls.
    Closing,
    /// No calls.
    Closed,
}

/// Takes connections until the server ends.
pub(crate) async fn accept(host: Arc<Host>, listener: Listener, phase: watch::Receiver<Phase>) {
    let most = host.limits.max_connections.min(half_of_descriptors());
    let mut ending = phase.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|phase| *phase != Phase::Serving) => return,
        };
        match accepted {
            Ok((connection, peer)) => {
                if let Some(stay) = host.guests.enter(most, &host.received) {
                    tokio::spawn(serve(Arc::clone(&host), connection, peer, stay, phase.clone()));
                } else {
                    told::dropped(&peer, Dropped::NoPlace);
                }
                // Lets those go whose place was needed.
                tokio::task::yield_now().await;
            }
            // It was the client that gave up.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                told::not_accepted(&error);
                host.guests.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    host: Arc<Host>,
    connection: Box<dyn Connection>,
    peer: Arc<str>,
    stay: Stay,
    phase: watch::Receiver<Phase>,
) {
    let guest = Arc::clone(&stay.guest);
    let served = async {
        let since = std::time::Instant::now();
        let begun = tokio::time::timeout(host.limits.handshake_timeout, begin(&host, connection)).await;
        match begun.unwrap_or(Err(NotBegun::Late)) {
            Ok((connection, turns, hearing, certificates)) => {
                let (host, peer) = (Arc::clone(&host), Arc::clone(&peer));
                let visit = Visit { host, guest: Arc::clone(&guest), peer, certificates };
                visit_calls(visit, connection, turns, hearing, phase).await;
            }
            Err(why) => told::not_begun(&peer, since, &why, host.acceptors.is_some()),
        }
    };
    tokio::select! {
        () = served => {}
        () = guest.leaves() => told::dropped(&peer, Dropped::PlaceNeeded),
    }
}

/// What comes before calls; an error where the client does not do its part.
async fn begin(
    host: &Arc<Host>,
    connection: Box<dyn Connection>,
) -> Result<(Http2<Gathered<Served>, Bytes>, Turns<Served>, Hearing, Arc<[Vec<u8>]>), NotBegun> {
    let mut certificates = Arc::default();
    let mut connection = connection;
    if host.acceptors.is_some() {
        let asking = Arc::clone(host);
        let acceptor = tokio::task::spawn_blocking(move || asking.acceptors.as_ref().map(Acceptors::acceptor));
        let acceptor = acceptor.await.ok().flatten().ok_or(NotBegun::Here)?;
        let stream = acceptor.accept(connection).await.map_err(NotBegun::Tls)?;
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        certificates = shown.iter().map(|certificate| certificate.to_vec()).collect();
        connection = Box::new(stream);
    }
    let begun = preface::read(connection).await.ok_or(NotBegun::Http2)?;
    let (heard, hearing) = Heard::client(Box::new(begun));
    let (gathered, turns) = Gathered::new(Lingering::new(heard));
    let http2 = Builder::new()
        .initial_window_size(WINDOW_BYTES.0)
        .initial_connection_window_size(WINDOW_BYTES.1)
        .max_concurrent_streams(host.limits.max_calls)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .handshake(gathered)
        .await
        .map_err(|_| NotBegun::Http2)?;
    Ok((http2, turns, hearing, certificates))
}

/// The other half is for files, for connections to others, and for their answers.
fn half_of_descriptors() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most / 2).ok()).unwrap_or(usize::MAX)
}

/// Has the calls of a connection answered until it ends.
async fn visit_calls(
    visit: Visit,
    mut connection: Http2<Gathered<Served>, Bytes>,
    turns: Turns<Served>,
    hearing: Hearing,
    mut phase: watch::Receiver<Phase>,
) {
    let _open = Open::new();
    let limits = visit.host.limits;
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
            call = turns.take(|context| connection.poll_accept(context)) => match call {
                Some(Ok((request, respond))) => drop(tokio::spawn(answer(visit.clone(), request, respond))),
                Some(Err(error)) => {
                    if !error.is_io() && !error.is_remote() {
                        told::dropped(&visit.peer, Dropped::Protocol);
                    }
                    return;
                }
                None => return,
            },
            () = &mut gone => return told::dropped(&visit.peer, Dropped::Silent),
            _ = &mut closed => return,
            () = patience.lost() => {
                told::dropped(&visit.peer, Dropped::Overhead);
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                break;
            }
            () = &mut unused, if watches => {
                watches = !visit.host.guests.was_used(&visit.guest);
                if watches && leaving {
                    return told::dropped(&visit.peer, Dropped::Unused);
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
    drop(tokio::time::timeout(LAST_WORDS, turns.take(|context| connection.poll_closed(context))).await);
}

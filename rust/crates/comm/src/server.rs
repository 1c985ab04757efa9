// SPDX-License-Identifier: Apache-2.0
//! A gRPC server: accepts connections and turns calls into events.

use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::answer::{Answer, Calls};
use crate::codec::BytesCodec;
use crate::error::CommError;
use crate::events::{Event, Events, Happened};
use crate::linger::Lingering;
use crate::listener::{Connection, Listener};
use crate::memory::{Held, Memory, Metered};
use crate::preface::{self, Begun};
use crate::runtime::runtime;
use crate::tls::{Acceptors, ServerTls};

/// Pause after the system refuses a connection, as it does when it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Largest header block of a call; Fabric's clients send under 200 bytes.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Calls that a client may take back before they were looked at; with more, its connection ends (CVE-2023-44487).
const MAX_RESETS: usize = 256;

/// What a client may have on the way that was not read yet: of a call, of all calls of a connection.
const WINDOW_BYTES: (u32, u32) = (1 << 20, 4 << 20);

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
    /// Connections at a time; more wait to be accepted. Half of the process's descriptors where that is less.
    pub max_connections: usize,
    /// Calls at a time on all connections; more are refused.
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
            max_connections: 10_000,
            max_all_calls: 10_000,
            max_held_bytes: 1 << 30,
        }
    }
}

/// How far a server is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// No new calls.
    Closing,
    /// No calls.
    Closed,
}

/// A server that listens. Dropping it ends its calls.
pub struct Server {
    port: u16,
    calls: Arc<Calls>,
    events: Arc<Events>,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// Listens and serves at `host:port` (port 0 takes a free one) or `unix:path`.
    pub fn start(address: &str, tls: Option<ServerTls>, limits: Limits) -> Result<Self, CommError> {
        let acceptors = tls.map(Acceptors::new).transpose()?;
        let (calls, events) = (Arc::<Calls>::default(), Arc::new(Events::new()?));
        let runtime = runtime()?;
        let (listener, port) = runtime.block_on(Listener::bind(address))?;
        let (phase, watched) = watch::channel(Phase::Serving);
        let shared = Arc::new(Shared {
            acceptors,
            limits,
            calls: Arc::clone(&calls),
            events: Arc::clone(&events),
            received: Arc::default(),
            next_call: AtomicU64::new(0),
            phase: watched,
        });
        runtime.spawn(shared.accept(listener));
        Ok(Self { port, calls, events, phase })
    }

    /// The TCP port that it listens at; 0 for a path.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A descriptor that is readable while there are events.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.events.descriptor()
    }

    /// Takes what has happened, in order.
    #[must_use]
    pub fn drain(&self) -> Vec<Event> {
        self.events.drain()
    }

    /// Sends a message of a call; false asks to wait until the call is writable. Of a call that is over, nothing is sent.
    #[must_use]
    pub fn send(&self, call: u64, message: Bytes) -> bool {
        self.calls.get(call).is_none_or(|call| call.send(message))
    }

    /// Ends a call: code 0 for success, `details` an encoded `google.rpc.Status` or nothing.
    pub fn finish(&self, call: u64, code: i32, message: &str, details: Bytes) {
        let status = (code != 0).then(|| Status::with_details(Code::from_i32(code), message, details));
        if let Some(call) = self.calls.get(call) {
            call.finish(status);
        }
    }

    /// Says that so many bytes of a call's messages were taken, so that more may come.
    pub fn consumed(&self, call: u64, bytes: usize) {
        if let Some(call) = self.calls.get(call) {
            call.consumed(bytes);
        }
    }

    /// Takes no more calls; those under way go on.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Whether, after [`Self::close`], no connection is left: all that was answered has been sent.
    #[must_use]
    pub fn ended(&self) -> bool {
        // Whoever accepts or serves watches the phase.
        self.phase.is_closed()
    }

    /// Ends all calls, whether what was answered has been sent or not.
    pub fn abort(&self) {
        self.phase.send_replace(Phase::Closed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.abort();
    }
}

/// The other half is for files, for connections to others, and for their answers.
fn half_of_descriptors() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most / 2).ok()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

struct Shared {
    acceptors: Option<Acceptors>,
    limits: Limits,
    calls: Arc<Calls>,
    events: Arc<Events>,
    received: Arc<Memory>,
    next_call: AtomicU64,
    phase: watch::Receiver<Phase>,
}

impl Shared {
    async fn accept(self: Arc<Self>, listener: Listener) {
        let mut phase = self.phase.clone();
        let places = Arc::new(Semaphore::new(self.limits.max_connections.min(half_of_descriptors())));
        let next = async || {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        loop {
            let (accepted, place) = tokio::select! {
                next = next() => next,
                _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
            };
            match accepted {
                Ok((connection, peer)) => {
                    let served = Arc::clone(&self).serve(connection, peer);
                    drop(tokio::spawn(async move {
                        served.await;
                        drop(place);
                    }));
                }
                // It was the client that gave up.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, connection: Box<dyn Connection>, peer: Arc<str>) {
        let begun = tokio::time::timeout(self.limits.handshake_timeout, self.begin(connection)).await;
        if let Ok(Some((connection, certificates))) = begun {
            self.serve_http(connection, peer, certificates).await;
        }
    }

    /// What comes before HTTP/2's frames; none where the client does not do its part.
    async fn begin(self: &Arc<Self>, connection: Box<dyn Connection>) -> Option<(Begun, Arc<[Vec<u8>]>)> {
        if self.acceptors.is_none() {
            return Some((preface::read(connection).await?, Arc::default()));
        }
        let asking = Arc::clone(self);
        let acceptor = tokio::task::spawn_blocking(move || asking.acceptors.as_ref().map(Acceptors::acceptor)).await;
        let stream = acceptor.ok()??.accept(connection).await.ok()?;
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificates = shown.iter().map(|certificate| certificate.to_vec()).collect();
        Some((preface::read(Box::new(stream)).await?, certificates))
    }

    async fn serve_http(self: Arc<Self>, connection: Begun, peer: Arc<str>, certificates: Arc<[Vec<u8>]>) {
        let limits = self.limits;
        let mut phase = self.phase.clone();
        let service = Service { shared: self, peer, certificates };
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_BYTES.0)
            .initial_connection_window_size(WINDOW_BYTES.1)
            .max_concurrent_streams(limits.max_calls)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .keep_alive_interval(limits.keepalive)
            .keep_alive_timeout(limits.keepalive_timeout)
            .serve_connection(TokioIo::new(Lingering::new(connection)), service);
        let mut connection = std::pin::pin!(connection);
        // What ends a connection is the client's matter; its calls end with it.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection.as_mut() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Closed) => {}
        }
    }
}

/// A connection's calls.
#[derive(Clone)]
struct Service {
    shared: Arc<Shared>,
    peer: Arc<str>,
    certificates: Arc<[Vec<u8>]>,
}

impl hyper::service::Service<http::Request<Incoming>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let limits = &self.shared.limits;
        let (most, most_held) = (Some(limits.max_message_bytes), limits.max_held_bytes);
        let received = Arc::new(Held::new(Arc::clone(&self.shared.received)));
        let method =
            Method { service: self.clone(), path: request.uri().path().to_owned(), received: Arc::clone(&received) };
        let request = request.map(|incoming| Body::new(Metered::new(incoming, received, most_held)));
        Box::pin(async move {
            let mut grpc = Grpc::new(BytesCodec).apply_max_message_size_config(most, most);
            Ok(grpc.streaming(method, request).await)
        })
    }
}

/// One call on its way to whoever answers.
struct Method {
    service: Service,
    path: String,
    received: Arc<Held>,
}

impl StreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Answer;
    type Future = std::future::Ready<Result<Response<Answer>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let Service { shared, peer, certificates } = &self.service;
        if shared.events.open() >= shared.limits.max_all_calls {
            let refused = Status::resource_exhausted("the server has too many calls under way; try again later");
            return std::future::ready(Err(refused));
        }
        let id = shared.next_call.fetch_add(1, Ordering::Relaxed);
        let begun = Happened::Begun {
            path: std::mem::take(&mut self.path),
            peer: Arc::clone(peer),
            certificates: Arc::clone(certificates),
        };
        let received = Arc::clone(&self.received);
        let answer = Answer::begin(id, begun, request.into_inner(), received, &shared.calls, &shared.events);
        std::future::ready(Ok(Response::new(answer)))
    }
}

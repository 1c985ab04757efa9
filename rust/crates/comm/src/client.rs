// SPDX-License-Identifier: Apache-2.0
//! One call to a server, messages both ways, for threads that wait.
//!
//! Several threads may talk over it. Each may ask something and wait for its own answer: whoever reads the messages
//! tells an answer from the rest by a key, and gives it to the thread that waits under that key.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::uri::PathAndQuery;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tonic::body::Body;
use tonic::{Request, Status};

use crate::codec::BytesCodec;
use crate::error::CommError;
use crate::listener::Connection;
use crate::server::runtime;
use crate::tls::{ClientTls, connector};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells what an answer answers; none for other messages.
pub type Route = fn(&[u8]) -> Option<Vec<u8>>;

/// A call with messages both ways.
pub struct ClientStream {
    outgoing: UnboundedSender<Bytes>,
    incoming: Mutex<Receiver<Bytes>>,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    route: Route,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<Vec<u8>, SyncSender<Bytes>>,
    /// Why the call is over; empty where the server ended it without an error.
    over: Option<String>,
}

impl ClientStream {
    /// Connects to `host:port` or `unix:path` and calls a method such as `/package.Service/Method`.
    pub fn connect(
        address: &str,
        tls: Option<&ClientTls>,
        method: &'static str,
        max_message_bytes: usize,
        route: Route,
    ) -> Result<Self, CommError> {
        let failed = |reason: String| CommError::Connect { address: address.to_owned(), reason };
        let connected = runtime()?.block_on(async {
            tokio::time::timeout(CONNECT_TIMEOUT, connect(address, tls))
                .await
                .unwrap_or_else(|_| Err("it does not answer".to_owned()))
        });
        let service = Http2(connected.map_err(failed)?);
        let (outgoing, to_send) = unbounded_channel();
        let (received, incoming) = channel();
        let shared = Arc::new(Shared { route, state: Mutex::default() });
        let origin = if tls.is_some() { "https://localhost" } else { "http://localhost" };
        let mut grpc = tonic::client::Grpc::with_origin(service, http::Uri::from_static(origin))
            .max_decoding_message_size(max_message_bytes)
            .max_encoding_message_size(max_message_bytes);
        let sharing = Arc::clone(&shared);
        let task = runtime()?.spawn(async move {
            let path = PathAndQuery::from_static(method);
            let answer = match grpc.ready().await {
                Ok(()) => grpc.streaming(Request::new(Outgoing(to_send)), path, BytesCodec).await,
                Err(error) => Err(Status::unavailable(error.to_string())),
            };
            let ended = match answer {
                Ok(answer) => read(answer.into_inner(), &sharing, &received).await,
                Err(status) => Err(status),
            };
            sharing.end(ended.err().map(|status| status.message().to_owned()).unwrap_or_default());
        });
        Ok(Self { outgoing, incoming: Mutex::new(incoming), shared, task: task.abort_handle() })
    }

    /// Sends a message; nothing happens to it once the call is over.
    pub fn send(&self, message: Bytes) {
        drop(self.outgoing.send(message));
    }

    /// The next message that is no awaited answer; none once the call is over.
    pub fn next(&self) -> Option<Bytes> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Sends a message and waits for the answer with this key; none when the call is over before it came.
    pub fn ask(&self, key: Vec<u8>, message: Bytes) -> Option<Bytes> {
        let (sender, answer) = sync_channel(1);
        {
            let mut state = self.shared.lock();
            if state.over.is_some() {
                return None;
            }
            state.waiting.insert(key, sender);
        }
        self.send(message);
        answer.recv().ok()
    }

    /// Hangs up.
    pub fn close(&self) {
        self.task.abort();
        self.shared.end(String::new());
    }

    /// Why the call is over; empty where it ended without an error, none while it goes on.
    #[must_use]
    pub fn over(&self) -> Option<String> {
        self.shared.lock().over.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: String) {
        let mut state = self.lock();
        state.over = Some(why);
        state.waiting.clear();
    }
}

async fn read(mut messages: tonic::Streaming<Bytes>, shared: &Shared, received: &Sender<Bytes>) -> Result<(), Status> {
    while let Some(message) = messages.message().await? {
        let waiting = (shared.route)(&message).and_then(|key| shared.lock().waiting.remove(&key));
        // Whoever waited, or read, may have gone.
        match waiting {
            Some(waiting) => drop(waiting.send(message)),
            None => drop(received.send(message)),
        }
    }
    Ok(())
}

async fn connect(address: &str, tls: Option<&ClientTls>) -> Result<SendRequest<Body>, String> {
    let stream: Box<dyn Connection> = if let Some(path) = address.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        Box::new(UnixStream::connect(path).await.map_err(|error| error.to_string())?)
    } else {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Box::new(stream)
    };
    let stream = match tls {
        None => stream,
        Some(tls) => {
            let (connector, name) = connector(tls, address).map_err(|error| error.to_string())?;
            Box::new(connector.connect(name, stream).await.map_err(|error| error.to_string())?)
        }
    };
    let (sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Messages to be sent, as the stream that gRPC wants.
struct Outgoing(UnboundedReceiver<Bytes>);

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

/// A connection as the service that gRPC wants.
struct Http2(SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Http2 {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One call on a client's connection: its request, its messages, its status.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::call::{Messages, Outgoing, Sending};
use crate::error::lost;
use crate::incoming::Incoming;
use crate::memory::Held;
use crate::message::Message;

/// Trailer with an encoded `google.rpc.Status`.
const DETAILS: &str = "grpc-status-details-bin";

/// For so many bytes of a message there is room as soon as they are announced. Servers, and what is asked of them, are
/// this process's choice, and memory that was never written to costs nothing.
const ROOM_BYTES: usize = 4 << 20;

/// Digits of a timeout that gRPC allows.
const MAX_TIMEOUT: u128 = 99_999_999;

/// Calls a method.
pub(crate) fn begin(
    server: &mut SendRequest<Bytes>,
    uri: Uri,
    timeout: Option<Duration>,
) -> Result<(ResponseFuture, SendStream<Bytes>), Status> {
    let mut request = Request::post(uri)
        .header(header::TE, "trailers")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::USER_AGENT, concat!("fastledger/", env!("CARGO_PKG_VERSION")));
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", written(timeout));
    }
    let request = request.body(()).map_err(|error| Status::internal(error.to_string()))?;
    server.send_request(request, false).map_err(|error| lost(&error))
}

/// A timeout in the finest unit that fits.
fn written(timeout: Duration) -> String {
    let units = [(timeout.as_micros(), 'u'), (timeout.as_millis(), 'm')];
    let fits = units.into_iter().find(|(count, _)| *count <= MAX_TIMEOUT);
    let (count, unit) = fits.unwrap_or((u128::from(timeout.as_secs()).min(MAX_TIMEOUT), 'S'));
    format!("{count}{unit}")
}

/// Sends messages and receives until the server has ended the call.
pub(crate) async fn converse(
    receiving: impl Future<Output = Result<(), Status>>,
    to: SendStream<Bytes>,
    messages: impl Stream<Item = Message>,
) -> Result<(), Status> {
    let sending = async {
        // Where it fails, receiving does, too, and knows why.
        drop(send(to, messages).await);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ended = receiving => ended,
        never = sending => match never {},
    }
}

/// Sends messages as fast as the server takes them.
async fn send(mut to: SendStream<Bytes>, messages: impl Stream<Item = Message>) -> Result<(), h2::Error> {
    let mut messages = pin!(messages);
    while let Some(message) = std::future::poll_fn(|context| messages.as_mut().poll_next(context)).await {
        for mut part in message.into_parts() {
            while !part.is_empty() {
                let Some(room) = room(&mut to, part.len()).await else { return Ok(()) };
                to.send_data(part.split_to(room?.min(part.len())), false)?;
            }
        }
    }
    to.send_data(Bytes::new(), true)
}

/// Waits until the other end takes some of so many bytes; none when it takes nothing any more.
pub(crate) async fn room(to: &mut SendStream<Bytes>, bytes: usize) -> Option<Result<usize, h2::Error>> {
    to.reserve_capacity(bytes);
    std::future::poll_fn(|context| to.poll_capacity(context)).await
}

/// A client has sent all when its messages end.
impl Stream for Sending {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        Poll::Ready(match ready!(self.poll(context)) {
            Some(Outgoing::Message(message)) => Some(message),
            Some(Outgoing::End(_)) | None => None,
        })
    }
}

/// The messages of an answer.
pub(crate) struct Answer(Incoming);

impl Answer {
    /// Waits for the answer's begin; none when it ends there, and well.
    pub(crate) async fn begin(
        response: ResponseFuture,
        received: Arc<Held>,
        max_message_bytes: usize,
    ) -> Result<Option<Self>, Status> {
        let (head, stream) = response.await.map_err(|error| lost(&error))?.into_parts();
        if head.headers.contains_key("grpc-status") {
            return told(head.headers).map(|()| None);
        }
        let kind = head.headers.get(header::CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
        if head.status != StatusCode::OK || !kind.starts_with(b"application/grpc") {
            return Err(no_grpc(head.status));
        }
        let incoming = Incoming::new(stream, received, max_message_bytes).with_room(ROOM_BYTES);
        Ok(Some(Self(incoming)))
    }
}

impl Messages for Answer {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.0.cut()? {
                return Ok(Some(message));
            }
            if !self.0.more().await? {
                told(self.0.trailers().await?)?;
                if self.0.is_torn() {
                    return Err(Status::internal("the server ended the call within a message"));
                }
                return Ok(None);
            }
        }
    }

    async fn keep(&mut self) -> Result<Infallible, Status> {
        self.0.keep().await
    }
}

/// The status in headers or trailers.
fn told(mut headers: HeaderMap) -> Result<(), Status> {
    // What is no base64 would be taken for a defect of ours.
    let details = headers.remove(DETAILS).and_then(|value| {
        let mut alone = HeaderMap::new();
        alone.insert(DETAILS, value);
        MetadataMap::from_headers(alone).get_bin(DETAILS)?.to_bytes().ok()
    });
    let Some(status) = Status::from_header_map(&headers) else {
        return Err(Status::internal("the server ended the call without a status"));
    };
    match status.code() {
        Code::Ok => Ok(()),
        code => Err(Status::with_details(code, status.message(), details.unwrap_or_default())),
    }
}

/// What an answer means that is none of gRPC (`doc/http-grpc-status-mapping.md` of gRPC).
fn no_grpc(http: StatusCode) -> Status {
    let code = match http.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the server does not answer in gRPC, HTTP status {http}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_fit_in_eight_digits() {
        assert_eq!(written(Duration::from_millis(1_500)), "1500000u");
        assert_eq!(written(Duration::from_secs(100)), "100000m");
        assert_eq!(written(Duration::from_secs(99_999_999)), "99999999S");
        assert_eq!(written(Duration::from_secs(u64::MAX)), "99999999S");
        assert_eq!(written(Duration::ZERO), "0u");
    }

    #[test]
    fn details_that_are_no_base64_are_left_out() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", "5".parse().expect("a value"));
        headers.insert("grpc-message", "not%20here".parse().expect("a value"));
        headers.insert(DETAILS, "!!!".parse().expect("a value"));
        let status = told(headers.clone()).expect_err("an error");
        assert_eq!((status.code(), status.message(), status.details()), (Code::NotFound, "not here", &b""[..]));
        headers.insert(DETAILS, "AAEC".parse().expect("a value"));
        assert_eq!(told(headers).expect_err("an error").details(), [0, 1, 2]);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What goes back to the client of a call.

use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tonic::Status;

pub(crate) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Why a call does not go on.
pub(crate) enum Ended {
    /// Its client has gone.
    Gone,
    With(Status),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::With(status)
    }
}

/// What goes back to the client.
pub(crate) struct Reply {
    respond: SendResponse<Bytes>,
    stream: Option<SendStream<Bytes>>,
}

impl Reply {
    pub(crate) fn new(respond: SendResponse<Bytes>) -> Self {
        Self { respond, stream: None }
    }

    /// Sends the headers, unless that was done; then messages may follow.
    pub(crate) fn begin(&mut self) -> Result<&mut SendStream<Bytes>, Ended> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.respond.send_response(head(), false).map_err(|_| Ended::Gone)?,
        };
        Ok(self.stream.insert(stream))
    }

    /// Whether the client has taken the call back, or gone.
    pub(crate) fn poll_gone(&mut self, context: &mut std::task::Context<'_>) -> Poll<()> {
        match &mut self.stream {
            Some(stream) => stream.poll_reset(context).map(|_| ()),
            None => self.respond.poll_reset(context).map(|_| ()),
        }
    }

    /// Ends the call with a status. Where that fails, the client has gone.
    pub(crate) fn end(&mut self, status: &Status) {
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            return self.respond.send_reset(Reason::INTERNAL_ERROR);
        }
        if let Some(stream) = &mut self.stream {
            drop(stream.send_trailers(trailers));
        } else {
            let mut response = head();
            response.headers_mut().extend(trailers);
            drop(self.respond.send_response(response, true));
        }
    }

    pub(crate) fn refuse_http(&mut self, status: StatusCode) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        drop(self.respond.send_response(response, true));
    }
}

fn head() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

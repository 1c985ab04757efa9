// SPDX-License-Identifier: Apache-2.0
//! A server, and clients of it that choose their frames.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use fastledger_comm::{Event, Happened, Limits, Server};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use tokio::runtime::Runtime;

pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Hosted {
    pub server: Server,
    pub runtime: Runtime,
}

impl Hosted {
    pub fn new(limits: Limits) -> Self {
        let server = Server::start("127.0.0.1:0", None, limits).unwrap();
        Self { server, runtime: Runtime::new().unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.server.port()))
    }

    pub fn client(&self) -> SendRequest<Bytes> {
        let address = self.address();
        self.runtime.block_on(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (client, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            client.ready().await.unwrap()
        })
    }

    pub fn call(&self, client: &mut SendRequest<Bytes>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        self.call_of(client, "/p.S/M", ends)
    }

    pub fn call_of(
        &self,
        client: &mut SendRequest<Bytes>,
        path: &str,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let request = http::Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let ready = self.runtime.block_on(client.clone().ready()).unwrap();
        *client = ready;
        client.send_request(request, ends).unwrap()
    }

    /// Events until one fits; they all.
    pub fn until(&self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let begin = Instant::now();
        let mut all = Vec::new();
        while !all.iter().any(&fits) {
            assert!(begin.elapsed() < DEADLINE, "it did not happen");
            std::thread::sleep(Duration::from_millis(1));
            all.extend(self.server.drain());
        }
        all
    }

    /// The status of an answer, from its headers or trailers, and its bytes.
    pub fn answer(&self, response: ResponseFuture) -> (String, usize) {
        self.runtime.block_on(async {
            let response = tokio::time::timeout(DEADLINE, response).await.unwrap().unwrap();
            if let Some(status) = response.headers().get("grpc-status") {
                return (status.to_str().unwrap().to_owned(), 0);
            }
            let mut body = response.into_body();
            let bytes = read(&mut body).await;
            let trailers = body.trailers().await.unwrap().unwrap();
            (trailers["grpc-status"].to_str().unwrap().to_owned(), bytes)
        })
    }

    /// An honest client is served.
    pub fn serves(&self) {
        let mut client = self.client();
        let (response, mut body) = self.call(&mut client, false);
        body.send_data(message(b"ping"), true).unwrap();
        let events = self.until(|event| matches!(&event.happened, Happened::Message(got) if got == "ping"));
        let call = events.iter().find(|event| matches!(&event.happened, Happened::Message(got) if got == "ping"));
        let call = call.unwrap().call;
        self.server.consumed(call, 4);
        assert!(self.server.send(call, Bytes::from_static(b"pong")));
        self.server.finish(call, 0, "", Bytes::new());
        assert_eq!(self.answer(response), ("0".to_owned(), 9));
    }
}

pub async fn read(body: &mut RecvStream) -> usize {
    let mut bytes = 0;
    while let Some(data) = tokio::time::timeout(DEADLINE, body.data()).await.unwrap() {
        let data = data.unwrap();
        bytes += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    bytes
}

pub fn message(content: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + content.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(content.len()).unwrap());
    framed.put_slice(content);
    framed.freeze()
}

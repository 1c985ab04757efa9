// SPDX-License-Identifier: Apache-2.0
//! Calls that a client makes: to our server, and to servers that do what none should. Each call ends, with a status
//! that says why, and holds a bounded amount of memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastledger_comm::{ClientLimits, Event, GrpcChannel, Happened, Hub, Limits, OutgoingCall, Server};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::runtime::Runtime;
use tonic::{Code, Status};

const DEADLINE: Duration = Duration::from_secs(60);
const PATH: &str = "/p.S/M";

struct Client {
    hub: Hub,
    channel: GrpcChannel,
}

impl Client {
    fn new(port: u16, limits: ClientLimits) -> Self {
        let hub = Hub::new().unwrap();
        let channel = hub.channel(&format!("127.0.0.1:{port}"), None, limits).unwrap();
        Self { hub, channel }
    }

    fn of(server: &Server) -> Self {
        Self::new(server.port(), ClientLimits::default())
    }

    fn ask(&self, message: &[u8]) -> OutgoingCall {
        self.channel.ask(PATH, message, None).unwrap()
    }

    fn converse(&self) -> OutgoingCall {
        self.channel.converse(PATH, None).unwrap()
    }

    /// The messages of a call, and how it ended.
    fn end_of(&self, call: &OutgoingCall) -> (Vec<Bytes>, Status) {
        let begin = Instant::now();
        let mut messages = Vec::new();
        loop {
            for event in self.hub.drain().into_iter().filter(|event| event.call == call.id()) {
                match event.happened {
                    Happened::Message(message) => {
                        call.consumed(message.len());
                        messages.push(message);
                    }
                    Happened::Finished(status) => return (messages, status),
                    _ => {}
                }
            }
            assert!(begin.elapsed() < DEADLINE, "the call does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn code_of(&self, call: &OutgoingCall) -> Code {
        self.end_of(call).1.code()
    }
}

fn server() -> Server {
    Server::start("127.0.0.1:0", None, Limits::default()).unwrap()
}

/// Events until one fits; they all.
fn until(drain: impl Fn() -> Vec<Event>, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
    let begin = Instant::now();
    let mut all = Vec::new();
    while !all.iter().any(&fits) {
        assert!(begin.elapsed() < DEADLINE, "it did not happen");
        std::thread::sleep(Duration::from_millis(1));
        all.extend(drain());
    }
    all
}

fn begun(server: &Server) -> u64 {
    let fits = |event: &Event| matches!(event.happened, Happened::Begun { .. });
    until(|| server.drain(), fits).into_iter().find(fits).unwrap().call
}

#[test]
fn one_message_is_answered_with_one() {
    let server = server();
    let client = Client::of(&server);
    let call = client.ask(b"ping");
    let events = until(|| server.drain(), |event| matches!(event.happened, Happened::HalfClosed));
    assert!(matches!(&events[0].happened, Happened::Begun { path, .. } if path == PATH));
    assert!(matches!(&events[1].happened, Happened::Message(message) if message == "ping"));
    assert!(server.send(events[0].call, Bytes::from_static(b"pong")));
    server.finish(events[0].call, 0, "", Bytes::new());
    let (messages, status) = client.end_of(&call);
    assert_eq!((messages, status.code()), (vec![Bytes::from_static(b"pong")], Code::Ok));
}

#[test]
fn a_refusal_comes_with_its_details() {
    let server = server();
    let client = Client::of(&server);
    for answered in [false, true] {
        let call = client.converse();
        let id = begun(&server);
        if answered {
            assert!(server.send(id, Bytes::from_static(b"first")));
        }
        server.finish(id, 9, "not so: \u{fc}", Bytes::from_static(b"\0\x01details"));
        let (messages, status) = client.end_of(&call);
        assert_eq!(messages.len(), usize::from(answered));
        let told = (status.code(), status.message(), status.details());
        assert_eq!(told, (Code::FailedPrecondition, "not so: \u{fc}", &b"\0\x01details"[..]));
    }
}

#[test]
fn large_messages_go_both_ways_up_to_the_limit() {
    let server = server();
    let limits = ClientLimits { max_message_bytes: 9 << 20, ..ClientLimits::default() };
    let client = Client::new(server.port(), limits);
    let call = client.converse();
    let large = vec![3; 9 << 20];
    // Whether there is room for more at once depends on how soon the transport takes it.
    let _ = call.send(Bytes::from(large.clone()));
    let events = until(|| server.drain(), |event| matches!(event.happened, Happened::Message(_)));
    assert!(matches!(&events.last().unwrap().happened, Happened::Message(message) if message == &large[..]));
    let id = events[0].call;
    let _ = server.send(id, Bytes::from(large.clone()));
    let _ = server.send(id, Bytes::from(vec![4; (9 << 20) + 1]));
    let (messages, status) = client.end_of(&call);
    assert_eq!((messages, status.code()), (vec![large.into()], Code::ResourceExhausted));

    for call in [client.ask(&vec![0; (9 << 20) + 1]), client.converse()] {
        let _ = call.send(Bytes::from(vec![0; (9 << 20) + 1]));
        let (_, status) = client.end_of(&call);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "Sent message larger than max (9437185 vs. 9437184)");
    }
}

#[test]
fn time_runs_out_and_calls_are_taken_back() {
    let server = server();
    let client = Client::of(&server);
    let late = client.channel.ask(PATH, b"", Some(Duration::from_millis(50))).unwrap();
    assert_eq!(client.code_of(&late), Code::DeadlineExceeded);
    for dropped in [false, true] {
        drop(server.drain());
        let call = client.converse();
        let id = begun(&server);
        let fits = |event: &Event| event.call == id && matches!(event.happened, Happened::Ended);
        if dropped {
            drop(call);
            until(|| server.drain(), fits);
        } else {
            call.cancel();
            until(|| server.drain(), fits);
        }
    }
}

#[test]
fn a_lost_connection_is_made_again() {
    let limits = ClientLimits { max_backoff: Duration::from_millis(50), ..ClientLimits::default() };
    let first = server();
    let port = first.port();
    let client = Client::new(port, limits);
    let call = client.converse();
    begun(&first);
    drop(first);
    assert_eq!(client.code_of(&call), Code::Unavailable);
    let refused = client.end_of(&client.ask(b"")).1;
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains(&port.to_string()), "{refused}");

    let begin = Instant::now();
    let second = loop {
        // The port may be in use for a moment.
        match Server::start(&format!("127.0.0.1:{port}"), None, Limits::default()) {
            Ok(server) => break server,
            Err(error) => assert!(begin.elapsed() < DEADLINE, "{error}"),
        }
    };
    let answered = loop {
        let call = client.ask(b"");
        std::thread::sleep(Duration::from_millis(20));
        let Some(event) = second.drain().into_iter().next() else {
            assert!(begin.elapsed() < DEADLINE, "it does not come back");
            continue;
        };
        let _ = second.send(event.call, Bytes::new());
        second.finish(event.call, 0, "", Bytes::new());
        break client.code_of(&call);
    };
    assert_eq!(answered, Code::Ok);
}

#[test]
fn a_closed_channel_ends_its_calls_and_takes_no_more() {
    let server = server();
    let client = Client::of(&server);
    let call = client.converse();
    begun(&server);
    client.channel.close();
    assert_eq!(client.code_of(&call), Code::Unavailable);
    until(|| server.drain(), |event| matches!(event.happened, Happened::Ended));
    assert_eq!(client.code_of(&client.ask(b"")), Code::Cancelled);
}

#[test]
fn a_client_that_reads_slowly_holds_up_no_other_call() {
    let server = server();
    let client = Client::of(&server);
    let block = Bytes::from(vec![1; 256 << 10]);
    let unread: Vec<_> = (0..10).map(|_| client.converse()).collect();
    let mut ids = Vec::new();
    while ids.len() < unread.len() {
        ids.extend(server.drain().iter().map(|event| event.call));
    }
    for id in &ids {
        while server.send(*id, block.clone()) {}
    }
    // They go on until nobody takes any more.
    let mut told = 0;
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(500) {
        for event in server.drain() {
            if matches!(event.happened, Happened::Writable) {
                while server.send(event.call, block.clone()) {}
                quiet = Instant::now();
            }
        }
        told += client.hub.drain().len();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(told <= 10 * 18, "{told} messages of 256 KiB are held for nobody");
    let call = client.ask(b"");
    let id = begun(&server);
    let _ = server.send(id, Bytes::new());
    server.finish(id, 0, "", Bytes::new());
    assert_eq!(client.code_of(&call), Code::Ok);
}

#[test]
fn a_server_that_reads_slowly_makes_the_sender_wait_and_can_be_left() {
    let server = server();
    let client = Client::of(&server);
    let call = client.converse();
    let id = begun(&server);
    let block = vec![1; 256 << 10];
    let mut sent = 0;
    let mut quiet = Instant::now();
    let mut room = true;
    while quiet.elapsed() < Duration::from_millis(500) {
        while room {
            room = call.send(Bytes::from(block.clone()));
            sent += 1;
            quiet = Instant::now();
        }
        room = client.hub.drain().iter().any(|event| matches!(event.happened, Happened::Writable));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(sent < 100, "{sent} messages of 256 KiB wait for nobody");
    call.cancel();
    until(|| server.drain(), |event| event.call == id && matches!(event.happened, Happened::Ended));
}

/// A server that answers every call so.
fn serving<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + Copy + 'static,
) -> u16 {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(answer(request, respond));
                }
            });
        }
    });
    port
}

type Trailers = &'static [(&'static str, &'static [u8])];

fn grpc() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

fn trailers(pairs: Trailers) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value[..].try_into().unwrap())).collect()
}

/// Answers with bytes, and trailers.
fn answering(runtime: &Runtime, bytes: &'static [u8], pairs: Trailers) -> Client {
    let port = serving(runtime, move |_, mut respond| async move {
        let mut body = respond.send_response(grpc(), false).unwrap();
        body.send_data(Bytes::from_static(bytes), false).unwrap();
        // The client may have hung up by now.
        drop(body.send_trailers(trailers(pairs)));
    });
    Client::new(port, ClientLimits { max_message_bytes: 1_000, ..ClientLimits::default() })
}

const OK: Trailers = &[("grpc-status", b"0")];

#[test]
fn malformed_answers_end_the_call_with_an_error() {
    let runtime = Runtime::new().unwrap();
    let cases: [(&[u8], Code, Code); 9] = [
        (&[0, 0, 0, 0, 1, 7], Code::Ok, Code::Ok),
        (&[], Code::Internal, Code::Ok),
        (&[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8], Code::Internal, Code::Ok),
        (&[0, 0, 0, 0, 9, 1, 2], Code::Internal, Code::Internal),
        (&[0, 0], Code::Internal, Code::Internal),
        (&[1, 0, 0, 0, 1, 0], Code::Internal, Code::Internal),
        (&[9, 0, 0, 0, 1, 0], Code::Internal, Code::Internal),
        (&[0, 0, 0, 4, 0, 0], Code::ResourceExhausted, Code::ResourceExhausted),
        (&[0, 0xFF, 0xFF, 0xFF, 0xFF, 0], Code::ResourceExhausted, Code::ResourceExhausted),
    ];
    for (bytes, asked, conversed) in cases {
        let client = answering(&runtime, bytes, OK);
        assert_eq!(client.code_of(&client.ask(b"")), asked, "{bytes:?}");
        let call = client.converse();
        call.half_close();
        assert_eq!(client.code_of(&call), conversed, "{bytes:?}");
    }
}

#[test]
fn malformed_trailers_are_an_error() {
    let runtime = Runtime::new().unwrap();
    let cases: [(Trailers, Code, &str); 5] = [
        (&[], Code::Internal, "the server ended the call without a status"),
        (&[("grpc-status", b"many")], Code::Unknown, ""),
        (&[("grpc-status", b"99")], Code::Unknown, ""),
        (&[("grpc-status", b"5"), ("grpc-message", b"%FF%zz%2")], Code::Unknown, ""),
        (&[("grpc-status", b"5"), ("grpc-status-details-bin", b"!")], Code::NotFound, ""),
    ];
    for (pairs, code, text) in cases {
        let client = answering(&runtime, &[0, 0, 0, 0, 0], pairs);
        let status = client.end_of(&client.ask(b"")).1;
        assert_eq!(status.code(), code, "{pairs:?}");
        assert!(status.message().starts_with(text), "{status}");
    }
}

#[test]
fn answers_that_are_none_of_grpc_are_an_error() {
    let runtime = Runtime::new().unwrap();
    let port = serving(&runtime, |request, mut respond| async move {
        let answer = Response::builder();
        let answer = match request.uri().path() {
            "/p.S/html" => answer.header("content-type", "text/html"),
            "/p.S/nothing" => answer,
            "/p.S/trailers_only" => answer.header("grpc-status", "7").header("grpc-message", "no"),
            "/p.S/large" => answer.header("content-type", "application/grpc").header("x", vec![b'x'; 2 << 20]),
            status => answer.status(&status[5..]),
        };
        drop(respond.send_response(answer.body(()).unwrap(), true));
    });
    let client = Client::new(port, ClientLimits::default());
    let cases = [
        ("/p.S/html", Code::Unknown),
        ("/p.S/nothing", Code::Unknown),
        ("/p.S/trailers_only", Code::PermissionDenied),
        ("/p.S/503", Code::Unavailable),
        ("/p.S/404", Code::Unimplemented),
        ("/p.S/401", Code::Unauthenticated),
        ("/p.S/302", Code::Unknown),
        ("no method", Code::Unimplemented),
    ];
    for (path, code) in cases {
        assert_eq!(client.code_of(&client.channel.ask(path, b"", None).unwrap()), code, "{path}");
    }
    // More headers than are taken.
    let code = client.code_of(&client.channel.ask("/p.S/large", b"", None).unwrap());
    assert!([Code::Internal, Code::Unavailable].contains(&code), "{code:?}");
    assert_eq!(client.code_of(&client.channel.ask("/p.S/503", b"", None).unwrap()), Code::Unavailable);
}

#[test]
fn resets_say_why() {
    let runtime = Runtime::new().unwrap();
    let port = serving(&runtime, |request, mut respond| async move {
        let reason: u32 = request.uri().path()[6..].parse().unwrap();
        match &request.uri().path()[5..6] {
            "a" => respond.send_reset(reason.into()),
            _ => respond.send_response(grpc(), false).unwrap().send_reset(reason.into()),
        }
    });
    let client = Client::new(port, ClientLimits::default());
    for (reason, code) in [
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::from(4_000_000), Code::Internal),
    ] {
        for when in ["a", "b"] {
            let path = format!("/p.S/{when}{}", u32::from(reason));
            assert_eq!(client.code_of(&client.channel.ask(&path, b"", None).unwrap()), code, "{path}");
            assert_eq!(client.code_of(&client.channel.converse(&path, None).unwrap()), code, "{path}");
        }
    }
}

#[test]
fn a_connection_that_ends_in_the_middle_ends_its_calls_and_the_next_one_gets_another() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        for how in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut body = respond.send_response(grpc(), false).unwrap();
            body.send_data(Bytes::from_static(&[0, 0, 0, 0, 1]), false).unwrap();
            match how % 3 {
                0 => connection.abrupt_shutdown(Reason::NO_ERROR),
                1 => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
                _ => {
                    // What was said goes out, then nothing more.
                    drop(tokio::time::timeout(Duration::from_millis(50), connection.accept()).await);
                    continue;
                }
            }
            while connection.accept().await.is_some() {}
        }
    });
    let client = Client::new(port, ClientLimits::default());
    for _ in 0..6 {
        assert_eq!(client.code_of(&client.converse()), Code::Unavailable);
        assert_eq!(client.code_of(&client.ask(b"")), Code::Unavailable);
    }
}

#[test]
fn a_server_that_goes_away_in_peace_finishes_its_calls() {
    let server = server();
    let client = Client::of(&server);
    let call = client.converse();
    let id = begun(&server);
    server.close();
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.send(id, Bytes::from_static(b"last")));
    server.finish(id, 0, "", Bytes::new());
    let (messages, status) = client.end_of(&call);
    assert_eq!((messages.len(), status.code()), (1, Code::Ok));
    assert_eq!(client.code_of(&client.ask(b"")), Code::Unavailable);
    let begin = Instant::now();
    while !server.ended() {
        assert!(begin.elapsed() < DEADLINE, "the connection stays open");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn bytes_that_are_no_http2_and_silence_are_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let noise: Vec<u8> = (0..60_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let says: [&[u8]; 6] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"",
        b"\0\0\0\x06\0\0\0\0\0",
        b"\0\0\x01\x04\0\0\0\0\0\0",
        &noise,
    ];
    for bytes in says {
        let client = Client::new(port, ClientLimits::default());
        let call = client.channel.connect(None).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(bytes).unwrap();
        // The client may have hung up by now.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let status = client.end_of(&call).1;
        assert_eq!(status.code(), Code::Unavailable, "{bytes:?} {status}");
        // It does not come again at once.
        assert_eq!(client.code_of(&client.ask(b"")), Code::Unavailable);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let client = Client::new(port, ClientLimits::default());
    let call = client.channel.connect(Some(Duration::from_millis(100))).unwrap();
    let _silent = listener.accept().unwrap();
    assert_eq!(client.code_of(&call), Code::DeadlineExceeded);
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            // Its settings go out, and then it does nothing.
            drop(tokio::time::timeout(Duration::from_millis(50), connection.accept()).await);
            kept.push(connection);
        }
    });
    let (keepalive, keepalive_timeout) = (Duration::from_millis(200), Duration::from_millis(100));
    let client = Client::new(port, ClientLimits { keepalive, keepalive_timeout, ..ClientLimits::default() });
    for _ in 0..2 {
        // The next call has another connection, of which as little is heard.
        let begin = Instant::now();
        assert_eq!(client.code_of(&client.converse()), Code::Unavailable);
        assert!(begin.elapsed() >= keepalive);
    }
}

#[test]
fn empty_messages_do_not_pile_up() {
    let runtime = Runtime::new().unwrap();
    let port = serving(&runtime, |_, mut respond| async move {
        let mut body = respond.send_response(grpc(), false).unwrap();
        let many = Bytes::from_static(&[0; 5_000]);
        loop {
            body.reserve_capacity(many.len());
            match std::future::poll_fn(|context| body.poll_capacity(context)).await {
                Some(Ok(room)) => body.send_data(many.slice(..room.min(many.len())), false).unwrap(),
                _ => break,
            }
        }
    });
    let client = Client::new(port, ClientLimits::default());
    let call = client.converse();
    let mut told = until(|| client.hub.drain(), |event| matches!(event.happened, Happened::Message(_))).len();
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(500) {
        let more = client.hub.drain().len();
        if more > 0 {
            told += more;
            quiet = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(told < 20_000, "{told} empty messages are held for nobody");
    for _ in 0..told {
        call.consumed(0);
    }
    until(|| client.hub.drain(), |event| matches!(event.happened, Happened::Message(_)));
}

#[test]
fn an_error_of_megabytes_is_one_calls_only() {
    const LONG: usize = 5 << 20;
    let runtime = Runtime::new().unwrap();
    let port = serving(&runtime, |request, mut respond| async move {
        let mut incoming = request.into_body();
        let mut body = respond.send_response(grpc(), false).unwrap();
        let Some(Ok(first)) = incoming.data().await else { return };
        if first.ends_with(b"refuse") {
            let text = http::HeaderValue::from_bytes(&vec![b'a'; LONG]).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("2"));
            trailers.insert("grpc-message", text);
            drop(body.send_trailers(trailers));
            return;
        }
        while let Some(Ok(data)) = incoming.data().await {
            drop(body.send_data(data, false));
        }
    });
    let client = Client::new(port, ClientLimits::default());
    let other = client.converse();
    assert!(other.send(Bytes::from_static(b"begin")));
    for _ in 0..2 {
        let (_, status) = client.end_of(&client.ask(b"refuse"));
        assert_eq!((status.code(), status.message().len()), (Code::Unknown, LONG));
    }
    assert!(other.send(Bytes::from_static(b"still there")));
    until(|| client.hub.drain(), |event| matches!(&event.happened, Happened::Message(got) if got == "still there"));
}

#[test]
fn a_server_that_floods_is_hung_up_on() {
    let runtime = Runtime::new().unwrap();
    let (listener, port) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    };
    let flooding = runtime.spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], b"12345678"].concat().repeat(1_000);
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let mut reading = stream.try_clone().unwrap();
        std::thread::spawn(move || while reading.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {});
        while stream.write_all(&ping).is_ok() {}
    });
    let client = Client::new(port, ClientLimits::default());
    assert_eq!(client.code_of(&client.ask(b"ping")), Code::Unavailable);
    runtime.block_on(flooding).unwrap();
}

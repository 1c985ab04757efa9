// SPDX-License-Identifier: Apache-2.0
//! Clients that do what none should: each costs its own call or connection, and a bounded amount of memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use fastledger_comm::{Event, Happened, Limits, Server, ServerTls};
use h2::{Reason, SendStream};
use hosted::{DEADLINE, Hosted, message, read};

#[allow(dead_code, reason = "other tests use the rest")]
mod hosted;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const RESOURCE_EXHAUSTED: &str = "8";

/// Sends as much as the server takes, for so long, or until it takes nothing for a while.
fn send_for(hosted: &Hosted, body: &mut SendStream<Bytes>, data: &Bytes, time: Duration) -> usize {
    let quiet = (time / 5).max(Duration::from_millis(200));
    hosted.runtime.block_on(async {
        let begin = Instant::now();
        let mut sent = 0;
        while begin.elapsed() < time {
            body.reserve_capacity(data.len());
            let room = std::future::poll_fn(|context| body.poll_capacity(context));
            match tokio::time::timeout(quiet, room).await {
                Ok(Some(Ok(room))) => {
                    let part = data.slice(..room.min(data.len()));
                    let bytes = part.len();
                    // The server may have ended the call since it gave room.
                    if body.send_data(part, false).is_err() {
                        break;
                    }
                    sent += bytes;
                }
                _ => break,
            }
        }
        sent
    })
}

#[test]
fn bytes_that_are_no_http2_end_their_connection_only() {
    let hosted = Hosted::new(Limits::default());
    let mut frame_too_large = PREFACE.to_vec();
    frame_too_large.extend([0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1]);
    let mut headers_on_stream_0 = PREFACE.to_vec();
    headers_on_stream_0.extend([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0, 0x82]);
    let mut bad_compression = PREFACE.to_vec();
    bad_compression.extend([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3, 1, 4, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF]);
    let noise: Vec<u8> = (0..60_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bytes in
        [b"GET / HTTP/1.1\r\n\r\nand more".to_vec(), noise, frame_too_large, headers_on_stream_0, bad_compression]
    {
        let mut stream = TcpStream::connect(hosted.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // The server may have hung up before all was sent.
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let begun = hosted.server.drain().iter().filter(|event| matches!(event.happened, Happened::Begun { .. })).count();
    assert_eq!(begun, 0);
    hosted.serves();
}

#[test]
fn a_client_that_says_nothing_is_dropped_and_its_place_is_free() {
    let limits = Limits { handshake_timeout: Duration::from_millis(200), max_connections: 3, ..Limits::default() };
    let hosted = Hosted::new(limits);
    let mut silent: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(hosted.address()).unwrap()).collect();
    hosted.serves();
    for stream in &mut silent {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it is hung up on");
    }
}

#[test]
fn empty_messages_do_not_pile_up() {
    let hosted = Hosted::new(Limits::default());
    let mut client = hosted.client();
    let (_response, mut body) = hosted.call(&mut client, false);
    let many: Bytes = message(b"").repeat(10_000).into();
    let sent = send_for(&hosted, &mut body, &many, Duration::from_secs(10)) / 5;
    let mut events = hosted.until(|event| matches!(event.happened, Happened::Message(_)));
    std::thread::sleep(Duration::from_millis(200));
    events.extend(hosted.server.drain());
    let told = events.iter().filter(|event| matches!(event.happened, Happened::Message(_))).count();
    assert!(sent > 100_000 && told < 20_000, "{sent} sent, {told} told");
    // The rest comes when those have been taken.
    let call = events[0].call;
    for _ in 0..told {
        hosted.server.consumed(call, 0);
    }
    hosted.until(|event| matches!(event.happened, Happened::Message(_)));
    hosted.serves();
}

#[test]
fn messages_that_never_end_are_refused_when_they_are_too_much_together() {
    let hosted = Hosted::new(Limits { max_held_bytes: 8 << 20, ..Limits::default() });
    let mut client = hosted.client();
    let mut begin = BytesMut::new();
    begin.put_u8(0);
    begin.put_u32(100 << 20);
    begin.put_bytes(0, 1 << 20);
    let begin = begin.freeze();
    let mut calls = Vec::new();
    for _ in 0..12 {
        let (response, mut body) = hosted.call(&mut client, false);
        send_for(&hosted, &mut body, &begin, Duration::from_millis(100));
        calls.push((response, body));
    }
    let refused = calls.pop().unwrap();
    assert_eq!(hosted.answer(refused.0).0, RESOURCE_EXHAUSTED);
    // Small ones are served all the same; and once those are gone, large ones, too.
    hosted.serves();
    drop(calls);
    drop(client);
    let mut client = hosted.client();
    let (response, mut body) = hosted.call(&mut client, false);
    let large = message(&vec![7; 4 << 20]);
    let mut sent = 0;
    let begin = Instant::now();
    while sent < large.len() && begin.elapsed() < DEADLINE {
        sent += send_for(&hosted, &mut body, &large.slice(sent..), Duration::from_millis(1));
    }
    let events = hosted.until(|event| matches!(&event.happened, Happened::Message(got) if got.len() == 4 << 20));
    let call = events.last().unwrap().call;
    hosted.server.finish(call, 0, "", Bytes::new());
    assert_eq!(hosted.answer(response).0, "0");
}

#[test]
fn calls_over_the_limit_are_refused_until_ended_ones_were_seen() {
    let hosted = Hosted::new(Limits { max_all_calls: 100, ..Limits::default() });
    let mut client = hosted.client();
    let calls: Vec<_> = (0..150).map(|_| hosted.call(&mut client, true)).collect();
    // Which of them are refused is the scheduler's choice.
    let (responses, bodies): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let taken: Vec<_> = responses.into_iter().map(|response| hosted.runtime.block_on(response).unwrap()).collect();
    let refused = taken.iter().filter(|answer| answer.headers().contains_key("grpc-status"));
    assert!(refused.clone().all(|answer| answer.headers()["grpc-status"] == RESOURCE_EXHAUSTED));
    assert_eq!(refused.count(), 50);
    drop((taken, bodies));
    drop(client);
    let mut ended = 0;
    let begin = Instant::now();
    while ended < 100 && begin.elapsed() < DEADLINE {
        let events = hosted.server.drain();
        ended += events.iter().filter(|event| matches!(event.happened, Happened::Ended)).count();
        std::thread::sleep(Duration::from_millis(1));
    }
    hosted.serves();
}

#[test]
fn calls_that_are_taken_back_at_once_end() {
    let hosted = Hosted::new(Limits::default());
    let mut client = hosted.client();
    for _ in 0..3_000 {
        let ready = hosted.runtime.block_on(client.clone().ready());
        // At some number of resets the server has enough of this client.
        let Ok(ready) = ready else { break };
        client = ready;
        let request = http::Request::post("http://localhost/p.S/M").body(()).unwrap();
        let Ok((_, mut body)) = client.send_request(request, false) else { break };
        body.send_reset(Reason::CANCEL);
    }
    hosted.serves();
    drop(client);
    let events = hosted.server.drain();
    let begun = events.iter().filter(|event| matches!(event.happened, Happened::Begun { .. })).count();
    assert!(begun <= 3_000);
}

#[test]
fn a_slow_reader_makes_the_sender_wait() {
    let hosted = Hosted::new(Limits::default());
    let mut client = hosted.client();
    let (response, _body) = hosted.call(&mut client, false);
    let call = hosted.until(|event| matches!(event.happened, Happened::Begun { .. }))[0].call;
    let block = Bytes::from(vec![1; 256 << 10]);
    let mut sent = 1;
    while hosted.server.send(call, block.clone()) {
        sent += 1;
        assert!(sent < 100, "nobody reads");
    }
    // What goes on to the connection's buffers makes room for a bit more; then it stops for good.
    while hosted.server.drain().iter().any(|event| matches!(event.happened, Happened::Writable)) {
        while hosted.server.send(call, block.clone()) {
            sent += 1;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(sent < 100, "{sent} blocks wait for nobody");
    let reading = hosted.runtime.spawn(async move {
        let mut body = response.await.unwrap().into_body();
        read(&mut body).await
    });
    hosted.until(|event| matches!(event.happened, Happened::Writable));
    hosted.server.finish(call, 0, "", Bytes::new());
    assert_eq!(hosted.runtime.block_on(reading).unwrap(), sent * (5 + (256 << 10)));
}

#[test]
fn a_client_that_goes_away_ends_its_calls() {
    let hosted = Hosted::new(Limits::default());
    let mut client = hosted.client();
    let (_, mut cancelled) = hosted.call(&mut client, false);
    cancelled.send_data(message(b"a")[..3].to_vec().into(), false).unwrap();
    hosted.until(|event| matches!(event.happened, Happened::Begun { .. }));
    cancelled.send_reset(Reason::CANCEL);
    hosted.until(|event| matches!(event.happened, Happened::Ended));

    let (_response, mut open) = hosted.call(&mut client, false);
    open.send_data(message(b"b"), true).unwrap();
    let events = hosted.until(|event| matches!(event.happened, Happened::HalfClosed));
    assert!(!events.iter().any(|event| matches!(event.happened, Happened::Ended)), "half closed is not over");
    hosted.runtime.shutdown_background();
    let begin = Instant::now();
    while !hosted.server.drain().iter().any(|event| matches!(event.happened, Happened::Ended)) {
        assert!(begin.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn malformed_grpc_is_answered_with_an_error() {
    let hosted = Hosted::new(Limits { max_message_bytes: 1_000, ..Limits::default() });
    let mut client = hosted.client();
    let (large, compressed, unknown, torn) = (
        message(&[0; 1_001]),
        Bytes::from_static(&[1, 0, 0, 0, 1, 0]),
        Bytes::from_static(&[9, 0, 0, 0, 1, 0]),
        Bytes::from_static(&[0, 0, 0, 0, 9, 1, 2]),
    );
    for (bytes, status) in [(large, RESOURCE_EXHAUSTED), (compressed, "13"), (unknown, "13"), (torn, "13")] {
        let (response, mut body) = hosted.call(&mut client, false);
        body.send_data(bytes, true).unwrap();
        assert_eq!(hosted.answer(response).0, status);
    }
    hosted.serves();
}

#[test]
fn handshakes_that_lead_nowhere_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let pair = folder.path().join("pair.pem");
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .args([&pair, std::path::Path::new("-out"), &pair.with_extension("crt")])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: openssl makes no certificate here");
        return;
    }
    let tls = ServerTls {
        cert: std::fs::read(pair.with_extension("crt")).unwrap(),
        key: std::fs::read(&pair).unwrap(),
        ..Default::default()
    };
    let server = Server::start("127.0.0.1:0", Some(tls), Limits::default()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut open = Vec::new();
    for at in 0..300u32 {
        let mut stream = TcpStream::connect(address).unwrap();
        let hello: &[u8] = match at % 3 {
            0 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _ => b"",
        };
        stream.write_all(hello).unwrap();
        open.push(stream);
    }
    let roots = std::fs::read(pair.with_extension("crt")).unwrap();
    let tls = fastledger_comm::ClientTls { roots, ..Default::default() };
    let hub = fastledger_comm::Hub::new().unwrap();
    let address = format!("localhost:{}", server.port());
    let channel = hub.channel(&address, Some(&tls), fastledger_comm::ClientLimits::default()).unwrap();
    channel.begin().unwrap();
    let stream = channel.converse("/p.S/M", None).unwrap();
    let _ = stream.send(bytes::Bytes::from_static(b"ping"));
    let begin = Instant::now();
    while !server.drain().iter().any(|event| matches!(event.happened, Happened::Message(_))) {
        assert!(begin.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_server_that_ends_ends_all_calls() {
    let hosted = Hosted::new(Limits::default());
    let mut client = hosted.client();
    let calls: Vec<_> = (0..200).map(|_| hosted.call(&mut client, false)).collect();
    let mut events = Vec::new();
    let started = |events: &[Event]| events.iter().filter(|e| matches!(e.happened, Happened::Begun { .. })).count();
    let ended = |events: &[Event]| events.iter().filter(|e| matches!(e.happened, Happened::Ended)).count();
    let begin = Instant::now();
    while started(&events) < 200 && begin.elapsed() < DEADLINE {
        events.extend(hosted.server.drain());
    }
    hosted.server.close();
    std::thread::sleep(Duration::from_millis(100));
    events.extend(hosted.server.drain());
    assert_eq!(ended(&events), 0, "they go on");
    assert!(TcpStream::connect(hosted.address()).is_err(), "nobody listens");
    assert!(!hosted.server.ended());
    hosted.server.abort();
    while ended(&events) < 200 && begin.elapsed() < DEADLINE {
        events.extend(hosted.server.drain());
    }
    assert_eq!((started(&events), ended(&events)), (200, 200));
    drop(calls);
    while !hosted.server.ended() {
        assert!(begin.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(1));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What clients cost that send next to nothing: memory follows their bytes, and they keep nobody out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use fastledger_comm::{Event, Happened, Limits, Status};
use h2::client::ResponseFuture;
use hosted::{DEADLINE, Hosted, message, read};

#[allow(dead_code, reason = "other tests use the rest")]
mod hosted;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ONCE: &str = "/p.S/Once";
const SOON: Duration = Duration::from_millis(300);
const DEADLINE_EXCEEDED: &str = "4";
const RESOURCE_EXHAUSTED: &str = "8";
const UNIMPLEMENTED: &str = "12";
const ENHANCE_YOUR_CALM: u8 = 11;

fn hosted(limits: Limits) -> Hosted {
    let hosted = Hosted::new(limits);
    hosted.server.asks_once(ONCE);
    hosted
}

fn is_begun(event: &Event) -> bool {
    matches!(event.happened, Happened::Begun { .. } | Happened::Asked { .. })
}

/// The begin of a message of 99 MB.
fn announced(bytes: usize) -> Bytes {
    let mut begin = BytesMut::new();
    begin.put_u8(0);
    begin.put_u32(99 << 20);
    begin.put_bytes(0, bytes);
    begin.freeze()
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

/// Whether a client that has sent what it wants is told to be calm.
fn is_calmed(stream: &mut TcpStream) -> bool {
    let mut got = Vec::new();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let ended = stream.read_to_end(&mut got);
    assert!(!ended.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it is not hung up on");
    let mut frames = got.as_slice();
    let mut calmed = false;
    while let [high, middle, low, kind, _, _, _, _, _, rest @ ..] = frames {
        let (payload, others) = rest.split_at(u32::from_be_bytes([0, *high, *middle, *low]) as usize);
        calmed |= *kind == 7 && payload[7] == ENHANCE_YOUR_CALM;
        frames = others;
    }
    calmed
}

/// An honest client is answered by a method that asks once.
fn answers_once(hosted: &Hosted) {
    let mut client = hosted.client();
    let (response, mut body) = hosted.call_of(&mut client, ONCE, false);
    body.send_data(message(b"ping"), true).unwrap();
    let fits = |event: &Event| matches!(&event.happened, Happened::Asked { message, .. } if message == "ping");
    let call = hosted.until(fits).into_iter().find(fits).unwrap().call;
    hosted.server.answer(call, Bytes::from_static(b"pong"));
    assert_eq!(hosted.answer(response), ("0".to_owned(), 9));
    assert!(hosted.server.drain().iter().all(|event| event.call != call), "nothing more is told of it");
}

#[test]
fn an_answer_can_be_made_where_it_is_sent() {
    let hosted = hosted(Limits::default());
    let mut client = hosted.client();
    let mut ask = || {
        let (response, mut body) = hosted.call_of(&mut client, ONCE, false);
        body.send_data(message(b"ping"), true).unwrap();
        (response, hosted.until(is_begun)[0].call)
    };
    let (response, call) = ask();
    hosted.server.answer_made(call, 4, Box::new(|| Ok(Bytes::from_static(b"pong"))));
    assert_eq!(hosted.answer(response), ("0".to_owned(), 9));
    let (response, call) = ask();
    hosted.server.answer_made(call, 4, Box::new(|| Err(Status::unknown("no"))));
    assert_eq!(hosted.answer(response).0, "2");
}

#[test]
fn a_call_without_its_message_is_nobodys_business_and_ends() {
    let hosted = hosted(Limits { message_timeout: SOON, ..Limits::default() });
    let mut client = hosted.client();
    let mut calls: Vec<_> = (0..600).map(|_| hosted.call_of(&mut client, ONCE, false)).collect();
    for (_, body) in calls.iter_mut().skip(300) {
        body.send_data(announced(35), false).unwrap();
    }
    answers_once(&hosted);
    for (response, _) in calls {
        assert_eq!(hosted.answer(response).0, DEADLINE_EXCEEDED);
    }
    assert!(!hosted.server.drain().iter().any(is_begun));
    let (response, _) = hosted.call_of(&mut client, ONCE, true);
    assert_eq!(hosted.answer(response).0, UNIMPLEMENTED, "nothing was asked");
}

#[test]
fn a_message_that_stops_ends_its_call_whatever_the_method() {
    let hosted = hosted(Limits { message_timeout: SOON, ..Limits::default() });
    let mut client = hosted.client();
    let (stopped, mut body) = hosted.call(&mut client, false);
    body.send_data(announced(100), false).unwrap();
    let (_between, mut other) = hosted.call(&mut client, false);
    other.send_data(message(b"whole"), false).unwrap();
    assert_eq!(hosted.answer(stopped).0, DEADLINE_EXCEEDED);
    // Between messages there is no hurry.
    std::thread::sleep(2 * SOON);
    other.send_data(message(b"later"), true).unwrap();
    hosted.until(|event| matches!(&event.happened, Happened::Message(got) if got == "later"));
}

#[test]
fn calls_that_wait_for_their_client_give_way() {
    let hosted = hosted(Limits { max_all_calls: 100, ..Limits::default() });
    let mut client = hosted.client();
    let calls: Vec<_> = (0..250).map(|_| hosted.call_of(&mut client, ONCE, false)).collect();
    for _ in 0..5 {
        answers_once(&hosted);
        hosted.serves();
    }
    let refused = calls.into_iter().take(100).map(|(response, _)| hosted.answer(response).0);
    assert!(refused.into_iter().all(|status| status == RESOURCE_EXHAUSTED));
}

#[test]
fn an_answer_that_is_not_taken_ends() {
    let hosted = hosted(Limits { message_timeout: SOON, ..Limits::default() });
    let address = hosted.address();
    let mut client = hosted.runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        let (client, connection) = builder.initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
        tokio::spawn(connection);
        client.ready().await.unwrap()
    });
    let (response, mut body) = hosted.call_of(&mut client, ONCE, false);
    body.send_data(message(b"ask"), true).unwrap();
    let call = hosted.until(is_begun)[0].call;
    assert!(hosted.server.send(call, Bytes::from_static(b"answer")));
    hosted.server.finish(call, 0, "", Bytes::new());
    hosted.until(|event| matches!(event.happened, Happened::Ended));
    assert_eq!(hosted.answer(response).0, DEADLINE_EXCEEDED);
}

#[test]
fn connections_without_calls_make_room_for_others() {
    let hosted = hosted(Limits { max_connections: 3, ..Limits::default() });
    let mut used = hosted.client();
    let (_open, _body) = hosted.call(&mut used, true);
    hosted.until(is_begun);
    let mut silent: Vec<_> = (0..8).map(|_| TcpStream::connect(hosted.address()).unwrap()).collect();
    for stream in &mut silent {
        stream.write_all(PREFACE).unwrap();
    }
    for _ in 0..5 {
        hosted.serves();
        answers_once(&hosted);
    }
    // A connection that is in use stays.
    let (_another, _body) = hosted.call(&mut used, true);
    hosted.until(is_begun);
    for stream in &mut silent {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    }
}

#[test]
fn when_all_connections_are_in_use_the_next_is_turned_away() {
    let hosted = hosted(Limits { max_connections: 2, ..Limits::default() });
    let mut used = [hosted.client(), hosted.client()];
    let mut open = Vec::new();
    for client in &mut used {
        open.push(hosted.call(client, true));
        hosted.until(is_begun);
    }
    let mut next = TcpStream::connect(hosted.address()).unwrap();
    next.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(matches!(next.read(&mut [0]), Ok(0) | Err(_)), "it is told at once");
    hosted.runtime.block_on(async { used[0].clone().ready().await.unwrap() });
}

#[test]
fn a_connection_that_brings_no_call_ends_and_one_that_did_stays() {
    let hosted = hosted(Limits { unused_timeout: SOON, ..Limits::default() });
    let mut used = hosted.client();
    let (response, mut body) = hosted.call_of(&mut used, ONCE, false);
    body.send_data(message(b"ask"), true).unwrap();
    let call = hosted.until(is_begun)[0].call;
    hosted.server.finish(call, 5, "no", Bytes::new());
    assert_eq!(hosted.answer(response).0, "5");
    let mut silent = TcpStream::connect(hosted.address()).unwrap();
    silent.write_all(PREFACE).unwrap();
    silent.write_all(&frame(4, 0, 0, b"")).unwrap();
    silent.set_read_timeout(Some(DEADLINE)).unwrap();
    silent.read_to_end(&mut Vec::new()).unwrap();
    let (_response, _body) = hosted.call(&mut used, true);
    hosted.until(is_begun);
}

#[test]
fn frames_without_use_are_limited() {
    let hosted = hosted(Limits::default());
    let floods = [
        ("PING", frame(6, 0, 0, b"12345678")),
        ("PING that is answered", frame(6, 1, 0, b"12345678")),
        ("SETTINGS", frame(4, 0, 0, b"")),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("unknown", frame(99, 0, 0, b"")),
    ];
    for (name, flood) in floods {
        let mut stream = TcpStream::connect(hosted.address()).unwrap();
        stream.write_all(PREFACE).unwrap();
        stream.write_all(&frame(4, 0, 0, b"")).unwrap();
        // It is hung up on before all was sent.
        let _ = stream.write_all(&flood.repeat(6_000));
        assert!(is_calmed(&mut stream), "{name}");
        hosted.serves();
    }
}

#[test]
fn connections_have_their_turns() {
    let hosted = hosted(Limits::default());
    let (mut many, mut one) = (hosted.client(), hosted.client());
    let ask = |client: &mut _| {
        let (response, mut body) = hosted.call_of(client, ONCE, false);
        body.send_data(message(b"ask"), true).unwrap();
        response
    };
    let _calls: Vec<ResponseFuture> = (0..200).map(|_| ask(&mut many)).collect();
    let begin = Instant::now();
    let (mut rounds, mut told) = (0, 0);
    while told < 100 {
        assert!(begin.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(5));
        let now = hosted.server.drain().iter().filter(|event| is_begun(event)).count();
        assert!(now <= 16, "{now} at a time");
        rounds += usize::from(now > 0);
        told += now;
    }
    assert!(rounds >= 7);
    let _call = ask(&mut one);
    std::thread::sleep(SOON);
    let peers: std::collections::BTreeSet<_> = hosted
        .server
        .drain()
        .into_iter()
        .filter_map(|event| match event.happened {
            Happened::Asked { peer, .. } => Some(peer),
            _ => None,
        })
        .collect();
    assert_eq!(peers.len(), 2, "the other's call is among the next ones");
}

#[test]
fn who_holds_most_gives_way() {
    let hosted = hosted(Limits { max_held_bytes: 8 << 20, ..Limits::default() });
    let mut greedy = hosted.client();
    let mut calls = Vec::new();
    for _ in 0..7 {
        let (response, mut body) = hosted.call_of(&mut greedy, ONCE, false);
        body.send_data(announced(512 << 10), false).unwrap();
        body.send_data(Bytes::from(vec![0; 512 << 10]), false).unwrap();
        calls.push((response, body));
    }
    std::thread::sleep(SOON);
    let mut honest = hosted.client();
    let (response, mut body) = hosted.call_of(&mut honest, ONCE, false);
    body.send_data(message(&vec![7; 3 << 20]), true).unwrap();
    let events = hosted.until(is_begun);
    hosted.server.finish(events[0].call, 5, "no", Bytes::new());
    assert_eq!(hosted.answer(response).0, "5");
}

#[test]
fn a_refusal_of_any_length_is_one_calls_only() {
    let hosted = hosted(Limits::default());
    let mut client = hosted.client();
    let (_other, mut open) = hosted.call(&mut client, false);
    let (response, _body) = hosted.call(&mut client, true);
    let events = hosted.until(|event| matches!(event.happened, Happened::HalfClosed));
    let refused = events.iter().find(|event| matches!(event.happened, Happened::HalfClosed)).unwrap().call;
    hosted.server.finish(refused, 2, &"\u{e9}".repeat(5 << 20), Bytes::from(vec![1; 5 << 20]));
    assert_eq!(hosted.answer(response).0, "2");
    open.send_data(message(b"still there"), true).unwrap();
    hosted.until(|event| matches!(&event.happened, Happened::Message(got) if got == "still there"));
}

#[test]
fn what_is_no_call_of_grpc_is_told_so() {
    let hosted = hosted(Limits::default());
    let client = hosted.client();
    let ask = |request: http::Request<()>| {
        let ready = hosted.runtime.block_on(client.clone().ready()).unwrap();
        let (response, _) = { ready }.send_request(request, true).unwrap();
        hosted.runtime.block_on(response).unwrap().status().as_u16()
    };
    assert_eq!(ask(http::Request::get("http://localhost/p.S/M").body(()).unwrap()), 405);
    assert_eq!(ask(http::Request::post("http://localhost/p.S/M").body(()).unwrap()), 415);
    let mut client = hosted.client();
    let request = http::Request::post(format!("http://localhost{ONCE}"))
        .header("content-type", "application/grpc+proto")
        .header("grpc-encoding", "gzip")
        .body(())
        .unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(&[1, 0, 0, 0, 2, 0, 0]), true).unwrap();
    assert_eq!(hosted.answer(response).0, UNIMPLEMENTED);
    assert!(!hosted.server.drain().iter().any(is_begun));
}

#[test]
fn small_frames_cost_what_they_bring() {
    let hosted = hosted(Limits::default());
    let mut client = hosted.client();
    let (response, mut body) = hosted.call_of(&mut client, ONCE, false);
    let whole = message(&[7; 3_000]);
    for at in 0..whole.len() {
        body.send_data(whole.slice(at..=at), at + 1 == whole.len()).unwrap();
    }
    let call = hosted.until(is_begun)[0].call;
    assert!(hosted.server.send(call, Bytes::from_static(b"taken")));
    hosted.server.finish(call, 0, "", Bytes::new());
    let bytes = hosted.runtime.block_on(async { read(&mut response.await.unwrap().into_body()).await });
    assert_eq!(bytes, 10);
}

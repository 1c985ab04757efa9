// SPDX-License-Identifier: Apache-2.0
//! Calls whose messages are answered where they come in, at either end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastledger_comm::{
    Answer, ClientLimits, Event, GrpcChannel, Happened, Hub, Limits, OutgoingCall, Responder, Server,
};

const DEADLINE: Duration = Duration::from_secs(60);
const PATH: &str = "/p.S/M";

/// Says back what begins with `?`, keeps quiet at `!`, and leaves the rest to others.
#[derive(Default)]
struct Echo {
    heard: AtomicUsize,
}

impl Responder for Echo {
    fn respond(&self, message: &Bytes) -> Answer {
        self.heard.fetch_add(1, Ordering::Relaxed);
        match message.first() {
            Some(b'?') => Answer::Send(message.clone()),
            Some(b'!') => Answer::Nothing,
            _ => Answer::Pass,
        }
    }
}

struct Scene {
    server: Server,
    hub: Hub,
    _channel: GrpcChannel,
    call: OutgoingCall,
    id: u64,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start("127.0.0.1:0", None, Limits::default()).unwrap();
        let hub = Hub::new().unwrap();
        let address = format!("127.0.0.1:{}", server.port());
        let channel = hub.channel(&address, None, ClientLimits::default()).unwrap();
        let call = channel.converse(PATH, None).unwrap();
        let events = messages(|| server.drain(), |event| matches!(event.happened, Happened::Begun { .. }));
        Self { id: events.first().unwrap().call, server, hub, _channel: channel, call }
    }
}

/// Waits for an event that fits, and returns it with all before it.
fn messages(drain: impl Fn() -> Vec<Event>, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
    let begin = Instant::now();
    let mut all = Vec::new();
    while !all.iter().any(&fits) {
        assert!(begin.elapsed() < DEADLINE, "it did not happen");
        std::thread::sleep(Duration::from_millis(1));
        all.extend(drain());
    }
    all
}

fn said(event: &Event) -> Option<&[u8]> {
    if let Happened::Message(message) = &event.happened { Some(message) } else { None }
}

#[test]
fn a_server_answers_where_messages_come_in() {
    let scene = Scene::new();
    let line = scene.server.answer_with(scene.id, Arc::new(Echo::default())).unwrap();
    for message in [&b"?1"[..], b"!", b"other", b"?2"] {
        assert!(scene.call.send(Bytes::copy_from_slice(message)));
    }
    let answers = messages(|| scene.hub.drain(), |event| said(event) == Some(b"?2"));
    assert_eq!(answers.iter().filter_map(said).collect::<Vec<_>>(), [b"?1", b"?2"]);
    let passed = messages(|| scene.server.drain(), |event| said(event) == Some(b"other"));
    assert_eq!(passed.iter().filter_map(said).count(), 1);
    line.send(Bytes::from_static(b"later"));
    messages(|| scene.hub.drain(), |event| said(event) == Some(b"later"));
    assert!(scene.server.answer_with(scene.id + 1, Arc::new(Echo::default())).is_none());
}

#[test]
fn a_client_answers_where_messages_come_in() {
    let scene = Scene::new();
    let line = scene.call.answer_with(Arc::new(Echo::default()));
    for message in [&b"?1"[..], b"!", b"other", b"?2"] {
        assert!(scene.server.send(scene.id, Bytes::copy_from_slice(message)));
    }
    let answers = messages(|| scene.server.drain(), |event| said(event) == Some(b"?2"));
    assert_eq!(answers.iter().filter_map(said).collect::<Vec<_>>(), [b"?1", b"?2"]);
    messages(|| scene.hub.drain(), |event| said(event) == Some(b"other"));
    line.send(Bytes::from_static(b"later"));
    messages(|| scene.server.drain(), |event| said(event) == Some(b"later"));
}

#[test]
fn whoever_does_not_take_answers_is_heard_no_further() {
    let scene = Scene::new();
    let echo = Arc::new(Echo::default());
    let _line = scene.server.answer_with(scene.id, Arc::clone(&echo) as Arc<dyn Responder>).unwrap();
    let question = Bytes::from(vec![b'?'; 256 << 10]);
    let (mut sent, mut heard, mut taken) = (0, 0, 0);
    let mut quiet = Instant::now();
    let mut room = true;
    // Answers come back, and nobody says that they were taken.
    while quiet.elapsed() < Duration::from_millis(500) {
        while room {
            room = scene.call.send(question.clone());
            sent += 1;
        }
        for event in scene.hub.drain() {
            room |= matches!(event.happened, Happened::Writable);
            taken += usize::from(said(&event).is_some());
        }
        let now = echo.heard.load(Ordering::Relaxed);
        if now > heard {
            (heard, quiet) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(heard > 16 && heard < 100, "{heard} of {sent} questions of 256 KiB were answered for nobody");
    // As soon as they are taken it goes on.
    for _ in 0..taken {
        scene.call.consumed(question.len());
    }
    let begin = Instant::now();
    while echo.heard.load(Ordering::Relaxed) == heard {
        assert!(begin.elapsed() < DEADLINE, "it does not go on");
        for event in scene.hub.drain() {
            if said(&event).is_some() {
                scene.call.consumed(question.len());
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

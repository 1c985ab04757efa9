// SPDX-License-Identifier: Apache-2.0
//! What an operator is told of clients that are not served. One test: counters and log are the process's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpStream;

use fastledger_comm::{Happened, Limits};
use fastledger_telemetry::{Counters, Record, Records};
use hosted::Hosted;

#[allow(dead_code, reason = "other tests use the rest")]
mod hosted;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Pings of which nobody has patience.
const TOO_MANY: usize = 20_000;

fn counted(counters: &Counters, name: &str, label: &str) -> u64 {
    let values = counters.values();
    let fits = |labels: &[(String, String)]| labels.is_empty() || labels[0].1 == label;
    values.iter().find(|one| one.name == name && fits(&one.labels)).map_or(0, |one| one.value)
}

/// Waits for a record of the server's that says something.
fn said(records: &Records, text: &str) -> Record {
    loop {
        let found = records.take().into_iter().find(|record| record.text.contains(text));
        if let Some(record) = found {
            return record;
        }
    }
}

#[test]
fn of_clients_that_are_not_served_is_told_and_they_are_counted() {
    fastledger_telemetry::start();
    let (records, counters) = (fastledger_telemetry::records(), fastledger_telemetry::counters());
    fastledger_comm::describe_metrics();
    records.open();
    let hosted = Hosted::new(Limits { max_connections: 1, max_all_calls: 1, ..Limits::default() });

    // One that floods.
    let mut flood = TcpStream::connect(hosted.address()).unwrap();
    flood.write_all(PREFACE).unwrap();
    // The server may hang up before it has taken all.
    drop(flood.write_all(&PING.repeat(TOO_MANY)));
    drop(flood.read_to_end(&mut Vec::new()));
    let record = said(records, "too many frames came that belong to no call");
    assert_eq!((record.level, record.logger.as_str()), (log::Level::Warn, "core.comm"));
    assert!(record.text.contains(&format!("remoteaddress={}", flood.local_addr().unwrap())), "{}", record.text);
    assert_eq!(counted(counters, "grpc_comm_conn_dropped", "overhead"), 1);

    // One that speaks while all places are taken by one whose call has begun.
    let mut client = hosted.client();
    let (_, mut body) = hosted.call(&mut client, false);
    body.send_data(hosted::message(b"a call"), false).unwrap();
    hosted.until(|event| matches!(event.happened, Happened::Message(_)));
    let mut stranger = TcpStream::connect(hosted.address()).unwrap();
    assert_eq!(stranger.read(&mut [0]).unwrap_or(0), 0, "it is turned away");
    assert!(said(records, "all places for connections are in use").text.starts_with("a connection is turned away"));
    assert_eq!(counted(counters, "grpc_comm_conn_dropped", "no_place"), 1);

    // A second call, of the same client.
    let (refused, _) = hosted.call(&mut client, true);
    assert_eq!(hosted.answer(refused).0, "8");
    said(records, "a call is not answered: too many calls are under way");
    assert_eq!(counted(counters, "grpc_comm_calls_dropped", "limit"), 1);

    // A client that has gone.
    drop((client, body));
    hosted.until(|event| matches!(event.happened, Happened::Ended));
    hosted.server.abort();
    assert!(counted(counters, "grpc_comm_conn_opened", "") >= 2);
}

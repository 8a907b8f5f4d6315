//! Tests of the JSON events of connections: who ended a connection, why, and what it has transferred.

use std::{collections::HashSet, io::Write as _, os::unix::net::UnixStream};

use rustix::process::Signal;
use serde_json::Value;
use tests::{net::Peer, programs::EchoServer};

fn start(args: &[&str]) -> EchoServer {
    EchoServer::start(&[&["--log-format", "json"], args].concat())
}

/// Waits for an event of the peer, and returns its record.
fn event(server: &EchoServer, name: &str, peer: &str) -> Value {
    let line = server.log().wait_for_line(&format!(r#""event":"{name}","peer":"{peer}""#));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Waits for the end of the peer's connection. Returns its reason, and the side that ended it.
fn end(server: &EchoServer, peer: &str) -> (String, String) {
    let closed = event(server, "closed", peer);
    let text = |field: &str| closed[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("closed_by"))
}

#[track_caller]
fn assert_end(server: &EchoServer, peer: &str, reason: &str, closed_by: &str) {
    assert_eq!(end(server, peer), (reason.to_owned(), closed_by.to_owned()));
}

/// Connects a peer that has sent a line and received its echo, and returns it with its name.
fn connect(server: &EchoServer) -> (Peer, String) {
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let name = peer.address().to_string();
    (peer, name)
}

#[test]
fn the_end_tells_a_fin_from_a_reset_and_from_an_exit() {
    let server = start(&[]);
    let (mut peer, name) = connect(&server);
    peer.half_close();
    peer.expect_end();
    assert_end(&server, &name, "fin", "client");
    assert_eq!(event(&server, "disconnected", &name)["reason"], "fin");

    let (peer, name) = connect(&server);
    peer.reset();
    assert_end(&server, &name, "reset", "client");
    assert_eq!(event(&server, "disconnected", &name)["reason"], "reset");

    let (mut peer, name) = connect(&server);
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
    drop(peer);
    assert_end(&server, &name, "exit", "client");
}

#[test]
fn the_end_names_the_limit_by_which_the_server_ended_it() {
    let server = start(&["--idle-timeout", "2s"]);
    let (mut peer, name) = connect(&server);
    peer.expect_end();
    assert_end(&server, &name, "idle-timeout", "server");

    let server = start(&["--write-timeout", "50ms", "--protocol", "raw"]);
    let (peer, name) = connect(&server);
    peer.shrink_buffers();
    let sending = peer.send_in_background(vec![b'x'; 64 * 1024 * 1024]);
    assert_end(&server, &name, "write-timeout", "server");
    drop(sending.join());

    let server = start(&["--protocol", "length"]);
    let mut peer = server.connect();
    let name = peer.address().to_string();
    peer.send(&[0xff; 4]);
    peer.read_to_end();
    drop(peer);
    assert_end(&server, &name, "frame-too-long", "server");
}

#[test]
fn the_end_names_the_drain() {
    let server = start(&["--drain-timeout", "1h"]);
    let (mut leaves, name) = connect(&server);
    server.signal(Signal::TERM);
    leaves.expect_end();
    drop(leaves);
    assert_end(&server, &name, "drain", "server");

    let server = start(&["--drain-timeout", "50ms"]);
    let (_stays, name) = connect(&server);
    server.signal(Signal::TERM);
    assert_end(&server, &name, "drain-timeout", "server");
}

#[test]
fn the_receipt_counts_the_messages_of_the_client_however_they_are_split() {
    let server = start(&[]);
    let mut peer = server.connect();
    let name = peer.address().to_string();
    // The echo of each byte shows that the server has read it alone.
    for byte in b"one\ntwo\nexit".chunks(1) {
        peer.exchange(byte);
    }
    peer.send(b"\n");
    peer.expect_to_end(b"Goodbye!\n");
    drop(peer);
    let closed = event(&server, "closed", &name);
    let number = |field: &str| closed[field].as_u64();
    assert_eq!((number("messages_received"), number("messages_sent")), (Some(3), Some(3)));
    assert_eq!(number("bytes_received"), Some(13), "{closed}");
    assert!(number("duration_ms").is_some(), "{closed}");
}

#[test]
fn no_two_connections_have_the_same_identity() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let url = format!("unix://{}", path.display());
    let server = EchoServer::start_with(&["--log-format", "json", "--listen", &url]);
    for _ in 0..20 {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"hello\n").unwrap();
    }
    let lines = server.log().wait_for_lines(r#""event":"closed""#, 20);
    let identities: HashSet<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["connection"].to_string())
        .collect();
    assert_eq!(identities.len(), 20, "slots are used again, identities are not: {lines:?}");
}

//! Liveness and readiness, from the start to the end of the server.

use std::time::Duration;

use rustix::process::Signal;
use tests::net::Peer;

use crate::client::{AdminClient, get, shut_down, start};

#[test]
fn a_server_that_drains_is_alive_and_not_ready() {
    let (mut server, admin) = start(&["--drain-timeout", "1h"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let mut client = AdminClient::connect(admin);
    assert_eq!(client.get("/readyz").body, "ok\n");
    shut_down(&server, "Shutting down server");
    let ready = client.get("/readyz");
    assert_eq!((ready.status, &ready.body[..]), (503, "the server shuts down\n"));
    // The client has not closed its connection, so the drain lasts.
    peer.expect_end();
    assert_eq!((client.get("/livez").status, get(admin, "/livez").status), (200, 200));
    drop(peer);
    assert!(server.wait().success());
}

#[test]
fn a_server_with_a_drain_delay_serves_new_clients_while_it_is_not_ready() {
    let (mut server, admin) = start(&["--drain-delay", "1h"]);
    let mut client = AdminClient::connect(admin);
    shut_down(&server, "Shutting down: the server serves for another 1h");
    assert_eq!(client.get("/readyz").status, 503);
    assert_eq!(client.get("/livez").status, 200);
    let mut peer = Peer::connect(server.address());
    peer.exchange(b"still here\n");
    // A second signal ends it immediately.
    server.signal(Signal::TERM);
    assert!(!server.wait().success());
}

#[test]
fn a_server_drains_at_the_end_of_its_drain_delay() {
    let (server, _) = start(&["--drain-delay", "50ms"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    // The server ends the stream when it drains.
    peer.expect_end();
    drop(peer);
    let (status, log) = server.wait_with_log();
    assert!(status.success() && log.contains("Server shutdown complete"), "{log}");
}

#[test]
fn a_full_server_is_not_ready_and_says_why() {
    for (limit, reason) in [
        (1, "the server is full: it serves 1 connection\n"),
        (2, "the server is full: it serves 2 connections\n"),
    ] {
        let (server, admin) = start(&["--max-connections", &limit.to_string()]);
        let mut peers: Vec<_> = (0..limit).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.exchange(b"hello\n");
        }
        let mut client = AdminClient::connect(admin);
        let ready = client.get("/readyz");
        assert_eq!((ready.status, &ready.body[..]), (503, reason));
        peers.pop();
        server.wait_for_log("Connection with .* closed");
        assert_eq!(client.get("/readyz").status, 200);
    }
}

#[test]
fn a_process_that_was_stopped_and_continues_is_alive() {
    let (server, admin) = start(&[]);
    let mut client = AdminClient::connect(admin);
    assert_eq!(client.get("/livez").status, 200);
    let mut peer = server.connect();
    server.pause();
    // Longer than the time in which a thread has to make progress.
    peer.expect_silence_for(Duration::from_secs(5));
    server.resume();
    assert_eq!(client.get("/livez").status, 200);
    peer.exchange(b"hello\n");
    assert_eq!(client.get("/livez").status, 200);
}

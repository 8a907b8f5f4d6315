//! Regression tests: each doc comment describes the defect that the test has found or would find again.

use rustix::{
    net::{SendFlags, send},
    process::Signal,
};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch},
};

/// Stops the server, then sends a line with a byte of urgent data before its second half. A server that
/// continues finds all of it in its socket.
fn send_urgent(server: &EchoServer, peer: &mut Peer) {
    server.signal(Signal::STOP);
    peer.send(b"before ");
    send(peer.stream(), b"!", SendFlags::OOB).expect("the socket buffer has room");
    peer.send(b" after\n");
}

/// A read stops at the urgent mark. The server took the short read for the end of the available data, and
/// the echo stalled.
#[test]
fn echoes_the_bytes_after_urgent_data() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.signal(Signal::CONT);
    peer.expect(b"before ! after\n");
}

/// A drain lost the bytes after the urgent mark.
#[test]
fn a_drain_echoes_the_bytes_after_urgent_data() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    peer.expect_to_end(b"before ! after\n");
}

/// The acceptor waited for room in the dispatch queue after the workers had left at the drain deadline.
#[test]
fn a_drain_with_a_full_queue_ends_at_its_deadline() {
    let mut server = Launch::new(&["--drain-timeout", "0s", "--workers", "1"]).start();
    server.signal(Signal::STOP);
    // More than the queue holds; the kernel completes the connections without the server.
    let peers: Vec<_> = (0..1200).map(|_| server.connect()).collect();
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    assert_eq!(server.wait().code(), Some(0));
    drop(peers);
}

/// After a stop of the process, the server closed clients as idle although bytes of theirs were waiting in
/// the sockets.
#[test]
fn a_stopped_server_keeps_clients_whose_bytes_are_waiting() {
    let server =
        EchoServer::start(&["--workers", "1", "--idle-timeout", "1s", "--log-messages", "off"]);
    let mut peers: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"first\n");
    }
    server.signal(Signal::STOP);
    for peer in &mut peers {
        peer.send(b"waiting\n");
    }
    // The idle timeout of a second server shows that more than the limit has passed.
    let clock = EchoServer::start(&["--idle-timeout", "1500ms"]);
    let _idle = clock.connect();
    clock.wait_for_log("timed out");
    server.signal(Signal::CONT);
    for peer in &mut peers {
        peer.expect(b"waiting\n");
    }
}

/// The first client ended a server with a time limit that exceeded the range of the clock.
#[test]
fn accepts_the_longest_time_limits() {
    let longest = "18446744073709551615s";
    let args = ["--idle-timeout", longest, "--write-timeout", longest, "--drain-timeout", longest];
    let server = EchoServer::start(&args);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    drop(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

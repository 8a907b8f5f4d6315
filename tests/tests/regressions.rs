//! Bugs that there once were, each by its name.

use rustix::{
    net::{SendFlags, send},
    process::Signal,
};
use tests::{
    peer::Peer,
    server::{EchoServer, Launch},
};

/// Sends a line with a byte of urgent data in front of its second half, all of it at once as far as
/// the server can see: it is stopped meanwhile.
fn send_urgent(server: &EchoServer, peer: &mut Peer) {
    server.signal(Signal::STOP);
    peer.send(b"before ");
    send(peer.stream(), b"!", SendFlags::OOB).expect("a socket with room");
    peer.send(b" after\n");
}

/// Every read stops at the mark of urgent data, and the server took a short read for all there was.
#[test]
fn urgent_data_stalled_the_echo_behind_it() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.signal(Signal::CONT);
    peer.expect(b"before ! after\n");
}

/// A drain lost what was behind the mark.
#[test]
fn urgent_data_cut_a_drain_short() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    peer.expect_rest(b"before ! after\n");
}

/// The acceptor waited for room in the queue when the workers had left at the drain's deadline.
#[test]
fn a_full_queue_hung_a_drain_without_time() {
    let mut server = Launch::new(&["--drain-timeout", "0s", "--workers", "1"]).start();
    server.signal(Signal::STOP);
    // More than the queue holds; the kernel completes them without the server.
    let peers: Vec<_> = (0..1200).map(|_| server.connect()).collect();
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    assert_eq!(server.wait().code(), Some(0));
    drop(peers);
}

/// After a stop of the process, clients whose bytes were waiting in their sockets were cut as idle.
#[test]
fn a_stop_cut_clients_whose_bytes_were_waiting() {
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
    // Another server tells when that has been too long.
    let clock = EchoServer::start(&["--idle-timeout", "1500ms"]);
    let _idle = clock.connect();
    clock.wait_for_log("timed out");
    server.signal(Signal::CONT);
    for peer in &mut peers {
        peer.expect(b"waiting\n");
    }
}

/// A time limit longer than the clock can hold ended the server at its first client.
#[test]
fn a_very_long_time_limit_crashed_the_server() {
    let for_ever = "18446744073709551615s";
    let args =
        ["--idle-timeout", for_ever, "--write-timeout", for_ever, "--drain-timeout", for_ever];
    let server = EchoServer::start(&args);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    drop(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

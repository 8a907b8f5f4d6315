//! Tests of the limits of the server: connections, descriptors and timeouts.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tests::{
    net::Peer,
    payload::Random,
    programs::{EchoServer, Launch},
    system::{
        procfs::{descriptor_count, peak_memory},
        tcp,
    },
    wait::wait_until,
};

/// Time after which the kernel probes a silent peer.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);

/// Expects one line that names the limit, then the end of the stream.
#[track_caller]
fn expect_refusal(peer: &mut Peer) {
    let refusal = String::from_utf8(peer.read_to_end()).expect("a refusal is text");
    let line = refusal.strip_suffix('\n').unwrap_or_else(|| panic!("not a line: {refusal:?}"));
    assert!(!line.trim().is_empty() && !line.contains('\n'), "not one line: {refusal:?}");
    assert!(tests::log::pattern("(?i)connection|client|full|busy").is_match(line), "{line:?}");
}

/// Connects until the server serves a connection, after it has noticed the end of another.
fn connect_when_possible(server: &EchoServer) -> Peer {
    loop {
        let mut peer = server.connect();
        peer.try_send(b"am I in?\n");
        let mut reply = [0; 9];
        if std::io::Read::read_exact(peer.stream(), &mut reply).is_ok() && &reply == b"am I in?\n" {
            return peer;
        }
    }
}

/// At the limit, each further client gets one line and the end of the stream. After a client has left, the
/// server accepts again.
#[test]
fn refuses_a_client_over_the_connection_limit() {
    let server = EchoServer::start(&["--max-connections", "2"]);
    let mut first = server.connect();
    first.exchange(b"first\n");
    let mut second = server.connect();
    second.exchange(b"second\n");
    for _ in 0..3 {
        expect_refusal(&mut server.connect());
    }
    first.exchange(b"still there\n");
    second.exchange(b"so am I\n");

    let leaving = first.address();
    first.send(b"exit\n");
    first.expect_to_end(b"Goodbye!\n");
    drop(first);
    server.wait_for_log(&format!("Connection with {leaving} closed"));
    let mut third = connect_when_possible(&server);
    third.exchange(b"third\n");
    second.exchange(b"and I am still here\n");
    expect_refusal(&mut server.connect());
}

/// An address at its limit does not affect other addresses.
#[test]
fn serves_other_addresses_while_one_address_is_at_its_limit() {
    let server = EchoServer::start(&["--max-connections-per-ip", "2"]);
    let mut same_address = [server.connect(), server.connect()];
    for peer in &mut same_address {
        peer.exchange(b"in\n");
    }
    expect_refusal(&mut server.connect());
    server.wait_for_log("Refused {peer}: at the limit of 2 connections from one address$");
    let other = Ipv4Addr::new(127, 0, 0, 2).into();
    Peer::connect_from(other, server.address()).exchange(b"in as well\n");

    let [leaving, mut staying] = same_address;
    let address = leaving.address();
    drop(leaving);
    server.wait_for_log(&format!("Connection with {address} closed"));
    connect_when_possible(&server).exchange(b"in again\n");
    staying.exchange(b"still in\n");
}

/// A client over the limit that has already sent data receives the line too: no reset discards it.
#[test]
fn a_client_over_the_limit_that_sends_first_receives_the_refusal() {
    let server = EchoServer::start(&["--max-connections", "1"]);
    let mut only = server.connect();
    only.exchange(b"only\n");
    for _ in 0..20 {
        let mut refused = server.connect();
        refused.try_send(b"hello?\n");
        expect_refusal(&mut refused);
    }
    only.exchange(b"still there\n");
}

/// The server logs the timeout, and serves other clients in the meantime.
#[test]
fn closes_a_client_that_never_reads_at_the_write_timeout() {
    let server = EchoServer::start(&["--workers", "1", "--write-timeout", "1s"]);
    let mut other = server.connect();
    other.exchange(b"before\n");
    let stuck = server.connect();
    let sender = stuck.send_in_background(Random::new(20).letters(1_000_000).repeat(64));
    while !sender.is_finished() {
        other.exchange(b"meanwhile\n");
    }
    sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    server.wait_for_log(&format!("(?i){}.*(time|took|stuck|read)", stuck.address()));
    server.wait_for_log(&format!("Connection with {} closed", stuck.address()));
    other.exchange(b"after\n");
}

/// The server stops reading from a client that does not read: each costs less memory than one read buffer.
#[test]
fn clients_that_never_read_cost_at_most_a_read_buffer_each() {
    let args = ["--workers", "1", "--write-timeout", "1s", "--log-messages", "off"];
    let server = EchoServer::start(&args);
    server.connect().exchange(b"the worker has its buffer\n");
    let before = peak_memory(server.pid());
    let stuck: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    // More than the kernel buffers for a connection that is not read.
    let bytes: Arc<[u8]> = Random::new(20).letters(1_000_000).repeat(64).into();
    let send = |peer: &Peer| {
        peer.shrink_buffers();
        peer.send_in_background(Arc::clone(&bytes))
    };
    let senders: Vec<_> = stuck.iter().map(send).collect();
    for sender in senders {
        sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    }
    let growth = peak_memory(server.pid()) - before;
    assert!(growth < 20 * 256 * 1024, "20 clients that do not read cost {growth} bytes");
}

#[test]
fn frees_the_descriptors_of_refused_clients() {
    let server = EchoServer::start(&["--workers", "1", "--max-connections", "1"]);
    let mut only = server.connect();
    only.exchange(b"only\n");
    expect_refusal(&mut server.connect());
    let before = descriptor_count(server.pid());
    for _ in 0..100 {
        expect_refusal(&mut server.connect());
    }
    only.exchange(b"still there\n");
    // A client can receive its refusal before the server closes the descriptor.
    wait_until("the descriptors are closed", || descriptor_count(server.pid()) <= before);
}

#[test]
fn closes_an_idle_client_at_the_idle_timeout() {
    let server = EchoServer::start(&["--idle-timeout", "2s"]);
    let mut silent = server.connect();
    let mut active = server.connect();
    active.exchange(b"hello\n");
    for peer in [&mut silent, &mut active] {
        let _ = peer.read_to_end();
        let address = peer.address();
        server.wait_for_log(&format!("(?i){address}.*(idle|time)|(idle|time).*{address}"));
        server.wait_for_log(&format!("Connection with {address} closed"));
    }
    server.connect().exchange(b"others continue\n");
}

/// A peer can disappear without a FIN. The kernel probes it within a minute, instead of its default of two
/// hours.
#[test]
fn the_kernel_probes_a_silent_peer() {
    let server = EchoServer::start(&[]);
    let peer = server.connect();
    server.wait_for_log(&format!("New client connected: {}", peer.address()));
    let socket = tcp::socket(server.address(), peer.address());
    assert!(socket.keepalive.is_some_and(|due| due <= KEEPALIVE_IDLE), "{socket:?}");
}

/// The descriptor limit determines the connection limit.
#[test]
fn a_flood_past_the_descriptor_limit_does_not_affect_open_connections() {
    let server = Launch::new(&["--workers", "1"]).descriptor_limit(40).start();
    flood(&server);
}

/// The connection limit exceeds the descriptor limit, so accept fails with EMFILE: the server pauses shortly,
/// without a busy loop, and then accepts again.
#[test]
fn continues_after_descriptor_exhaustion_at_accept() {
    let server =
        Launch::new(&["--workers", "1", "--max-connections", "1000"]).descriptor_limit(40).start();
    flood(&server);
    let record = "(?i)(files?|descriptors?)";
    server.wait_for_log(record);
    let (_, log) = server.terminate();
    let record = tests::log::pattern(record);
    let records = log.lines().filter(|line| record.is_match(line)).count();
    assert!(records < 20, "{records} log lines about one shortage:\n{log}");
}

/// Opens a hundred connections past the limit while open connections exchange messages.
fn flood(server: &EchoServer) {
    let mut established: Vec<Peer> = (0..5).map(|_| server.connect()).collect();
    for peer in &mut established {
        peer.exchange(b"established\n");
    }
    let mut flood: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
    for peer in &mut flood {
        peer.try_send(b"let me in\n");
    }
    for round in 0..20 {
        for (number, peer) in established.iter_mut().enumerate() {
            peer.exchange(format!("round {round} of {number}\n").as_bytes());
        }
    }
    drop(flood);
    connect_when_possible(server).exchange(b"the flood is over\n");
    for peer in &mut established {
        peer.exchange(b"nothing happened\n");
    }
}

//! What the server limits: connections, descriptors, and how long a peer may take.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tests::{
    payload::Random,
    peer::Peer,
    procfs::{descriptor_count, peak_memory},
    server::{EchoServer, Launch},
    tcp,
};

/// How long the server lets a peer be silent before it has the kernel ask.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);

/// Over the connection limit -> one clear line, then the end.
#[track_caller]
fn expect_refusal(peer: &mut Peer) {
    let told = String::from_utf8(peer.rest()).expect("a refusal is text");
    let line = told.strip_suffix('\n').unwrap_or_else(|| panic!("not a line: {told:?}"));
    assert!(!line.trim().is_empty() && !line.contains('\n'), "not one line: {told:?}");
    assert!(tests::log::pattern("(?i)connection|client|full|busy").is_match(line), "{line:?}");
}

/// Connects until a connection is served: the server has to see first that another has left.
fn served(server: &EchoServer) -> Peer {
    loop {
        let mut peer = server.connect();
        peer.send_regardless(b"am I in?\n");
        let mut reply = [0; 9];
        if std::io::Read::read_exact(peer.stream(), &mut reply).is_ok() && &reply == b"am I in?\n" {
            return peer;
        }
    }
}

/// M reached, one leaves -> accepting resumes; over M -> one clear line, close.
#[test]
fn over_the_connection_limit_a_client_is_told_and_closed() {
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
    first.expect_rest(b"Goodbye!\n");
    drop(first);
    server.wait_for_log(&format!("Connection with {leaving} closed"));
    let mut third = served(&server);
    third.exchange(b"third\n");
    second.exchange(b"and I am still here\n");
    expect_refusal(&mut server.connect());
}

/// Limits per source address: whoever takes all that one address may have leaves room for the others.
#[test]
fn over_the_limit_for_one_address_others_are_served() {
    let server = EchoServer::start(&["--max-connections-per-ip", "2"]);
    let mut greedy = [server.connect(), server.connect()];
    for peer in &mut greedy {
        peer.exchange(b"in\n");
    }
    expect_refusal(&mut server.connect());
    server.wait_for_log("Refused {peer}: at the limit of 2 connections from one address$");
    let other = Ipv4Addr::new(127, 0, 0, 2).into();
    Peer::connect_from(other, server.address()).exchange(b"in as well\n");

    let [leaving, mut staying] = greedy;
    let address = leaving.address();
    drop(leaving);
    server.wait_for_log(&format!("Connection with {address} closed"));
    served(&server).exchange(b"in again\n");
    staying.exchange(b"still in\n");
}

/// Over the limit a client that has sent something already is told as well: no reset eats the line.
#[test]
fn a_client_over_the_limit_that_talks_first_is_told_too() {
    let server = EchoServer::start(&["--max-connections", "1"]);
    let mut only = server.connect();
    only.exchange(b"only\n");
    for _ in 0..20 {
        let mut refused = server.connect();
        refused.send_regardless(b"hello?\n");
        expect_refusal(&mut refused);
    }
    only.exchange(b"still there\n");
}

/// Never reads -> cut at the write timeout with a log line; costs nothing to others.
#[test]
fn a_client_that_never_reads_is_cut_at_the_write_timeout() {
    let server = EchoServer::start(&["--workers", "1", "--write-timeout", "1s"]);
    let mut other = server.connect();
    other.exchange(b"before\n");
    let stuck = server.connect();
    let sender = stuck.send_aside(Random::new(20).letters(1_000_000).repeat(64));
    while !sender.is_finished() {
        other.exchange(b"meanwhile\n");
    }
    sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    server.wait_for_log(&format!("(?i){}.*(time|took|stuck|read)", stuck.address()));
    server.wait_for_log(&format!("Connection with {} closed", stuck.address()));
    other.exchange(b"after\n");
}

/// Never reads -> not read from beyond what the server holds for one connection: memory stays under
/// a read buffer for each.
#[test]
fn clients_that_never_read_cost_a_read_buffer_each_at_most() {
    let args = ["--workers", "1", "--write-timeout", "1s", "--log-messages", "off"];
    let server = EchoServer::start(&args);
    server.connect().exchange(b"the worker has its buffer\n");
    let before = peak_memory(server.pid());
    let stuck: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    // More than the kernel takes for two sockets that nobody reads.
    let bytes: Arc<[u8]> = Random::new(20).letters(1_000_000).repeat(64).into();
    let send = |peer: &Peer| {
        peer.shrink_buffers();
        peer.send_aside(Arc::clone(&bytes))
    };
    let senders: Vec<_> = stuck.iter().map(send).collect();
    for sender in senders {
        sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    }
    let growth = peak_memory(server.pid()) - before;
    assert!(growth < 20 * 256 * 1024, "20 clients that do not read cost {growth} bytes");
}

/// Who is turned away leaves no descriptor behind.
#[test]
fn refused_clients_leave_no_descriptor_behind() {
    let server = EchoServer::start(&["--workers", "1", "--max-connections", "1"]);
    let mut only = server.connect();
    only.exchange(b"only\n");
    expect_refusal(&mut server.connect());
    let before = descriptor_count(server.pid());
    for _ in 0..100 {
        expect_refusal(&mut server.connect());
    }
    only.exchange(b"still there\n");
    // The last one may be told before it is closed.
    assert!(descriptor_count(server.pid()) <= before + 1);
}

#[test]
fn an_idle_client_is_cut_at_the_idle_timeout() {
    let server = EchoServer::start(&["--idle-timeout", "300ms"]);
    let mut silent = server.connect();
    let mut talked = server.connect();
    talked.exchange(b"hello\n");
    for peer in [&mut silent, &mut talked] {
        let _ = peer.rest();
        let address = peer.address();
        server.wait_for_log(&format!("(?i){address}.*(idle|time)|(idle|time).*{address}"));
        server.wait_for_log(&format!("Connection with {address} closed"));
    }
    server.connect().exchange(b"others go on\n");
}

/// Peer vanishes without a FIN -> keepalive limit reaps it: the kernel will ask within a minute, not
/// within its own two hours.
#[test]
fn the_kernel_asks_a_silent_peer_whether_it_is_still_there() {
    let server = EchoServer::start(&[]);
    let peer = server.connect();
    server.wait_for_log(&format!("New client connected: {}", peer.address()));
    let socket = tcp::socket(server.address(), peer.address());
    assert!(socket.keepalive.is_some_and(|due| due <= KEEPALIVE_IDLE), "{socket:?}");
}

/// Connection flood past M, at the limit that the descriptors set -> steady; the established ones
/// unaffected.
#[test]
fn a_flood_past_the_descriptor_limit_leaves_the_established_unaffected() {
    let server = Launch::new(&["--workers", "1"]).descriptor_limit(40).start();
    flood(&server);
}

/// EMFILE at accept -> short pause, no spin, resumes: a connection limit that is too high for the
/// descriptors does not matter.
#[test]
fn descriptor_exhaustion_at_accept_is_survived() {
    let server =
        Launch::new(&["--workers", "1", "--max-connections", "1000"]).descriptor_limit(40).start();
    flood(&server);
    let complaint = "(?i)(files?|descriptors?)";
    server.wait_for_log(complaint);
    let (_, log) = server.terminate();
    let complaint = tests::log::pattern(complaint);
    let complaints = log.lines().filter(|line| complaint.is_match(line)).count();
    assert!(complaints < 20, "{complaints} log lines of one shortage:\n{log}");
}

fn flood(server: &EchoServer) {
    let mut established: Vec<Peer> = (0..5).map(|_| server.connect()).collect();
    for peer in &mut established {
        peer.exchange(b"established\n");
    }
    let mut flood: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
    for peer in &mut flood {
        peer.send_regardless(b"let me in\n");
    }
    for round in 0..20 {
        for (number, peer) in established.iter_mut().enumerate() {
            peer.exchange(format!("round {round} of {number}\n").as_bytes());
        }
    }
    drop(flood);
    served(server).exchange(b"the flood is over\n");
    for peer in &mut established {
        peer.exchange(b"nothing happened\n");
    }
}

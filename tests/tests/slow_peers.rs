//! Peers that take their time, or more than they give: they cost the others nothing.

use std::{io::Read as _, sync::Arc, time::Duration};

use tests::{
    payload::Random,
    peer::{Peer, assert_same},
    procfs::{are_asleep, look_until, peak_memory, runs},
    server::EchoServer,
    tcp,
};

/// More than the kernel takes for two sockets of which nobody reads.
fn more_than_sockets_hold() -> Arc<[u8]> {
    Random::new(16).letters(1_000_003).repeat(64).into()
}

/// One worker, so that all share it.
fn impatient_server() -> EchoServer {
    EchoServer::start(&["--workers", "1", "--write-timeout", "1s", "--log-messages", "off"])
}

fn wait_for_timeout(server: &EchoServer, peer: &str) {
    let said = format!(
        "WARNING - Client {peer} timed out: nothing could be written for 1s; \\d+ bytes of its echo were not sent$"
    );
    server.wait_for_log(&said);
}

/// 64 MB from a client that writes it all before it reads: such a client deadlocks against any bounded
/// echo server. The server holds its bound and, at the write timeout, says so in the log.
#[test]
fn a_client_that_writes_64_megabytes_before_it_reads_is_cut_at_the_write_timeout() {
    let server = impatient_server();
    server.connect().exchange(b"the worker has its buffer");
    let before = peak_memory(server.pid());
    let mut peer = server.connect();
    let bytes = more_than_sockets_hold();
    let sent = peer.send_aside(Arc::clone(&bytes)).join().unwrap();
    sent.expect_err("the server does not hold 64 MB for a client");
    wait_for_timeout(&server, &peer.address().to_string());
    let growth = peak_memory(server.pid()) - before;
    assert!(growth < 1024 * 1024, "it cost {growth} bytes");
    // What arrived before the connection broke is what was sent.
    let mut received = Vec::new();
    let _ = peer.stream().read_to_end(&mut received);
    assert!(!received.is_empty());
    assert_same(&received, &bytes[..received.len()]);
}

/// Reads a byte a second -> costs nothing to others; it takes next to nothing, and is cut at the write
/// timeout.
#[test]
fn a_client_that_reads_byte_by_byte_is_cut_at_the_write_timeout() {
    let server = impatient_server();
    let mut slow = server.connect();
    slow.shrink_buffers();
    let address = slow.address().to_string();
    let sender = slow.send_aside(more_than_sockets_hold());
    let mut other = server.connect();
    while !sender.is_finished() {
        // Ten bytes a second, and a second is what it takes to be cut.
        other.hears_nothing_for(Duration::from_millis(100));
        let _ = slow.stream().read(&mut [0]);
        other.exchange(b"meanwhile");
    }
    sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    wait_for_timeout(&server, &address);
    other.exchange(b"afterwards");
}

/// Sends a byte a second -> costs nothing to others: a hundred that send a byte in each of their rounds.
#[test]
fn clients_that_send_byte_by_byte_are_served_beside_others() {
    let server = EchoServer::start(&["--workers", "1"]);
    let mut other = server.connect();
    let mut slow: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
    let line = |number| format!("the line of {number:02}\n").into_bytes();
    for at in 0..line(0).len() {
        for (number, peer) in slow.iter_mut().enumerate() {
            peer.send(&line(number)[at..=at]);
        }
        other.exchange(b"a line of its own\n");
    }
    for (number, peer) in slow.iter_mut().enumerate() {
        peer.expect(&line(number));
    }
}

/// Half-close spins the loop: a worker whose peer has half-closed, and does not read what it is owed,
/// sleeps.
#[test]
fn a_half_closed_client_that_does_not_read_burns_no_time() {
    let server = EchoServer::start(&["--workers", "1", "--log-messages", "off"]);
    let mut other = server.connect();
    other.exchange(b"before");
    let mut half_closed = server.connect();
    half_closed.exchange(b"the server's end is there");
    let address = half_closed.address();
    let servers_end = || tcp::socket(server.address(), address);
    let sleeps = || are_asleep(server.pid(), "worker-");
    // Until the server reads no further. What its socket has by then leaves room for the FIN.
    let (mut payload, mut sent) = (Random::new(2), Vec::new());
    while servers_end().unread == 0 {
        let piece = payload.bytes(32 * 1024);
        half_closed.send(&piece);
        sent.extend(piece);
        look_until("the worker has read what it reads", sleeps);
    }
    half_closed.half_close();
    look_until("the server's end has the FIN", || servers_end().state == tcp::CLOSE_WAIT);
    look_until("the worker sleeps", || {
        let before = runs(server.pid(), "worker-");
        other.hears_nothing_for(Duration::from_millis(100));
        // A worker that waits for a processor has not run either.
        sleeps() && runs(server.pid(), "worker-") == before
    });
    half_closed.expect_rest(&sent);
}

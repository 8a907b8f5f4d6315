//! Tests with peers that send or read slowly, or do not read: they do not affect other connections.

use std::{io::Read as _, sync::Arc, time::Duration};

use tests::{
    net::{Peer, assert_same_bytes},
    payload::Random,
    programs::EchoServer,
    system::{
        procfs::{are_sleeping, peak_memory, run_time},
        tcp,
    },
    wait::wait_until,
};

/// Returns more bytes than the kernel buffers for a connection that is not read.
fn more_than_socket_buffers_hold() -> Arc<[u8]> {
    Random::new(16).letters(1_000_003).repeat(64).into()
}

/// Starts a server whose connections share one worker and have a write timeout of one second.
fn server_with_short_write_timeout() -> EchoServer {
    EchoServer::start(&["--workers", "1", "--write-timeout", "1s", "--log-messages", "off"])
}

fn wait_for_timeout(server: &EchoServer, peer: &str) {
    let record = format!(
        "WARNING - Client {peer} timed out: nothing could be written for 1s; \\d+ bytes of its echo were not sent$"
    );
    server.wait_for_log(&record);
}

/// A client that writes 64 MB before it reads deadlocks with any echo server of limited memory. The server
/// stays within its limit, closes the connection at the write timeout and logs it.
#[test]
fn closes_a_client_that_writes_64_megabytes_before_it_reads_at_the_write_timeout() {
    let server = server_with_short_write_timeout();
    server.connect().exchange(b"the worker has its buffer");
    let before = peak_memory(server.pid());
    let mut peer = server.connect();
    let bytes = more_than_socket_buffers_hold();
    let sent = peer.send_in_background(Arc::clone(&bytes)).join().unwrap();
    sent.expect_err("the server does not hold 64 MB for a client");
    wait_for_timeout(&server, &peer.address().to_string());
    let growth = peak_memory(server.pid()) - before;
    assert!(growth < 1024 * 1024, "the peak memory grew by {growth} bytes");
    // The bytes that arrived before the connection ended are the first ones that were sent.
    let mut received = Vec::new();
    let _ = peer.stream().read_to_end(&mut received);
    assert!(!received.is_empty());
    assert_same_bytes(&received, &bytes[..received.len()]);
}

/// A client that reads almost nothing does not affect the others, and is closed at the write timeout.
#[test]
fn closes_a_client_that_reads_byte_by_byte_at_the_write_timeout() {
    let server = server_with_short_write_timeout();
    let mut slow = server.connect();
    slow.shrink_buffers();
    let address = slow.address().to_string();
    let sender = slow.send_in_background(more_than_socket_buffers_hold());
    let mut other = server.connect();
    while !sender.is_finished() {
        // Ten bytes a second: too few for the write timeout of one second.
        other.expect_silence_for(Duration::from_millis(100));
        let _ = slow.stream().read(&mut [0]);
        other.exchange(b"meanwhile");
    }
    sender.join().unwrap().expect_err("the server does not hold 64 MB for a client");
    wait_for_timeout(&server, &address);
    other.exchange(b"afterwards");
}

/// A hundred clients that send one byte in each round do not affect another client.
#[test]
fn serves_clients_that_send_byte_by_byte_and_others_at_the_same_time() {
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

/// A worker sleeps while its peer has half-closed and does not read the rest of its echo; a busy loop
/// would be a defect.
#[test]
fn a_half_closed_client_that_does_not_read_costs_no_processor_time() {
    let server = EchoServer::start(&["--workers", "1", "--log-messages", "off"]);
    let mut other = server.connect();
    other.exchange(b"before");
    let mut half_closed = server.connect();
    half_closed.exchange(b"the server's end is there");
    let address = half_closed.address();
    let server_socket = || tcp::socket(server.address(), address);
    let sleeps = || are_sleeping(server.pid(), "worker-");
    // Sends until the server stops reading. Its socket buffer then still has room for the FIN.
    let (mut payload, mut sent) = (Random::new(2), Vec::new());
    while server_socket().unread == 0 {
        let piece = payload.bytes(32 * 1024);
        half_closed.send(&piece);
        sent.extend(piece);
        wait_until("the worker has read and sleeps", sleeps);
    }
    half_closed.half_close();
    wait_until("the server's socket has received the FIN", || {
        server_socket().state == tcp::CLOSE_WAIT
    });
    wait_until("the worker sleeps", || {
        let before = run_time(server.pid(), "worker-");
        other.expect_silence_for(Duration::from_millis(100));
        // The count of runs alone is not enough: a worker that waits for a processor does not run either.
        sleeps() && run_time(server.pid(), "worker-") == before
    });
    half_closed.expect_to_end(&sent);
}

//! Tests of the shutdown and the restart of the server.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use rustix::process::Signal;
use tests::{
    net::{Peer, mock_server::own_address},
    payload::Random,
    programs::{EchoServer, Launch, Program},
};

const LONG_DRAIN: [&str; 2] = ["--drain-timeout", "10m"];

/// The server echoes what it has received, ends each stream, and exits when all clients have left.
#[test]
fn sigterm_loses_no_received_byte() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peers: Vec<Peer> = (0..50).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"before the signal\n");
    }
    // The kernel buffers these bytes while the server is stopped. When it continues, it finds them and the
    // signal at the same time.
    server.pause();
    let payload = |number| Random::new(number).letters(10_000);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.send(&payload(number));
    }
    server.signal(Signal::TERM);
    server.resume();
    for (number, peer) in (0..).zip(&mut peers) {
        peer.expect_to_end(&payload(number));
    }
    drop(peers);
    let (status, log) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains(" - INFO - Shutting down server..."), "{log}");
    assert!(log.trim_end().ends_with(" - INFO - Server shutdown complete"), "{log}");
}

/// A client with megabytes in transit receives the echo of what the server had read, then the end of the
/// stream.
#[test]
fn sigterm_during_a_transfer_leaves_a_correct_prefix() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peer = server.connect();
    let bytes = Random::new(26).letters(4_000_000);
    let sender = peer.send_in_background(bytes.clone());
    peer.expect(&bytes[..100_000]);
    server.signal(Signal::TERM);
    let rest = peer.read_to_end();
    tests::net::assert_same_bytes(&rest, &bytes[100_000..100_000 + rest.len()]);
    drop(peer);
    let _ = sender.join().unwrap();
    let (status, _) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn an_idle_server_exits_with_0_on_sigint_and_sigterm() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = EchoServer::start(&LONG_DRAIN);
        server.signal(signal);
        let (status, log) = server.wait_with_log();
        assert_eq!(status.code(), Some(0));
        assert!(
            log.contains("Shutting down server...") && log.contains("Server shutdown complete")
        );
    }
}

#[test]
fn accepts_no_client_during_a_shutdown() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    peer.expect_end();
    // A client that connects before the listener is closed can still be served until its stream ends. The
    // loop ends when the listener is closed.
    while let Ok(mut late) = TcpStream::connect(server.address()) {
        let _ = late.write_all(b"hello?\n");
        let mut received = Vec::new();
        let _ = late.read_to_end(&mut received);
        assert!(b"hello?\n".starts_with(&received), "{received:?}");
    }
    peer.try_send(b"too late\n");
    drop(peer);
    let (status, _) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_client_that_stays_delays_the_shutdown_only_until_the_drain_timeout() {
    let server = EchoServer::start(&["--drain-timeout", "200ms"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    let (status, log) = server.wait_with_log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.trim_end().ends_with("Server shutdown complete"), "{log}");
}

#[test]
fn a_second_signal_ends_the_server_immediately() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut server = EchoServer::start(&LONG_DRAIN);
        let mut peer = server.connect();
        peer.exchange(b"hello\n");
        server.signal(Signal::TERM);
        peer.expect_end();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(code), "{}", server.log().text());
    }
}

/// The server binds its port again after a `kill -9`, and while connections are in `TIME_WAIT`.
#[test]
fn restarts_immediately_on_the_same_port() {
    let host = own_address().to_string();
    let args = ["--host", &host];
    let server = EchoServer::start(&args);
    let port = server.address().port();
    for _ in 0..3 {
        // The server closes first, so its end stays in TIME_WAIT.
        let mut peer = server.connect();
        peer.send(b"exit\n");
        peer.expect_to_end(b"Goodbye!\n");
    }
    let (status, _) = server.terminate();
    assert_eq!(status.code(), Some(0));

    let server = Launch::new(&args).port(port).start();
    let mut peer = server.connect();
    peer.exchange(b"again\n");
    server.signal(Signal::KILL);
    assert_eq!(server.wait_with_log().0.code(), None);

    let server = Launch::new(&args).port(port).start();
    server.connect().exchange(b"and again\n");
    drop(peer);
}

#[test]
fn reports_a_port_in_use_in_one_line_and_exits_with_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = Program::run_server(&["--port", &port]);
    assert_eq!(ended.code(), 1);
    assert!(ended.error_line().contains(&port), "{ended:?}");

    let server = EchoServer::start(&[]);
    let port = server.address().port().to_string();
    let ended = Program::run_server(&["--port", &port]);
    assert_eq!(ended.code(), 1);
    assert!(ended.error_line().contains(&port), "{ended:?}");
    server.connect().exchange(b"the first one continues\n");
}

/// Both servers need `--reuse-port`. The new one serves each client that connects after the drain of the old
/// one has started.
#[test]
fn with_reuse_port_a_new_server_starts_before_the_old_one_has_drained() {
    let old = EchoServer::start(&["--reuse-port"]);
    let mut served = old.connect();
    served.exchange(b"by the old one\n");
    let new = Launch::new(&["--reuse-port"]).port(old.address().port()).start();
    old.signal(Signal::TERM);
    old.wait_for_log("Shutting down");
    served.expect_to_end(b"");
    drop(served);
    let (status, log) = old.wait_with_log();
    assert!(status.success() && log.contains("Server shutdown complete"), "{log}");
    for _ in 0..20 {
        new.connect().exchange(b"by the new one\n");
    }
}

#[test]
fn handles_data_before_a_fin_of_the_same_wakeup() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.pause();
    peer.send(b"the last words");
    peer.half_close();
    server.resume();
    peer.expect_to_end(b"the last words");
}

/// The server has not accepted the client when its data and its FIN arrive.
#[test]
fn serves_a_client_that_finished_before_the_accept() {
    let server = EchoServer::start(&[]);
    server.pause();
    let mut peer = server.connect();
    peer.send(b"one\ntwo\nexit\n");
    peer.half_close();
    server.resume();
    peer.expect_to_end(b"one\ntwo\nGoodbye!\n");
}

#[test]
fn sigpipe_has_no_effect() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    server.signal(Signal::PIPE);
    peer.exchange(b"after\n");
}

#[test]
fn a_reset_before_the_accept_affects_no_other_connection() {
    let server = EchoServer::start(&[]);
    let mut other = server.connect();
    other.exchange(b"before\n");
    server.pause();
    for _ in 0..20 {
        let mut peer = server.connect();
        peer.send(b"never to be read\n");
        peer.reset();
    }
    server.resume();
    server.connect().exchange(b"a new one\n");
    other.exchange(b"after\n");
    assert!(
        !server.log().text().contains("ERROR"),
        "the server logs an error for a reset of a peer"
    );
}

/// Without a log file or a configuration file, SIGHUP means that the terminal has closed: the server drains.
#[test]
fn sighup_without_files_to_reload_drains_the_server() {
    // A process starts with its parent's ignored signals, here those of `nohup make test`, and with the default for
    // those that its parent handles.
    signal_hook::flag::register(Signal::HUP.as_raw(), Arc::default())
        .expect("SIGHUP can be handled");
    let mut server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::HUP);
    peer.expect_to_end(b"");
    drop(peer);
    assert!(server.wait().success());
}

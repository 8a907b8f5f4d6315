//! How the server ends, and begins again.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use rustix::process::Signal;
use tests::{
    payload::Random,
    peer::Peer,
    program::Program,
    server::{EchoServer, Launch},
};

const LONG_DRAIN: [&str; 2] = ["--drain-timeout", "10m"];

/// SIGINT/SIGTERM -> drain: what was received is echoed, then FIN, exit 0 as soon as idle. Clients
/// that were being served lose nothing they were promised.
#[test]
fn sigterm_in_mid_conversation_loses_no_byte_that_had_been_received() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peers: Vec<Peer> = (0..50).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"in mid-conversation\n");
    }
    // While the server is stopped, the kernel takes for it what is sent: this and the signal are
    // what it finds when it goes on, in one moment.
    server.signal(Signal::STOP);
    let payload = |number| Random::new(number).letters(10_000);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.send(&payload(number));
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.expect_rest(&payload(number));
    }
    drop(peers);
    let (status, log) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains(" - INFO - Shutting down server..."), "{log}");
    assert!(log.trim_end().ends_with(" - INFO - Server shutdown complete"), "{log}");
}

/// A client that has 2 MB to be echoed when the signal comes gets as much as the server had read,
/// a correct prefix, and then the end of the stream.
#[test]
fn sigterm_behind_a_backlog_of_megabytes_leaves_a_correct_prefix() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peer = server.connect();
    let bytes = Random::new(26).letters(4_000_000);
    let sender = peer.send_aside(bytes.clone());
    peer.expect(&bytes[..100_000]);
    server.signal(Signal::TERM);
    let rest = peer.rest();
    tests::peer::assert_same(&rest, &bytes[100_000..100_000 + rest.len()]);
    drop(peer);
    let _ = sender.join().unwrap();
    let (status, _) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn sigint_and_sigterm_end_an_idle_server_with_status_0() {
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
fn a_shutdown_takes_no_new_client() {
    let server = EchoServer::start(&LONG_DRAIN);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    peer.expect_end();
    // Who connects before the listener has been closed can still be served, and is then told to go
    // like everybody else; soon nobody can.
    while let Ok(mut late) = TcpStream::connect(server.address()) {
        let _ = late.write_all(b"hello?\n");
        let mut received = Vec::new();
        let _ = late.read_to_end(&mut received);
        assert!(b"hello?\n".starts_with(&received), "{received:?}");
    }
    peer.send_regardless(b"too late\n");
    drop(peer);
    let (status, _) = server.wait_with_log();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_client_that_stays_holds_up_the_shutdown_until_the_drain_timeout_only() {
    let server = EchoServer::start(&["--drain-timeout", "200ms"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    let (status, log) = server.wait_with_log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.trim_end().ends_with("Server shutdown complete"), "{log}");
}

/// A second signal -> out at once.
#[test]
fn a_second_signal_ends_the_server_at_once() {
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

/// kill -9, restart at once -> binds again; so does a server whose closed connections the kernel
/// still remembers.
#[test]
fn a_restart_on_the_same_port_works_at_once() {
    let server = EchoServer::start(&[]);
    let port = server.address().port();
    for _ in 0..3 {
        // The server closes these first: its side is the one that stays in TIME_WAIT.
        let mut peer = server.connect();
        peer.send(b"exit\n");
        peer.expect_rest(b"Goodbye!\n");
    }
    let (status, _) = server.terminate();
    assert_eq!(status.code(), Some(0));

    let server = Launch::new::<&str>(&[]).port(port).start();
    let mut peer = server.connect();
    peer.exchange(b"again\n");
    server.signal(Signal::KILL);
    assert_eq!(server.wait_with_log().0.code(), None);

    let server = Launch::new::<&str>(&[]).port(port).start();
    server.connect().exchange(b"and again\n");
    drop(peer);
}

/// Port in use -> one line that names it; status 1.
#[test]
fn a_port_in_use_is_one_line_and_status_1() {
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
    server.connect().exchange(b"the first one goes on\n");
}

/// A new server can start before the old one has drained, if both say so: whoever comes from then on is
/// served by the new one.
#[test]
fn with_reuse_port_a_new_server_starts_before_the_old_one_has_drained() {
    let old = EchoServer::start(&["--reuse-port"]);
    let mut served = old.connect();
    served.exchange(b"by the old one\n");
    let new = Launch::new(&["--reuse-port"]).port(old.address().port()).start();
    old.signal(Signal::TERM);
    old.wait_for_log("Shutting down");
    served.expect_rest(b"");
    drop(served);
    let (status, log) = old.wait_with_log();
    assert!(status.success() && log.contains("Server shutdown complete"), "{log}");
    for _ in 0..20 {
        new.connect().exchange(b"by the new one\n");
    }
}

/// Data and FIN found in one wakeup -> data first.
#[test]
fn data_and_fin_found_in_one_wakeup_are_taken_in_order() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::STOP);
    peer.send(b"the last words");
    peer.half_close();
    server.signal(Signal::CONT);
    peer.expect_rest(b"the last words");
}

/// As above, for a client that the server has not even accepted.
#[test]
fn a_client_that_came_and_finished_while_the_server_was_stopped_is_served() {
    let server = EchoServer::start(&[]);
    server.signal(Signal::STOP);
    let mut peer = server.connect();
    peer.send(b"one\ntwo\nexit\n");
    peer.half_close();
    server.signal(Signal::CONT);
    peer.expect_rest(b"one\ntwo\nGoodbye!\n");
}

/// SIGPIPE -> never fatal.
#[test]
fn sigpipe_does_not_end_the_server() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    server.signal(Signal::PIPE);
    peer.exchange(b"after\n");
}

/// RST while still in the queue -> only that connection ends.
#[test]
fn clients_that_reset_before_they_are_accepted_do_no_harm() {
    let server = EchoServer::start(&[]);
    let mut witness = server.connect();
    witness.exchange(b"before\n");
    server.signal(Signal::STOP);
    for _ in 0..20 {
        let mut peer = server.connect();
        peer.send(b"never to be read\n");
        peer.reset();
    }
    server.signal(Signal::CONT);
    server.connect().exchange(b"a new one\n");
    witness.exchange(b"after\n");
    assert!(!server.log().text().contains("ERROR"), "a peer's fault is not the server's");
}

/// The terminal is gone, and there is nothing to read anew: the server leaves as it does when it is asked to.
#[test]
fn a_hangup_without_settings_to_read_is_the_end() {
    let mut server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::HUP);
    peer.expect_rest(b"");
    drop(peer);
    assert!(server.wait().success());
}

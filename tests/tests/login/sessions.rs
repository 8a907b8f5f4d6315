//! Sessions of users.

use std::fs;

use common::receipt::{EndedBy, Receipt, Tally};
use rustix::process::Signal;
use tests::{net::Peer, programs::Launch};

use crate::{Scram, Users, log_in, read_line};

const LISTEN: &str = "tcp://127.0.0.1:0?login=required";

fn launch(users: &Users, more: &[&str]) -> tests::programs::EchoServer {
    let mut args = users.server(LISTEN);
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    Launch::new(&args).without_port().start()
}

#[test]
fn a_session_begins_with_the_login_and_the_log_has_the_user_and_no_secret() {
    let users = Users::new();
    let server = launch(&users, &["--log-format", "json"]);
    let mut peer = server.connect();
    peer.send(b"hello\n");
    assert!(read_line(&mut peer).starts_with("-ERR Log in first"));
    assert_eq!(log_in(&mut peer, "alice", "pencil"), "+OK Logged in\r\n");
    peer.exchange(b"AUTH PLAIN is text now\n");
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
    drop(peer);
    let (_, log) = server.terminate();
    for text in [
        r#""event":"login","peer":"127.0.0.1"#,
        r#""user":"alice","mechanism":"SCRAM-SHA-256""#,
        r#""event":"closed""#,
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    let closed = log.lines().find(|line| line.contains(r#""event":"closed""#)).unwrap();
    assert!(closed.contains(r#""user":"alice""#), "{closed}");
    assert!(!log.contains("hello") && !log.contains("AUTH SCRAM"), "{log}");
}

#[test]
fn a_wrong_password_and_an_unknown_name_have_one_log_line_each() {
    let users = Users::new();
    let server = launch(&users, &[]);
    // A name that would end the quotes, and look like a success.
    let forged = "eve' by SCRAM-SHA-256: the proof is right; 'bob";
    for name in ["alice", forged] {
        let mut peer = server.connect();
        assert_eq!(log_in(&mut peer, name, "wrong"), "-ERR Not logged in\r\n");
    }
    let (_, log) = server.terminate();
    let failed: Vec<_> = log.lines().filter(|line| line.contains("failed to log in")).collect();
    assert_eq!(failed.len(), 2, "{log}");
    assert!(
        failed[0].ends_with("failed to log in as 'alice' by SCRAM-SHA-256: the proof is wrong")
    );
    assert!(
        failed[1].contains(r"as 'eve\' by SCRAM-SHA-256: the proof is right; \'bob' by"),
        "{log}"
    );
}

#[test]
fn a_login_may_come_with_the_bytes_of_its_session_in_frames_too() {
    let users = Users::new();
    let args = users.server("tcp://127.0.0.1:0?login=required&protocol=length");
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    let frame = |text: &str| common::frame::encode(text.as_bytes()).unwrap();
    peer.send(&[frame("AUTH"), frame("hello"), frame("exit")].concat());
    let expected = [
        frame("+OK Mechanisms:"),
        frame("SCRAM-SHA-256"),
        frame("."),
        frame("-ERR Log in first: AUTH MECHANISM; AUTH lists the mechanisms"),
        frame("Goodbye!"),
    ];
    peer.expect_to_end(&expected.concat());
}

#[test]
fn a_user_has_no_more_connections_than_allowed() {
    let users = Users::new();
    let server = launch(&users, &["--max-connections-per-user", "1"]);
    let mut first = server.connect();
    assert_eq!(log_in(&mut first, "alice", "pencil"), "+OK Logged in\r\n");
    let mut second = server.connect();
    let refused = "-ERR Not logged in: the user has 1 connections, as many as allowed\r\n";
    assert_eq!(log_in(&mut second, "alice", "pencil"), refused);
    second.send(b"exit\r\n");
    second.expect_to_end(b"Goodbye!\r\n");
    first.send(b"exit\n");
    first.expect_to_end(b"Goodbye!\n");
    drop(first);
    server.wait_for_log("requested to exit");
    let again = |server: &tests::programs::EchoServer| {
        let mut peer = server.connect();
        log_in(&mut peer, "alice", "pencil")
    };
    tests::wait::wait_until("the first session has ended", || again(&server).starts_with("+OK"));
}

#[test]
fn a_reload_that_removes_a_user_keeps_or_closes_the_sessions() {
    for (setting, is_closed) in [("keep", false), ("close", true)] {
        let users = Users::new();
        assert_eq!(users.run("pen\n", &["add", "bob", "--iterations", "4096"]).code(), 0);
        let server = launch(&users, &["--removed-users", setting]);
        let [mut alice, mut bob] = ["alice", "bob"].map(|name| {
            let mut peer = server.connect();
            let password = if name == "alice" { "pencil" } else { "pen" };
            assert_eq!(log_in(&mut peer, name, password), "+OK Logged in\r\n");
            peer
        });
        assert_eq!(users.run("", &["remove", "alice"]).code(), 0);
        server.signal(Signal::HUP);
        if is_closed {
            alice.expect_end();
            server.wait_for_log("was disconnected: the user 'alice' was removed");
        } else {
            server.wait_for_log("Configuration reloaded");
            alice.exchange(b"still here\n");
        }
        bob.exchange(b"bob stays\n");
        let mut peer = server.connect();
        assert_eq!(log_in(&mut peer, "alice", "pencil"), "-ERR Not logged in\r\n");
    }
}

#[test]
fn a_receipt_counts_nothing_of_the_login_and_follows_the_removal_of_the_user() {
    let users = Users::new();
    assert_eq!(users.run("pen\n", &["add", "bob", "--iterations", "4096"]).code(), 0);
    let mut args = users.server("tcp://127.0.0.1:0?login=required&receipt=on");
    args.extend(["--removed-users".to_owned(), "close".to_owned()]);
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    assert_eq!(log_in(&mut peer, "alice", "pencil"), "+OK Logged in\r\n");
    peer.exchange(b"hello\n");
    assert_eq!(users.run("", &["remove", "alice"]).code(), 0);
    server.signal(Signal::HUP);
    let last = peer.read_to_end();
    let receipt = Receipt::parse(&last).expect("the last line is a receipt");
    let mut hello = Tally::default();
    hello.update(b"hello\n");
    hello.add_messages(1);
    assert_eq!(receipt, Receipt::new(hello.total(), hello.total(), EndedBy::Server));
}

#[test]
fn a_reload_of_a_wrong_file_changes_nothing() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let text = fs::read_to_string(users.path()).unwrap();
    fs::write(users.path(), format!("{text}alice:unknown::\n")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("line 5: expected NAME:scram-sha-256");
    server.wait_for_log("not reloaded");
    let mut peer = server.connect();
    assert_eq!(log_in(&mut peer, "alice", "pencil"), "+OK Logged in\r\n");
}

#[test]
fn a_client_that_does_not_log_in_in_time_is_closed() {
    let users = Users::new();
    let args = users.server("tcp://127.0.0.1:0?login=required&handshake-timeout=300ms");
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    peer.send(b"AUTH\n");
    let end = String::from_utf8(peer.read_to_end()).unwrap();
    assert!(end.ends_with("-ERR Too late\r\n"), "{end}");
    // One that sends nothing is closed too.
    server.connect().expect_to_end(b"-ERR Too late\r\n");
}

#[test]
fn a_drain_ends_a_login() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let mut peer = server.connect();
    peer.send(b"AUTH SCRAM-SHA-256\n");
    assert_eq!(read_line(&mut peer), "+ \r\n");
    server.signal(Signal::TERM);
    peer.expect_end();
    drop(peer);
    assert!(server.wait_with_log().0.success());
}

#[test]
fn many_failed_logins_are_refused_without_a_look_at_the_password() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let attempts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..30)
            .map(|_| {
                scope.spawn(|| {
                    let mut peer: Peer = server.connect();
                    log_in(&mut peer, "alice", "wrong")
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(attempts.iter().all(|answer| answer == "-ERR Not logged in\r\n"), "{attempts:?}");
    let mut peer = server.connect();
    assert_eq!(log_in(&mut peer, "alice", "pencil"), "-ERR Not logged in\r\n");
    server.wait_for_log("too many logins have failed");
}

#[test]
fn a_failed_login_has_its_line_even_if_the_client_leaves_before_the_answer() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let mut peer = server.connect();
    let exchange = Scram::begin(&mut peer, "alice", "wrong");
    exchange.send_proof(&mut peer);
    // The line is there before the answer, which is delayed.
    server.wait_for_log("failed to log in as 'alice' by SCRAM-SHA-256: the proof is wrong");
    peer.reset();
    server.wait_for_log("Connection with .* closed");
}

#[test]
fn a_user_who_is_removed_during_the_login_is_refused() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let mut peer = server.connect();
    let exchange = Scram::begin(&mut peer, "alice", "pencil");
    exchange.send_proof(&mut peer);
    assert!(read_line(&mut peer).starts_with("+ "), "the proof is right");
    assert_eq!(users.run("", &["remove", "alice"]).code(), 0);
    server.signal(Signal::HUP);
    server.wait_for_log("Configuration reloaded");
    peer.send(b"\r\n");
    assert_eq!(read_line(&mut peer), "-ERR Not logged in: the user was removed\r\n");
}

#[test]
fn no_more_than_8_kb_behind_a_login_are_kept() {
    let users = Users::new();
    let server = launch(&users, &[]);
    let mut peer = server.connect();
    let exchange = Scram::begin(&mut peer, "alice", "wrong");
    let proof = exchange.proof();
    peer.send(&[proof.as_bytes(), &vec![b'x'; 20_000]].concat());
    // The connection closes with the answer, so nothing behind the login has to be kept for it.
    assert_eq!(peer.read_to_end(), b"-ERR Not logged in\r\n");
}

#[test]
fn the_idle_timeout_does_not_end_a_connection_that_waits_for_its_answer() {
    let users = Users::new();
    let args = users.server("tcp://127.0.0.1:0?login=required&idle-timeout=100ms");
    let server = Launch::new(&args).without_port().start();
    let mut peer = server.connect();
    // Its answer is delayed by 200 ms.
    assert_eq!(log_in(&mut peer, "alice", "wrong"), "-ERR Not logged in\r\n");
}

//! Faults of protocols and layers, as other programs see them.

use std::process::Command;

use common::fault::{Fault, FaultAct, FaultRecord};
use tempfile::TempDir;
use tests::{
    net::TestCa,
    programs::{Finished, Program, binaries},
    requirements::{openssl, python, python_module, skip_without},
};

use crate::faulty::Faulty;

/// Starts a server over TLS with these faults.
pub(crate) fn tls_server(faults: &str) -> (TestCa, Faulty) {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let files = [&certificate.certificate_file, &certificate.key_file];
    let [cert, key] = files.map(|file| file.to_str().expect("it is UTF-8"));
    let server = Faulty::start("tls", &[faults], &["--tls-cert", cert, "--tls-key", key]);
    (ca, server)
}

/// Runs a client on the TLS of Python, which sends this text.
pub(crate) fn tls_client(server: &Faulty, text: &str) -> Finished {
    let port = server.address(0).port().to_string();
    script(include_str!("programs/tls_client.py"), &[&port, text])
}

fn script(script: &str, args: &[&str]) -> Finished {
    let mut python = Command::new("python3");
    python.args(["-c", script]).args(args);
    Program::spawn(python).finish()
}

fn echo_client(url: &str, input: &str) -> Finished {
    let mut client = Program::start(binaries::echo_client(), &[url]);
    client.feed_all(input.as_bytes().to_vec());
    client.finish()
}

fn acts(records: &[FaultRecord]) -> Vec<FaultAct> {
    records.iter().map(|record| record.act).collect()
}

#[test]
fn python_and_openssl_miss_the_close_notify() {
    if skip_without(&[python(), openssl()]) {
        return;
    }
    let (_ca, server) = tls_server("no-close-notify=on");
    let finished = tls_client(&server, "hello\nexit\n");
    assert_eq!(finished.stdout_text(), "hello\nGoodbye!\n no close_notify\n");
    let mut command = Command::new("openssl");
    let address = server.address(0).to_string();
    command.args(["s_client", "-quiet", "-connect", &address]);
    let mut openssl = Program::spawn(command);
    openssl.feed_all(b"exit\n".to_vec());
    let finished = openssl.finish_with_open_stdin();
    assert!(finished.stderr.contains("unexpected eof while reading"), "{finished:?}");
    let acts = acts(&server.records());
    let [first, second] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((first.fault, second.fault), (Fault::NoCloseNotify, Fault::NoCloseNotify));
    assert!(first.offset > 0, "it is behind the handshake and the echo");

    let (_ca, server) = tls_server("no-close-notify=on@0%");
    let finished = tls_client(&server, "hello\nexit\n");
    assert_eq!(finished.stdout_text(), "hello\nGoodbye!\n close_notify\n");
    assert!(server.records().is_empty());
}

#[test]
fn clients_of_a_websocket_refuse_a_frame_with_a_mask() {
    let server = Faulty::start("http", &["bad-mask=1"], &[]);
    let url = format!("ws://{}", server.address(0));
    let finished = echo_client(&url, "first\nsecond\nthird\n");
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("a frame is masked"), "{finished:?}");
    if !skip_without(&[python_module("websockets", "websockets")]) {
        let client = include_str!("programs/websockets_client.py");
        let finished = script(client, &[&url, "first", "second", "third"]);
        assert_eq!(finished.stdout_text(), "first\nreceived None sent 1002\n");
    }
    for record in server.records() {
        let act =
            FaultAct { message: Some(1), ..FaultAct::sent(Fault::BadMask, record.act.offset) };
        assert_eq!(record.act, act);
    }
}

#[test]
fn clients_of_a_websocket_see_the_code_of_the_close() {
    let server = Faulty::start("http", &["close-code=1013:2"], &[]);
    let url = format!("ws://{}", server.address(0));
    let finished = echo_client(&url, "first\nsecond\nthird\n");
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("1013"), "{finished:?}");
    server.process.wait_for_log("Fault injected for .*: close-code at byte .*, code 1013 ");
    if !skip_without(&[python_module("websockets", "websockets")]) {
        let client = include_str!("programs/websockets_client.py");
        let finished = script(client, &[&url, "first", "second", "third"]);
        assert_eq!(finished.stdout_text(), "first\nsecond\nreceived 1013 sent 1013\n");
    }
    for act in acts(&server.records()) {
        assert_eq!((act.fault, act.message, act.code), (Fault::CloseCode, Some(2), Some(1013)));
    }
}

/// Starts a server that knows the user `alice`, with these faults.
fn login_server(parameters: &str) -> (TempDir, Faulty) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let users = directory.path().join("users");
    let users = users.to_str().expect("it is UTF-8");
    let add = ["user", "add", "alice", "--iterations", "4096", "--users", users];
    let mut user = Program::start(binaries::echo_server(), &add);
    user.feed_all(b"pencil\n".to_vec());
    assert_eq!(user.finish().code(), 0);
    let parameters = format!("login=required{parameters}");
    let server = Faulty::start("tcp", &[&parameters], &["--users", users]);
    (directory, server)
}

/// Starts a client that logs in as `alice`.
fn log_in_at(server: &Faulty) -> Program {
    let mut client = Command::new(binaries::echo_client());
    client.args([&server.address(0).to_string(), "--user", "alice"]).env("ECHO_PASSWORD", "pencil");
    Program::spawn(client)
}

/// Runs a client that logs in as `alice` and echoes a line, at a server with these faults. Returns what was done as well.
fn log_in(faults: &str) -> (Finished, Vec<FaultAct>) {
    let (_directory, server) = login_server(&format!("&{faults}"));
    let mut client = log_in_at(&server);
    client.feed_all(b"hello\n".to_vec());
    let finished = client.finish();
    (finished, acts(&server.records()))
}

#[test]
fn a_client_refuses_a_server_whose_proof_is_wrong() {
    let (refused, acts) = log_in("login-wrong-proof=on");
    assert_eq!((refused.code(), refused.stdout_text()), (1, ""), "{refused:?}");
    assert!(refused.stderr.contains("its signature is wrong"), "{refused:?}");
    assert_eq!(acts, [FaultAct::sent(Fault::LoginWrongProof, 0)]);
    let (accepted, acts) = log_in("login-wrong-proof=on@0%");
    assert_eq!((accepted.code(), acts), (0, Vec::new()), "{accepted:?}");
}

/// The session behind a login looked at no timer of its faults, and what they held was never served.
#[test]
fn a_session_behind_a_login_has_the_faults_of_its_connection() {
    let (finished, acts) = log_in("delay=20ms");
    assert_eq!((finished.code(), finished.stdout_text()), (0, "hello\n"), "{finished:?}");
    assert!(acts.iter().all(|act| act.fault == Fault::Delay) && acts.len() > 3, "{acts:?}");
}

/// The place once counted the bytes of the login, and later began again with each change.
#[test]
fn the_place_of_a_message_behind_a_login_counts_the_echo_since_the_login() {
    let (_directory, server) = login_server("&delay=1ms@0%");
    let mut client = log_in_at(&server);
    client.feed(b"one\n");
    server.process.wait_for_log("Echoed to .*: 'one'");
    server.change(&["set", "drop=100%", "--seed", "7"]);
    client.feed_all(b"two\n".to_vec());
    // It finds that bytes are missing.
    assert_ne!(client.finish().code(), 0);
    let act = FaultAct::sent(Fault::Drop, 4);
    let expected = FaultAct { bytes: Some(4), message: Some(1), ..act };
    assert_eq!(acts(&server.records()), [expected]);
}

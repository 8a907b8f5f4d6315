//! Clients of other programs.

use std::process::Command;

use rustix::process::Signal;
use tests::{
    net::assert_same_bytes,
    payload::Random,
    programs::{Finished, Program, TlsEchoServer},
    requirements::{gnutls, ncat, openssl, python, skip_without, socat},
};

/// The lines of a file of more than 2 MB, so that megabytes are in flight when it ends.
pub(crate) fn lines() -> Vec<u8> {
    let mut random = Random::new(14);
    (0..30_000)
        .flat_map(|number| format!("{number} {:x?}\n", random.bytes(14)).into_bytes())
        .collect()
}

/// Starts a client, whose arguments are separated by spaces.
fn client(program: &str, args: &str) -> Program {
    let mut command = Command::new(program);
    command.args(args.split_whitespace());
    Program::spawn(command)
}

/// Passes a file to the client, which ends its direction at the end of the file; the whole echo must follow.
#[track_caller]
fn expect_echo(program: &str, args: &str) -> Finished {
    let mut client = client(program, args);
    let sent = lines();
    client.feed_all(sent.clone());
    let finished = client.finish();
    assert_same_bytes(&finished.stdout, &sent);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished
}

#[test]
fn gnutls_receives_the_rest_of_its_echo_after_its_close_notify() {
    if skip_without(&[gnutls()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-format", "json", "--log-messages", "off"]);
    for priority in ["NORMAL", "NORMAL:-VERS-TLS1.3"] {
        let (ca, port) = (server.ca.file(), server.port());
        let args = format!(
            "--logfile=/dev/null --priority {priority} --x509cafile {ca} -p {port} localhost"
        );
        expect_echo("gnutls-cli", &args);
    }
    let ends = server.log().wait_for_lines(r#""event":"closed""#, 2);
    assert!(
        ends.iter().all(|end| end.contains(r#""reason":"fin","closed_by":"client""#)),
        "{ends:?}"
    );
}

#[test]
fn gnutls_resumes_a_session_and_updates_its_keys() {
    if skip_without(&[gnutls()]) {
        return;
    }
    let server = TlsEchoServer::start("", &[]);
    let (ca, port) = (server.ca.file(), server.port());
    let mut client = client(
        "gnutls-cli",
        &format!("--inline-commands -r --x509cafile {ca} -p {port} localhost"),
    );
    let _ = client.stdout.wait_for_line(r"\*\*\* This is a resumed session");
    for round in ["one", "two"] {
        client.feed(b"^rekey^\n");
        let _ =
            client.stdout.wait_for_lines("Rekey was completed", if round == "one" { 1 } else { 2 });
        client.feed(format!("{round}\n").as_bytes());
        let _ = client.stdout.wait_for_line(&format!("^{round}$"));
    }
    client.feed(b"exit\n");
    let finished = client.finish_with_open_stdin();
    assert!(finished.stdout_text().contains("Goodbye!\n"), "{finished:?}");
    server.wait_for_log("TLS handshake with .*, resumed$");
}

#[test]
fn a_renegotiation_is_refused() {
    if skip_without(&[gnutls()]) {
        return;
    }
    let server = TlsEchoServer::start("", &[]);
    let (ca, port) = (server.ca.file(), server.port());
    let args = format!(
        "--rehandshake --priority NORMAL:-VERS-TLS1.3 --x509cafile {ca} -p {port} localhost"
    );
    let finished = client("gnutls-cli", &args).finish_with_open_stdin();
    let output = format!("{finished:?}");
    assert!(output.contains("No renegotiation is allowed"), "{output}");
    server.wait_for_log("Connection with .* closed$");
}

#[test]
fn ncat_and_socat_receive_the_rest_of_their_echo_after_the_end_of_their_input() {
    if skip_without(&[ncat(), socat()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    let (ca, port) = (server.ca.file(), server.port());
    expect_echo("ncat", &format!("--ssl-verify --ssl-trustfile {ca} localhost {port}"));
    // Without this, socat waits for half a second only.
    expect_echo("socat", &format!("-t 30 - OPENSSL:localhost:{port},cafile={ca}"));
}

#[test]
fn openssl_updates_keys_in_the_middle_of_a_session() {
    if skip_without(&[openssl()]) {
        return;
    }
    let server = TlsEchoServer::start("", &[]);
    let (ca, address) = (server.ca.file(), server.host_port());
    let mut client = client(
        "openssl",
        &format!("s_client -tls1_3 -verify_return_error -CAfile {ca} -connect {address}"),
    );
    let _ = client.stdout.wait_for_line("Verify return code: 0");
    // A line of these letters is a command: `K` asks the server for new keys, `k` does not.
    for (round, command) in ["K", "k", "K"].iter().enumerate() {
        client.feed(format!("{command}\n").as_bytes());
        let _ = client.stderr.wait_for_lines("KEYUPDATE", round + 1);
        client.feed(format!("after key update {round}\n").as_bytes());
        let _ = client.stdout.wait_for_line(&format!("^after key update {round}$"));
    }
    client.feed(b"exit\n");
    assert!(client.finish_with_open_stdin().stdout_text().contains("Goodbye!\n"));
}

#[test]
fn openssl_is_refused_its_early_data() {
    if skip_without(&[openssl()]) {
        return;
    }
    let server = TlsEchoServer::start("", &[]);
    let address = server.host_port();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (session, early) = (directory.path().join("session"), directory.path().join("early"));
    std::fs::write(&early, "early\n").expect("the directory is writable");
    let (session, early) = (session.display(), early.display());
    for options in
        [format!("-sess_out {session}"), format!("-sess_in {session} -early_data {early}")]
    {
        let args = format!("s_client -tls1_3 -ign_eof -connect {address} {options}");
        let mut client = client("openssl", &args);
        client.feed(b"late\nexit\n");
        let finished = client.finish();
        assert!(finished.stdout_text().contains("late\nGoodbye!\n"), "{finished:?}");
        assert!(!finished.stdout_text().contains("Early data was accepted"), "{finished:?}");
    }
    server.wait_for_log("TLS handshake with .*, resumed$");
    assert!(!server.log().text().contains("'early'"), "early data is not echoed");
}

#[test]
fn the_order_of_the_server_decides_the_cipher_suite() {
    if skip_without(&[openssl()]) {
        return;
    }
    let server = TlsEchoServer::start("", &[]);
    let address = server.host_port();
    for (options, suite) in [
        (
            "-ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
            "TLS 1.3, TLS_AES_256_GCM_SHA384",
        ),
        (
            "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ] {
        let mut client =
            client("openssl", &format!("s_client -ign_eof -connect {address} {options}"));
        client.feed(b"exit\n");
        let _ = client.finish();
        server.wait_for_log(&format!("TLS handshake with .*: {suite},"));
    }
}

/// Runs a Python script of this directory, which exits with status 0 if all of its assertions hold.
fn python_script(script: &str, server: &TlsEchoServer, args: &[&str]) -> Program {
    let mut command = Command::new("python3");
    command.args(["-c", script, &server.port().to_string(), server.ca.file()]).args(args);
    Program::spawn(command)
}

#[test]
fn python_sees_each_end_of_the_stream_as_a_clean_one() {
    if skip_without(&[python()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--log-messages", "off"]);
    for version in ["1.2", "1.3"] {
        let finished =
            python_script(include_str!("programs/clean_ends.py"), &server, &[version]).finish();
        assert_eq!(finished.code(), 0, "{finished:?}");
    }
}

#[test]
fn python_sees_a_clean_end_when_the_server_ends_the_stream_by_itself() {
    if skip_without(&[python()]) {
        return;
    }
    let server = TlsEchoServer::start("", &["--idle-timeout", "2s"]);
    let script = include_str!("programs/served_until_the_end.py");
    let finished = python_script(script, &server, &[]).finish_with_open_stdin();
    assert_eq!(finished.code(), 0, "at the idle timeout: {finished:?}");
    let server = TlsEchoServer::start("", &[]);
    let client = python_script(script, &server, &[]);
    let _ = client.stdout.wait_for_line("served");
    server.signal(Signal::TERM);
    let finished = client.finish_with_open_stdin();
    assert_eq!(finished.code(), 0, "at the shutdown: {finished:?}");
}

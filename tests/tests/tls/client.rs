//! Tests of the client over `tls://`: every mode, every way to trust a server, and the words for every failure.

use std::{fs, io::Write as _, path::Path};

use tests::{
    net::{Certificate, TestCa, TlsFault, TlsServer, TlsServerConfig, mock_server},
    payload,
    programs::{Finished, Program, Terminal, binaries::echo_client, keys},
};

const PROMPT: &str = "Enter message:";

/// Sends one message to a server whose CA the client trusts.
fn send(server: &TlsServer, ca: &TestCa, more: &[&str]) -> Finished {
    Program::run_client(
        &[&[&server.url()[..], "--tls-ca", ca.file(), "-m", "hello"], more].concat(),
    )
}

/// Fails unless the run ended with status 1, no output, and these parts of the error message.
#[track_caller]
fn assert_fails(ended: &Finished, parts: &[&str]) {
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
    let error = &ended.stderr;
    for part in parts {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }
}

/// Returns a CA, a certificate of localhost, and a server with it.
fn server() -> (TestCa, Certificate, TlsServer) {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let server = TlsServer::with(&certificate);
    (ca, certificate, server)
}

#[test]
fn sends_messages_and_pings_over_tls() {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    for is_old in [false, true] {
        let server =
            TlsServer::start(&TlsServerConfig { is_old, ..TlsServerConfig::new(&certificate) });
        let ended = send(&server, &ca, &["-m", "again"]);
        assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\nagain\n"), "{ended:?}");
    }
    let server = TlsServer::with(&certificate);
    let url = server.url();
    let args = [&url[..], "ping", "--tls-ca", ca.file(), "--count", "2", "--interval", "1ms"];
    let ended = Program::run_client(&args);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let lines: Vec<_> = ended.stdout_text().lines().collect();
    assert!(lines[3].starts_with("2 sent, 2 received, 0% lost"), "{ended:?}");
    assert!(lines[5].starts_with("connect min/avg/max/stddev = "), "{ended:?}");
    assert!(lines[6].starts_with("handshake min/avg/max/stddev = "), "{ended:?}");
}

/// The input exceeds all buffers. At its end the client sends its `close_notify`, and the server its own after the echo.
#[test]
fn a_filter_over_tls_half_closes_and_receives_the_whole_echo() {
    let (ca, _, server) = server();
    let sent = payload::numbered_lines("line", 300_000).into_bytes();
    let mut filter = Program::start(echo_client(), &[&server.url()[..], "--tls-ca", ca.file()]);
    filter.feed_all(sent.clone());
    let ended = filter.finish();
    assert_eq!(ended.code(), 0, "{:?}", ended.stderr);
    assert!(ended.stdout == sent, "{} of {} bytes", ended.stdout.len(), sent.len());
}

#[test]
fn a_wrong_echo_is_found_behind_tls() {
    let (ca, certificate, _) = server();
    let config = TlsServerConfig { fault: TlsFault::Lies, ..TlsServerConfig::new(&certificate) };
    let ended = send(&TlsServer::start(&config), &ca, &[]);
    assert_fails(&ended, &["Wrong echo at byte 1: expected 'hello\\n', received 'iello\\n'"]);
}

/// A TLS 1.3 server sends session tickets after the handshake: the client at its prompt must not take them for data.
#[test]
fn a_session_in_a_terminal_runs_over_tls() {
    let (ca, _, server) = server();
    let (url, home) = (server.url(), tempfile::tempdir().unwrap());
    let args = [&url[..], "--tls-ca", ca.file()];
    let mut terminal = Terminal::start(echo_client(), &args, home.path());
    terminal.wait_for(&format!("Connected to echo server at {url}"));
    terminal.wait_for_prompt(PROMPT);
    for line in ["one", "two"] {
        terminal.enter(line);
        terminal.wait_for_prompt(&format!("Server echo: {line}\n\n{PROMPT}"));
    }
    terminal.send(keys::CTRL_D);
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    assert!(screen.ends_with("Disconnected from server"), "{screen}");
}

#[test]
fn at_the_prompt_it_notices_what_a_server_does_over_tls() {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    for (fault, text) in [
        (TlsFault::Closes, "The server has closed the connection"),
        (TlsFault::Truncates, "ended the connection without a TLS close_notify"),
        (TlsFault::Speaks, "The server sent unexpected data: '!'"),
    ] {
        let config = TlsServerConfig { fault, ..TlsServerConfig::new(&certificate) };
        let (server, home) = (TlsServer::start(&config), tempfile::tempdir().unwrap());
        let args = [&server.url()[..], "--tls-ca", ca.file()];
        let mut terminal = Terminal::start(echo_client(), &args, home.path());
        terminal.wait_for_prompt(PROMPT);
        terminal.enter("one");
        terminal.wait_for("Error: ");
        let (status, screen) = terminal.finish();
        assert_eq!(status, 1, "{screen}");
        assert!(screen.replace('\n', "").contains(text), "{fault:?}: {screen}");
    }
}

#[test]
fn an_unknown_issuer_is_refused_with_the_fingerprint_that_accepts_it() {
    let (_, certificate, server) = server();
    let same_name = send(&server, &TestCa::new(), &[]);
    assert_fails(
        &same_name,
        &["not signed by the trusted CA of the name CN=Test CA", "--tls-pin "],
    );
    let ended = send(&server, &TestCa::named("Other CA"), &[]);
    assert_fails(&ended, &["unknown issuer: CN=Test CA", "--tls-ca FILE", "--tls-pin "]);
    let error = ended.stderr.clone();
    let pin = error.split("--tls-pin ").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(pin.replace(':', "").to_lowercase(), certificate.fingerprint());
    let ended = Program::run_client(&[&server.url(), "--tls-pin", pin, "-m", "hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
}

#[test]
fn a_self_signed_certificate_is_accepted_by_its_file_or_its_fingerprint_only() {
    let ca = TestCa::new();
    let certificate = ca.self_signed();
    let server = TlsServer::with(&certificate);
    assert_fails(&send(&server, &ca, &[]), &["self-signed: CN=Test Server", "--tls-pin"]);
    let file = certificate.certificate_file.to_str().unwrap();
    for (trust, name, is_accepted) in [
        (["--tls-ca", file], "localhost", true),
        (["--tls-ca", file], "other", false),
        (["--tls-pin", &certificate.fingerprint()], "other", true),
    ] {
        let url = server.url();
        let args = [&[&url[..], "--tls-name", name, "-m", "x"], &trust[..]].concat();
        let ended = Program::run_client(&args);
        assert_eq!(ended.code() == 0, is_accepted, "{args:?}: {ended:?}");
    }
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused() {
    let (ca, _, server) = server();
    let other = ca.localhost().fingerprint();
    let ended = Program::run_client(&[&server.url(), "--tls-pin", &other, "-m", "x"]);
    assert_fails(&ended, &["and not the one of --tls-pin", "another server answered"]);
}

#[test]
fn a_wrong_name_is_refused_with_the_names_of_the_certificate() {
    let ca = TestCa::new();
    let server = TlsServer::with(&ca.issue(&["a.example", "*.b.example"], (2020, 4000)));
    assert_fails(
        &send(&server, &ca, &[]),
        &["not valid for 'localhost', only for 'a.example', '*.b.example'", "--tls-name NAME"],
    );
    assert_eq!(send(&server, &ca, &["--tls-name", "x.b.example"]).code(), 0);
}

#[test]
fn a_certificate_is_refused_before_and_after_its_time() {
    let ca = TestCa::new();
    let expired = TlsServer::with(&ca.issue(&["localhost"], (2001, 2002)));
    assert_fails(
        &send(&expired, &ca, &[]),
        &["expired on 2002-01-01 00:00:00 UTC, ", " days ago", "needs a new certificate"],
    );
    let early = TlsServer::with(&ca.issue(&["localhost"], (3999, 4000)));
    assert_fails(
        &send(&early, &ca, &[]),
        &["not valid before 3999-01-01 00:00:00 UTC, in ", "clock"],
    );
}

#[test]
fn presents_a_client_certificate_and_says_when_one_is_missing_or_refused() {
    let (ca, other_ca) = (TestCa::new(), TestCa::new());
    let certificate = ca.localhost();
    let [mine, foreign] = [&ca, &other_ca].map(|ca| ca.issue(&["me"], (2020, 4000)));
    for is_old in [false, true] {
        let config =
            TlsServerConfig { client_ca: Some(&ca), is_old, ..TlsServerConfig::new(&certificate) };
        let server = TlsServer::start(&config);
        assert_eq!(send(&server, &ca, &mine.client_args()).code(), 0);
        let missing = send(&server, &ca, &[]);
        assert_fails(
            &missing,
            &["it requires a client certificate", "--tls-cert FILE and --tls-key"],
        );
        let refused = send(&server, &ca, &foreign.client_args());
        assert_fails(&refused, &["refused the client certificate", "trusts its issuer"]);
    }
}

/// A server of TLS 1.1 answers with this alert.
#[test]
fn a_server_with_old_versions_only_is_named_as_such() {
    let address = mock_server::serve(|mut stream| {
        let _ = mock_server::receive(&mut stream);
        let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, 70]);
        while !mock_server::receive(&mut stream).is_empty() {}
    });
    let ended = Program::run_client(&[&format!("tls://{address}"), "--insecure", "-m", "x"]);
    assert_fails(&ended, &["supports neither TLS 1.2 nor TLS 1.3"]);
}

#[test]
fn a_server_without_tls_is_recognised() {
    let banner = mock_server::serve(|mut stream| {
        let _ = stream.write_all(b"Server is full\r\n");
        while !mock_server::receive(&mut stream).is_empty() {}
    });
    let echo = mock_server::serve(|mut stream| {
        loop {
            let received = mock_server::receive(&mut stream);
            if received.is_empty() || stream.write_all(&received).is_err() {
                return;
            }
        }
    });
    let closed = mock_server::serve(|mut stream| drop(mock_server::receive(&mut stream)));
    for (address, text) in [
        (banner, "it does not speak TLS: it answered with 'Server is full\\r\\n'"),
        (echo, "it does not speak TLS: it echoed the handshake"),
    ] {
        let ended = Program::run_client(&[&format!("tls://{address}"), "--insecure", "-m", "x"]);
        assert_fails(&ended, &[text, "Use tcp:// for a server without TLS;"]);
    }
    let ended = Program::run_client(&[&format!("tls://{closed}"), "--insecure", "-m", "x"]);
    assert_fails(&ended, &["Make sure that the server speaks TLS on this port."]);
}

#[test]
fn the_handshake_is_under_the_connect_timeout() {
    let silent =
        mock_server::serve(|mut stream| while !mock_server::receive(&mut stream).is_empty() {});
    let url = format!("tls://{silent}");
    let ended = Program::run_client(&[&url, "--insecure", "--timeout", "1s", "-m", "x"]);
    assert_fails(&ended, &["no TLS handshake within 1s"]);
}

#[test]
fn an_end_without_a_close_notify_is_an_error() {
    let (ca, certificate, _) = server();
    let config =
        TlsServerConfig { fault: TlsFault::Truncates, ..TlsServerConfig::new(&certificate) };
    let ended = send(&TlsServer::start(&config), &ca, &["-m", "again"]);
    let error = &ended.stderr;
    assert_eq!((ended.code(), ended.stdout_text()), (1, "hello\n"), "{ended:?}");
    assert!(error.contains("without a TLS close_notify"), "{error}");
}

#[test]
fn insecure_accepts_any_certificate_with_a_warning() {
    let (_, _, server) = server();
    let ended = Program::run_client(&[&server.url(), "--insecure", "-m", "hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let warning = &ended.stderr;
    assert!(warning.starts_with("Warning: --insecure accepts any certificate"), "{warning}");
}

#[test]
fn verbose_describes_the_connection_and_the_chain() {
    let (ca, certificate, server) = server();
    let ended = send(&server, &ca, &["-v"]);
    let text = ended.stderr.clone();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("Connected to ") && lines[0].ends_with(" ms"), "{text}");
    assert!(
        lines[1].starts_with("TLS handshake in ") && lines[1].contains(" ms: TLS 1.3, TLS_"),
        "{text}"
    );
    assert!(lines[1].ends_with(", ALPN none, full handshake"), "{text}");
    let expected = "Certificate 0: CN=Test Server for localhost, 127.0.0.1, issued by CN=Test CA, expires on 4000-01-01 00:00:00 UTC (in ";
    assert!(lines[2].starts_with(expected), "{text}");
    let fingerprint = lines[2].split(' ').next_back().unwrap().replace(':', "").to_lowercase();
    assert_eq!(fingerprint, certificate.fingerprint());
    let plain = mock_server::serve(|mut stream| {
        let received = mock_server::receive(&mut stream);
        let _ = stream.write_all(&received);
    });
    let ended = Program::run_client(&[&plain.to_string(), "-v", "-m", "x"]);
    let text = &ended.stderr;
    assert!(text.starts_with(&format!("Connected to {plain} in ")), "{text}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let ca = TestCa::new();
    let (one, other) = (ca.localhost(), ca.localhost());
    let [_, certificate, _, key] = one.client_args();
    let [.., other_key] = other.client_args();
    let invalid = Path::new(certificate).with_file_name("invalid.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&invalid, text).expect("the directory is writable");
    for (args, text) in [
        (&["--tls-ca", "missing.pem"][..], "Could not use missing.pem: no such file"),
        (&["--tls-ca", key], "it has no certificate in PEM form"),
        (
            &["--tls-ca", invalid.to_str().unwrap()],
            "invalid.pem: it holds an invalid CA: it cannot be parsed",
        ),
        (
            &["--tls-cert", certificate, "--tls-key", certificate],
            "it has no private key in PEM form",
        ),
        (
            &["--tls-cert", certificate, "--tls-key", other_key],
            "does not belong to the certificate",
        ),
    ] {
        let ended = Program::run_client(&[&["tls://localhost:7", "-m", "x"], args].concat());
        assert_fails(&ended, &[text]);
    }
}

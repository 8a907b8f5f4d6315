//! Tests of the client's options of TLS against the server: Unix sockets, application protocols, the log of secrets,
//! and the tip for a URL without TLS.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::PathBuf,
    process::Command,
};

use tempfile::{TempDir, tempdir};
use tests::{
    net::{Certificate, TestCa, mock_server},
    payload,
    programs::{EchoServer, Finished, Program, Report, Terminal, binaries::echo_client},
};

const PROMPT: &str = "Enter message:";

/// A server on a TCP port and a Unix socket, both with TLS, and the CA of its certificate.
struct Served {
    ca: TestCa,
    directory: TempDir,
    server: EchoServer,
}

impl Served {
    fn start(parameters: &str) -> Self {
        let (ca, directory) = (TestCa::new(), tempdir().expect("a temporary directory"));
        let Certificate { certificate_file, key_file, .. } = &ca.localhost();
        fs::set_permissions(key_file, fs::Permissions::from_mode(0o600)).expect("it is our file");
        let query =
            format!("cert={}&key={}{parameters}", certificate_file.display(), key_file.display());
        let tcp = format!("tls://127.0.0.1:0?{query}");
        let unix = format!("unix://{}/s?tls=on&{query}", directory.path().display());
        let server = EchoServer::start_with(&["--listen", &tcp, "--listen", &unix]);
        Self { ca, directory, server }
    }

    /// Returns the URL of the TCP port.
    fn url(&self) -> &str {
        &self.server.addresses()[0]
    }

    /// Returns the URL of the TCP port without TLS.
    fn plain_url(&self) -> String {
        self.url().replace("tls://", "tcp://")
    }

    /// Returns the URL of the Unix socket.
    fn unix_url(&self) -> String {
        format!("unix://{}/s?tls=on", self.directory.path().display())
    }

    /// Returns the path of a file that does not exist yet.
    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the client with these arguments; it trusts the CA.
    fn run(&self, args: &[&str]) -> Finished {
        Program::run_client(&[args, &["--tls-ca", self.ca.file()]].concat())
    }
}

#[test]
fn every_mode_runs_over_tls_on_a_unix_socket() {
    let served = Served::start("");
    let url = served.unix_url();
    let ended = served.run(&[&url, "-m", "hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let ended = served.run(&["ping", &url, "--count", "2", "--interval", "1ms"]);
    assert!(ended.stdout_text().starts_with(&format!("64 bytes from {url}: seq=1 ")), "{ended:?}");
    assert!(ended.stdout_text().contains("\nhandshake min/avg/max/stddev = "), "{ended:?}");

    let sent = payload::numbered_lines("line", 100_000).into_bytes();
    let args = [&url[..], "--tls-ca", served.ca.file()];
    let mut filter = Program::start(echo_client(), &args);
    filter.feed_all(sent.clone());
    let ended = filter.finish();
    assert!(ended.code() == 0 && ended.stdout == sent, "{:?}", ended.stderr);

    let mut terminal = Terminal::start(echo_client(), &args, served.directory.path());
    terminal.wait_for_prompt(PROMPT);
    terminal.enter("one");
    terminal.wait_for_prompt(&format!("Server echo: one\n\n{PROMPT}"));
    terminal.enter("exit");
    assert_eq!(terminal.finish().0, 0);

    let run = format!("--processes 2 --messages 20 --churn 5 --tls-ca {}", served.ca.file());
    let report = Report::at_url(&url, &run);
    report.expect_success();
    assert_eq!(report.json("/plan/server"), &url[..], "{report:?}");
    assert_eq!(report.json("/tls/handshake/count"), 80, "{report:?}");
}

/// A path is no name: the certificate has to be for localhost, or for the name that is given.
#[test]
fn the_certificate_behind_a_unix_socket_is_for_localhost_unless_another_name_is_given() {
    let served = Served::start("");
    let ended = served.run(&[&served.unix_url(), "-m", "x", "--tls-name", "echo.example.com"]);
    assert_eq!(ended.code(), 1, "{ended:?}");
    let reason = "not valid for 'echo.example.com', only for 'localhost', '127.0.0.1'";
    assert!(ended.stderr.contains(reason), "{ended:?}");
}

#[test]
fn the_server_selects_one_of_the_offered_application_protocols() {
    let served = Served::start("&alpn=echo,h2");
    let offer =
        |protocols: &str| served.run(&[served.url(), "-v", "-m", "x", "--tls-alpn", protocols]);
    for (offered, selected) in [("h2", "'h2'"), ("h2,echo", "'echo'"), ("other,h2", "'h2'")] {
        let ended = offer(offered);
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(ended.stderr.contains(&format!(", ALPN {selected}, ")), "{ended:?}");
    }
    for (offered, reason) in [
        ("http/1.1", "it does not support the application protocol 'http/1.1' (ALPN)"),
        ("a,b", "it supports none of the application protocols 'a', 'b' (ALPN)"),
    ] {
        let ended = offer(offered);
        assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
        let advice = "Offer one of the server's with --tls-alpn, or omit the flag.";
        assert!(ended.stderr.contains(reason) && ended.stderr.contains(advice), "{ended:?}");
    }
    let ended = offer("a,,b");
    assert_eq!(ended.code(), 2, "{ended:?}");
    assert!(ended.stderr.contains("expected names of protocols of 1 to 255 bytes"), "{ended:?}");
}

/// The processes of a load share the file: each line has to arrive in one piece.
#[test]
fn the_log_of_secrets_has_a_whole_line_for_each_secret_of_every_process() {
    let served = Served::start("");
    let file = served.file("keys");
    let keys = file.to_str().expect("it is UTF-8");
    let warning = format!("anyone who can read {keys} can decrypt these connections");
    for args in [&["-m", "x"][..], &["ping", "--count", "1"], &["load", "--messages", "1"]] {
        let _ = fs::remove_file(keys);
        let ended = served.run(&[&[served.url(), "--tls-key-log", keys], args].concat());
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(ended.stderr.contains(&warning), "{ended:?}");
        assert!(fs::read_to_string(keys).is_ok_and(|text| text.contains("_SECRET")), "{args:?}");
    }
    let run = "--processes 3 --connections 4 --messages 20 --churn 1 --tls-resume off";
    let trust = format!("--tls-ca {} --tls-key-log {keys}", served.ca.file());
    let _ = fs::remove_file(keys);
    let report = Report::at_url(served.url(), &format!("{run} {trust}"));
    assert_eq!(report.code(), 0, "{report:?}");
    let text = fs::read_to_string(keys).expect("the file was created");
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut clients = BTreeSet::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let [label, random, secret] = fields[..] else { panic!("{line}") };
        assert!(label.bytes().all(|byte| byte.is_ascii_uppercase() || b"_0".contains(&byte)));
        // The secrets of AES-256 have 48 bytes.
        assert!(is_hex(random, 64) && (is_hex(secret, 96) || is_hex(secret, 64)), "{line}");
        clients.insert(random.to_owned());
    }
    // The load makes one connection before the start.
    assert_eq!(clients.len(), 3 * 4 * 20 + 1);
    assert_eq!(fs::metadata(keys).expect("it exists").permissions().mode() & 0o777, 0o600);
}

#[test]
fn secrets_are_logged_by_the_flag_only() {
    let served = Served::start("");
    let file = served.file("keys");
    let mut command = Command::new(echo_client());
    command.args([served.url(), "--tls-ca", served.ca.file(), "-m", "x"]);
    command.env("SSLKEYLOGFILE", &file);
    let ended = Program::spawn(command).finish();
    assert_eq!((ended.code(), &ended.stderr[..]), (0, ""), "{ended:?}");
    assert!(!file.exists());
    let ended = served.run(&[served.url(), "-m", "x", "--tls-key-log", "/missing/keys"]);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(ended.stderr, "Error: Could not use /missing/keys: no such file or directory\n");
}

#[test]
fn a_log_of_secrets_that_is_full_is_reported_once_and_costs_no_connection() {
    let served = Served::start("");
    let ended = served.run(&[served.url(), "-m", "x", "--tls-key-log", "/dev/full"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "x\n"), "{ended:?}");
    let warning = "Warning: could not write to /dev/full: no space left on device";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{ended:?}");
}

/// JSON, in which the processes of a load get their configuration, has text only.
#[test]
fn the_files_of_a_load_over_tls_may_have_any_name() {
    let served = Served::start("");
    let file = served.directory.path().join(OsStr::from_bytes(b"ca-\xff.pem"));
    fs::copy(served.ca.file(), &file).expect("the directory is writable");
    let args = [OsStr::new("load"), served.url().as_ref(), "--messages".as_ref(), "1".as_ref()];
    let args = [&args[..], &["--tls-ca".as_ref(), file.as_os_str()]].concat();
    let ended = Program::start(echo_client(), &args).finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
}

#[test]
fn a_url_without_tls_of_a_server_with_it_gets_the_url_to_use() {
    let served = Served::start("");
    let tip = format!("the server seems to speak TLS: use {}", served.url());
    let url = &served.plain_url()[..];
    for (args, input) in [
        (&["-m", "x"][..], ""),
        (&["-m", "exit"], ""),
        (&[], "hello\n"),
        (&["ping", "--count", "2", "--interval", "1ms"], ""),
    ] {
        let mut client = Program::start(echo_client(), &[&[url], args].concat());
        client.feed(input.as_bytes());
        let ended = client.finish();
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert_eq!(
            ended.stderr.matches(&format!("Tip: {tip}\n")).count(),
            1,
            "{args:?}: {ended:?}"
        );
    }
    let report = Report::at_url(url, "--messages 1");
    report.expect_failure();
    assert!(report.json("/reason").as_str().is_some_and(|it| it.ends_with(&tip)), "{report:?}");

    let mut terminal = Terminal::start(echo_client(), &[url], served.directory.path());
    terminal.wait_for_prompt(PROMPT);
    terminal.enter("one");
    terminal.wait_for("Tip: ");
    let (status, screen) = terminal.finish();
    assert_eq!(status, 1, "{screen}");
    assert!(screen.replace('\n', "").contains(&tip), "{screen}");

    let unix = served.unix_url();
    let ended = Program::run_client(&[&unix.replace("?tls=on", ""), "-m", "x"]);
    assert!(ended.stderr.ends_with(&format!("use {unix}\n")), "{ended:?}");
}

/// Some servers with TLS close, or reset, at the first bytes that are no record.
#[test]
fn a_server_that_ends_the_connection_without_an_answer_may_speak_tls() {
    let closes = mock_server::serve(|mut stream| drop(mock_server::receive(&mut stream)));
    // The kernel resets a connection that is closed before its bytes are read.
    let resets = mock_server::serve(|stream| drop(stream.peek(&mut [0])));
    for server in [closes, resets] {
        let tip = format!("if the server speaks TLS, use tls://{server}");
        for args in [&["-m", "x"][..], &["ping", "--count", "1"]] {
            let ended = Program::run_client(&[&[&server.to_string()[..]], args].concat());
            assert_eq!(ended.code(), 1, "{ended:?}");
            assert!(ended.stderr.ends_with(&format!("Tip: {tip}\n")), "{ended:?}");
        }
        let report = Report::run(server, "--messages 1");
        assert!(report.json("/reason").as_str().is_some_and(|it| it.ends_with(&tip)), "{report:?}");
    }
    let answers_once = mock_server::serve(|mut stream| {
        let received = mock_server::receive(&mut stream);
        let _ = stream.write_all(&received);
        drop(mock_server::receive(&mut stream));
    });
    let ended = Program::run_client(&[&answers_once.to_string(), "-m", "x", "-m", "y"]);
    assert!(ended.code() == 1 && !ended.stderr.contains("TLS"), "{ended:?}");
}

/// What looks like an alert is an echo, if it was sent.
#[test]
fn an_echo_that_looks_like_a_tls_alert_is_an_echo() {
    let server = EchoServer::start_quiet();
    let sent = b"\x15\x03\x03\x00\x02\x02\x32\n";
    let mut filter = Program::client(server.address(), &[]);
    filter.feed(sent);
    let ended = filter.finish();
    assert_eq!((ended.code(), &ended.stdout[..], &ended.stderr[..]), (0, &sent[..], ""));
}

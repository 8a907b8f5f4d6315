//! Tests of the server URL of the client: TCP over IPv4 and IPv6, and Unix sockets, in every mode.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use tempfile::{TempDir, tempdir};
use tests::{
    payload,
    programs::{EchoServer, Program, Terminal, binaries::echo_client},
};

/// Starts a server on a Unix socket; returns the directory of the socket, its URL and the server.
fn unix_server() -> (TempDir, String, EchoServer) {
    let directory = tempdir().expect("a temporary directory");
    let url = url(&directory.path().join("echo.sock"));
    let server = EchoServer::start_with(&["--listen", &url, "--log-messages", "off"]);
    (directory, url, server)
}

fn url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

#[test]
fn accepts_the_url_before_and_after_the_subcommand() {
    let server = EchoServer::start_with(&["--listen", "tcp://[::1]:0"]);
    let url = format!("tcp://{}", server.address());
    for args in [
        &[&url[..], "-m", "hello"][..],
        &["-m", "hello", &url],
        &["ping", &url, "--count", "1"],
        &[&url, "ping", "--count", "1"],
    ] {
        let ended = Program::run_client(args);
        assert_eq!(ended.code(), 0, "{args:?}: {ended:?}");
    }
}

#[test]
fn sends_messages_and_pings_over_a_unix_socket() {
    let (_directory, url, _server) = unix_server();
    let ended = Program::run_client(&[&url, "-m", "a", "-m", "exit"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "a\nGoodbye!\n"), "{ended:?}");
    let ended = Program::run_client(&["ping", &url, "--count", "2", "--interval", "1ms"]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let first = format!("64 bytes from {url}: seq=1 time=");
    assert!(ended.stdout_text().starts_with(&first), "{ended:?}");
}

/// The input exceeds all buffers between the two programs. At its end the client half-closes, and the
/// server ends its stream after the echo.
#[test]
fn a_filter_over_a_unix_socket_half_closes_and_receives_the_whole_echo() {
    let (_directory, url, _server) = unix_server();
    let sent = payload::numbered_lines("line", 300_000).into_bytes();
    let mut filter = Program::start(echo_client(), &[&url]);
    filter.feed_all(sent.clone());
    let ended = filter.finish_with_open_stdin();
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
    tests::net::assert_same_bytes(&ended.stdout, &sent);
}

/// The server replies after the end of its input, which it can detect only by the half-close.
#[test]
fn a_filter_half_closes_at_the_end_of_its_input() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let mut filter = Program::start(echo_client(), &[&url(&path)]);
    filter.feed(b"last words\n");
    let ended = filter.finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "last words\n"), "{ended:?}");
    serving.join().unwrap();
}

#[test]
fn an_interactive_session_works_over_a_unix_socket() {
    let (directory, url, _server) = unix_server();
    let mut terminal = Terminal::start(echo_client(), &[&url], directory.path());
    terminal.wait_for_prompt("Enter message:");
    let screen = terminal.screen();
    // A long path of the temporary directory wraps on the narrow terminal.
    let unwrapped = screen.replace('\n', "");
    assert!(unwrapped.contains(&format!("Connected to echo server at {url}")), "{screen}");
    terminal.enter("hi");
    terminal.wait_for("Server echo: hi");
    terminal.enter("exit");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains("Server response: Goodbye!"), "{code}: {screen}");
}

#[test]
fn reports_why_it_cannot_connect_to_a_unix_socket_and_what_to_do() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let expect_error = |cause: &str, advice: &str| {
        for args in [&[&url(&path)[..], "-m", "x"][..], &["ping", &url(&path)]] {
            let ended = Program::run_client(args);
            assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
            let at = url(&path);
            let text = format!("Error: Could not connect to server at {at} ({cause})\n{advice}");
            assert!(ended.stderr.starts_with(&text), "{ended:?}");
        }
    };
    expect_error(
        "there is no such file",
        "Make sure the server is running, and that this is its path.\n",
    );
    drop(UnixListener::bind(&path).unwrap());
    expect_error("no process listens on it", "Make sure the server is running.\n");
}

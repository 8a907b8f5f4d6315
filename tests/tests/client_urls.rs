//! The client's server as a URL: TCP over either IP, and Unix sockets, whatever is done there.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use tempfile::{TempDir, tempdir};
use tests::{binaries::echo_client, payload, program::Program, pty::Terminal, server::EchoServer};

/// A directory, the URL of a socket in it, and a server that listens there.
fn unix_server() -> (TempDir, String, EchoServer) {
    let directory = tempdir().expect("room for a directory");
    let url = url(&directory.path().join("echo.sock"));
    let server = EchoServer::start_with(&["--listen", &url, "--log-messages", "off"]);
    (directory, url, server)
}

fn url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

#[test]
fn a_url_names_the_server_before_or_behind_the_subcommand() {
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
fn messages_and_pings_go_over_a_unix_socket() {
    let (_directory, url, _server) = unix_server();
    let ended = Program::run_client(&[&url, "-m", "a", "-m", "exit"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "a\nGoodbye!\n"), "{ended:?}");
    let ended = Program::run_client(&["ping", &url, "--count", "2", "--interval", "1ms"]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let first = format!("64 bytes from {url}: seq=1 time=");
    assert!(ended.stdout_text().starts_with(&first), "{ended:?}");
}

/// More than all buffers on the way hold, and then the end of it, to which the server answers with its own.
#[test]
fn a_filter_over_a_unix_socket_half_closes_and_gets_everything_back() {
    let (_directory, url, _server) = unix_server();
    let sent = payload::numbered_lines("line", 300_000).into_bytes();
    let mut filter = Program::start(echo_client(), &[&url]);
    filter.feed_all(sent.clone());
    let ended = filter.finish_unprompted();
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
    tests::peer::assert_same(&ended.stdout, &sent);
}

/// A server that sends nothing back before the end of what it gets can only know it by the half-close.
#[test]
fn the_end_of_the_input_reaches_who_waits_for_it() {
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
fn a_conversation_over_a_unix_socket_looks_like_any() {
    let (directory, url, _server) = unix_server();
    let mut terminal = Terminal::start(echo_client(), &[&url], directory.path());
    terminal.wait_for_prompt("Enter message:");
    let screen = terminal.screen();
    // The terminal is narrow, and a temporary directory's path may be long.
    let unfolded = screen.replace('\n', "");
    assert!(unfolded.contains(&format!("Connected to echo server at {url}")), "{screen}");
    terminal.enter("hi");
    terminal.wait_for("Server echo: hi");
    terminal.enter("exit");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains("Server response: Goodbye!"), "{code}: {screen}");
}

#[test]
fn what_is_wrong_with_a_unix_socket_is_said_with_what_to_do() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let failed = |words: &str, advice: &str| {
        for args in [&[&url(&path)[..], "-m", "x"][..], &["ping", &url(&path)]] {
            let ended = Program::run_client(args);
            assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
            let at = url(&path);
            let text = format!("Error: Could not connect to server at {at} ({words})\n{advice}");
            assert!(ended.stderr.starts_with(&text), "{ended:?}");
        }
    };
    failed(
        "there is no such file",
        "Make sure the server is running, and that this is its path.\n",
    );
    drop(UnixListener::bind(&path).unwrap());
    failed("no process listens on it", "Make sure the server is running.\n");
}

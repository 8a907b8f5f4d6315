//! Tests of the client over WebSocket, against `echo-server` and against servers that break the protocol.

use rustix::process::Signal;
use tests::{
    net::{FLOOD, TestCa, WebSocketFault, WebSocketServer, assert_same_bytes},
    payload::{self, Random},
    programs::{EchoServer, Finished, Program, Terminal, binaries::echo_client},
    system::procfs::{children, peak_memory},
    wait::DEADLINE,
};

/// Starts `echo-server` with a listener for HTTP; returns its URL for WebSocket.
fn server() -> (EchoServer, String) {
    let args = ["--listen", "http://127.0.0.1:0", "--log-messages", "off"];
    let server = EchoServer::start_with(&args);
    let url = server.addresses()[0].replacen("http", "ws", 1);
    (server, url)
}

fn send(fault: WebSocketFault, messages: &[&str]) -> Finished {
    let url = WebSocketServer::start(fault).url();
    let messages = messages.iter().flat_map(|message| ["-m", message]);
    Program::run_client(&[&url[..]].into_iter().chain(messages).collect::<Vec<_>>())
}

/// Runs a filter with these arguments to its end.
fn filter(args: &[&str], input: &[u8]) -> Finished {
    let mut filter = Program::start(echo_client(), args);
    filter.feed_all(input.to_vec());
    filter.finish_with_open_stdin()
}

#[test]
fn messages_return_as_lines_and_an_exit_is_answered_with_a_goodbye() {
    let (_server, url) = server();
    let ended = Program::run_client(&[&url, "-m", "hello", "-m", "", "-m", "exit", "-m", "no"]);
    assert_eq!(ended.stdout_text(), "hello\n\nGoodbye!\n", "{ended:?}");
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn a_filter_passes_lines_of_any_length_and_bytes_unchanged() {
    let (_server, url) = server();
    let mut random = Random::new(1);
    let mut input = payload::numbered_lines("line", 20_000).into_bytes();
    // Longer than a fragment, and not UTF-8; at last without a newline.
    for len in [0, 1, 125, 126, 65_535, 65_536, 65_537, 300_000, 7] {
        let mut line = random.bytes(len);
        line.retain(|&byte| byte != b'\n');
        input.push(b'\n');
        input.extend(line);
    }
    let ended = filter(&[&url], &input);
    assert_same_bytes(&ended.stdout, &input);
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
}

#[test]
fn binary_chunks_pass_unchanged_also_if_they_read_as_an_exit() {
    let (_server, url) = server();
    for input in [Random::new(2).bytes(3_000_000), b"exit".to_vec(), b"a\nexit\nb\n".to_vec()] {
        let ended = filter(&[&url, "--binary"], &input);
        assert_same_bytes(&ended.stdout, &input);
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_filter_ends_at_an_exit_with_a_goodbye_or_with_its_echo() {
    let (_server, url) = server();
    let other = WebSocketServer::start(WebSocketFault::None).url();
    for (url, answer) in [(url, "one\nGoodbye!\n"), (other, "one\nexit\n")] {
        let ended = filter(&[&url], b"one\nexit\n");
        assert_eq!((ended.code(), ended.stdout_text()), (0, answer), "{ended:?}");
    }
}

#[test]
fn a_session_in_a_terminal_ends_with_an_exit_or_with_a_close_frame() {
    let (server, url) = server();
    for (keys, end) in [
        ("exit\r", "Enter message: exit\nServer response: Goodbye!\nDisconnected from server"),
        ("\u{4}", "Enter message:\nExiting...\nDisconnected from server"),
    ] {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut terminal = Terminal::start(echo_client(), &[&url], home.path());
        terminal.wait_for_prompt("Enter message:");
        terminal.enter("hello");
        terminal.wait_for_prompt("Server echo: hello\n\nEnter message:");
        terminal.send(keys);
        let (status, screen) = terminal.finish();
        assert_eq!(status, 0, "{screen}");
        assert!(screen.contains(&format!("Connected to echo server at {url}\n")), "{screen}");
        assert!(screen.ends_with(end), "{screen}");
    }
    drop(server);
}

#[test]
fn round_trips_are_messages_or_pings() {
    let (_server, url) = server();
    for extra in [&[][..], &["--ws-ping"], &["--size", "1"], &["--size", "70000"]] {
        let args = [&["ping", &url, "--count", "2", "--interval", "1ms"], extra].concat();
        let ended = Program::run_client(&args);
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{ended:?}");
        assert!(ended.stdout_text().contains("2 sent, 2 received, 0% lost"), "{ended:?}");
        assert!(ended.stdout_text().contains("\nws-handshake min/avg/max"), "{ended:?}");
    }
}

#[test]
fn tls_carries_a_websocket() {
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let (cert, key) = (certificate.certificate_file.display(), certificate.key_file.display());
    let listen = format!("https://127.0.0.1:0?cert={cert}&key={key}");
    let server = EchoServer::start_with(&["--listen", &listen]);
    let url = server.addresses()[0].replacen("https", "wss", 1);
    let ended = Program::run_client(&[&url, "--tls-ca", ca.file(), "-v", "-m", "hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    assert!(ended.stderr.contains("WebSocket handshake in "), "{ended:?}");
    let plain = Program::run_client(&[&url.replacen("wss", "ws", 1), "-m", "hello"]);
    assert_eq!(plain.code(), 1);
    assert!(plain.stderr.contains("use wss://"), "{plain:?}");
}

#[test]
fn fragments_and_a_flood_of_pings_do_not_disturb_an_echo() {
    let ended = send(WebSocketFault::PingedFragments, &["hello", "", "again"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n\nagain\n"), "{ended:?}");
}

#[test]
fn a_server_that_breaks_the_protocol_or_changes_messages_is_an_error_in_words() {
    for (fault, text) in [
        (WebSocketFault::WrongByte, "Wrong echo at byte 1: expected 'three"),
        (WebSocketFault::Split, "The server split a message: its bytes are right"),
        (WebSocketFault::Longer, "The server added bytes to a message: it returned longer"),
        (WebSocketFault::OtherType, "type of a message: it returned a text as a binary message"),
        (WebSocketFault::Masked, "The server broke the WebSocket protocol: a frame is masked"),
        (WebSocketFault::NoCloseFrame, "without a close frame (code 1006, abnormal closure)"),
        (
            WebSocketFault::Closes(1011),
            "The server closed the WebSocket with code 1011 (internal error of the server): 'enough'",
        ),
        (WebSocketFault::Closes(1000), "The server closed the connection with 4 bytes of the echo"),
        (WebSocketFault::Greets, "'welcome"),
    ] {
        let ended = send(fault, &["one", "two", "three"]);
        assert_eq!(ended.code(), 1, "{fault:?}: {ended:?}");
        assert!(ended.stderr.contains(text), "{fault:?}: {ended:?}");
    }
    let url = WebSocketServer::start(WebSocketFault::Joined).url();
    let ended = filter(&[&url], b"one\ntwo\n");
    assert_eq!((ended.code(), ended.stdout_text()), (1, "one"), "{ended:?}");
    assert!(ended.stderr.contains("The server joined messages"), "{ended:?}");
    for (args, text) in [
        (&["--binary"][..], "it returned a binary message as text"),
        (&[], "it returned a text as a binary message"),
    ] {
        let url = WebSocketServer::start(WebSocketFault::OtherType).url();
        // The last message has no newline: its end is that of its bytes.
        let ended = filter(&[args, &[&url]].concat(), b"one");
        assert_eq!((ended.code(), ended.stdout_text()), (1, "on"), "{ended:?}");
        assert!(ended.stderr.contains(text), "{ended:?}");
    }
}

#[test]
fn a_server_that_pings_and_never_reads_costs_little_memory() {
    for args in [
        &["-m", "hello"][..],
        &[],
        &["ping", "--count", "1"],
        &["load", "--connections", "1", "--messages", "1"],
    ] {
        let (server, pings) = WebSocketServer::start_with_pongs(WebSocketFault::PingFlood);
        let client =
            Program::start(echo_client(), &[args, &[&server.url(), "--timeout", "1h"]].concat());
        pings.recv_timeout(DEADLINE).expect("the client takes all pings");
        let processes = [&[client.pid()][..], &children(client.pid())].concat();
        let peak = processes.into_iter().map(peak_memory).max();
        assert!(peak < Some(FLOOD as u64 / 2), "{args:?}: {peak:?} bytes");
    }
}

#[test]
fn a_refused_handshake_is_explained() {
    for (answer, text) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "status 403 (Forbidden))\nThe server may require an Origin",
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "status 404 (Not Found))\nCheck the path"),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://a/\r\n\r\n",
            "a redirect to 'https://a/')\nRedirects are not followed",
        ),
        ("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n", "'Connection: Upgrade' is missing"),
        ("220 mail.example.com ESMTP\r\n", "the server does not speak HTTP: it sent '220 mail"),
        ("", "the server ended the connection without an answer"),
    ] {
        let ended = send(WebSocketFault::Handshake(answer), &["hello"]);
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(ended.stderr.contains(text), "{answer:?}: {ended:?}");
    }
}

#[test]
fn a_server_that_never_answers_the_close_frame_does_not_delay_the_end_for_long() {
    let ended = send(WebSocketFault::IgnoresClose, &["hello"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
}

#[test]
fn pings_of_the_server_are_answered_while_no_reply_is_due() {
    let pong = b"are you there?".to_vec();
    let (server, pongs) = WebSocketServer::start_with_pongs(WebSocketFault::PingsAfterEcho);
    let args = ["ping", &server.url(), "--count", "0", "--interval", "1h"];
    let client = Program::start(echo_client(), &args);
    assert_eq!(pongs.recv_timeout(DEADLINE), Ok(pong.clone()));
    client.signal(Signal::INT);
    assert!(client.finish().stdout_text().contains("1 sent, 1 received, 0% lost"));

    let (server, pongs) = WebSocketServer::start_with_pongs(WebSocketFault::PingsAfterEcho);
    let mut filter = Program::start(echo_client(), &[&server.url()]);
    filter.feed(b"one\n");
    assert_eq!(pongs.recv_timeout(DEADLINE), Ok(pong.clone()));
    filter.feed_all(b"two\n".to_vec());
    assert_eq!(filter.finish().stdout_text(), "one\ntwo\n");

    let (server, pongs) = WebSocketServer::start_with_pongs(WebSocketFault::PingsAfterEcho);
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut terminal = Terminal::start(echo_client(), &[&server.url()], home.path());
    terminal.wait_for_prompt("Enter message:");
    terminal.enter("one");
    assert_eq!(pongs.recv_timeout(DEADLINE), Ok(pong));
    // Ctrl+D before the prompt is no character of a line.
    terminal.wait_for_prompt("Server echo: one\n\nEnter message:");
    terminal.send("\u{4}");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_mirror_returns_messages_of_any_length_and_type_until_the_server_closes() {
    let url = WebSocketServer::start(WebSocketFault::Asks).url();
    let ended = Program::run_client(&["mirror", &url]);
    assert_eq!((ended.code(), ended.stdout_text(), &*ended.stderr), (0, "", ""), "{ended:?}");
}

#[test]
fn a_text_that_is_not_utf_8_ends_a_mirror_and_a_session() {
    for args in [&["mirror"][..], &["-m", "hello"], &["ping", "--count", "1"]] {
        let url = WebSocketServer::start(WebSocketFault::InvalidText).url();
        let ended = Program::run_client(&[args, &[&url]].concat());
        assert_eq!(ended.code(), 1, "{ended:?}");
        let text = "broke the WebSocket protocol: a text message is not UTF-8";
        assert!(format!("{}{}", ended.stderr, ended.stdout_text()).contains(text), "{ended:?}");
    }
}

#[test]
fn a_server_of_http_is_named_if_the_url_is_that_of_a_plain_server() {
    let (_server, url) = server();
    let tcp = url.replacen("ws", "tcp", 1);
    let tip = format!("the server speaks HTTP: use {url} for a WebSocket");
    let answer = "he server answered with HTTP instead of an echo";
    // A response also starts with the first letter of the last one.
    for args in [&["-m", "hello"][..], &["ping", "--count", "1"], &["-m", "Hello"]] {
        let ended = Program::run_client(&[args, &[&tcp]].concat());
        assert_eq!(ended.code(), 1, "{ended:?}");
        for text in [answer, &format!("Tip: {tip}")] {
            assert!(format!("{}{}", ended.stdout_text(), ended.stderr).contains(text), "{ended:?}");
        }
    }
    let ended = Program::run_client(&["load", &tcp, "--messages", "1"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.stdout_text().contains(&tip), "{ended:?}");
}

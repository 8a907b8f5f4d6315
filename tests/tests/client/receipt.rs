//! Tests of the client that compares both ends of its connection with the receipt of the server (`--receipt`).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use common::{
    frame::encode,
    receipt::{EndedBy, Receipt, Tally},
};
use rustix::process::Signal;
use tests::{
    net::{Damage, Direction, lossy_proxy, mock_server},
    payload::{self, Random},
    programs::{
        EchoServer, Finished, Program, Report, Terminal, TlsEchoServer, binaries::echo_client,
    },
};

const TEXT: &str = "tcp://127.0.0.1:0?receipt=on";
const LENGTH: &str = "tcp://127.0.0.1:0?receipt=on&protocol=length";
const HTTP: &str = "http://127.0.0.1:0?receipt=on";

fn start(listen: &str) -> EchoServer {
    EchoServer::start_with(&["--listen", listen, "--log-messages", "off"])
}

/// Runs a filter with a receipt to its end.
fn filter(url: &str, input: &[u8]) -> Finished {
    // A message without an echo is given up after the timeout.
    let mut filter = Program::start(echo_client(), &["--receipt", "--timeout", "2s", url]);
    filter.feed_all(input.to_vec());
    filter.finish_with_open_stdin()
}

#[track_caller]
fn expect_success(ended: &Finished, output: &[u8], receipt: &str) {
    assert_eq!((ended.code(), &ended.stderr[..]), (0, receipt), "{ended:?}");
    assert_eq!(ended.stdout, output);
}

#[test]
fn the_filter_says_that_both_ends_have_the_same_bytes() {
    let (text, length) = (start(TEXT), start(LENGTH));
    for (input, output, receipt) in [
        (&b"one\ntwo\n"[..], &b"one\ntwo\n"[..], "all 8 bytes, and all 8 bytes"),
        (b"", b"", "all 0 bytes, and all 0 bytes"),
        // The server ends the line before its receipt.
        (b"one", b"one", "all 3 bytes, and all 4 bytes"),
        (b"one\nexit\n", b"one\nGoodbye!\n", "all 9 bytes, and all 13 bytes"),
        (b"exit\r\n", b"Goodbye!\r\n", "all 6 bytes, and all 10 bytes"),
    ] {
        let receipt = format!("Receipt: the server received {receipt} that it sent arrived\n");
        expect_success(&filter(&format!("tcp://{}", text.address()), input), output, &receipt);
    }
    let frames = [encode(b"one").unwrap(), encode(&[b'x'; 5_000]).unwrap()].concat();
    let receipt =
        "Receipt: the server received all 5011 bytes, and all 5011 bytes that it sent arrived\n";
    expect_success(&filter(&format!("tcp://{}", length.address()), &frames), &frames, receipt);
}

#[test]
fn the_filter_compares_megabytes_also_over_tls_and_websocket() {
    let tls = TlsEchoServer::start("&receipt=on", &["--log-messages", "off"]);
    let http = start(HTTP);
    let lines = payload::numbered_lines("line", 300_000).into_bytes();
    let args = ["--receipt", &tls.url(), "--tls-ca", tls.ca.file()];
    let mut secured = Program::start(echo_client(), &args);
    secured.feed_all(lines.clone());
    let secured = secured.finish_with_open_stdin();
    assert!(secured.code() == 0 && secured.stdout == lines, "{}", secured.stderr);
    let ended = filter(&format!("ws://{}", http.address()), &lines);
    assert!(ended.code() == 0 && ended.stdout == lines, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("Receipt: the server received all "), "{}", ended.stderr);
}

#[test]
fn messages_of_the_command_line_are_compared() {
    let (text, http) = (start(TEXT), start(HTTP));
    let tcp = format!("tcp://{}", text.address());
    let ws = format!("ws://{}", http.address());
    for (url, last, output, receipt) in [
        (&tcp, "two", "one\ntwo\n", "all 8 bytes, and all 8 bytes"),
        (&tcp, "exit", "one\nGoodbye!\n", "all 9 bytes, and all 13 bytes"),
        (&ws, "two", "one\ntwo\n", "all 6 bytes, and all 6 bytes"),
        (&ws, "exit", "one\nGoodbye!\n", "all 7 bytes, and all 11 bytes"),
    ] {
        let ended = Program::run_client(&["--receipt", url, "-m", "one", "-m", last]);
        let receipt = format!("Receipt: the server received {receipt} that it sent arrived\n");
        expect_success(&ended, output.as_bytes(), &receipt);
    }
}

#[test]
fn the_side_of_a_proxy_that_loses_adds_or_changes_bytes_is_named() {
    let server = start(TEXT);
    let lines =
        (0..100).fold(String::new(), |lines, number| lines + &format!("line {number:03}\n"));
    for (damage, there, back) in [
        (
            Damage::Lose(500, 7),
            "Receipt: 7 bytes were lost on the way to the server: the client sent 900 bytes, and the server received 893; on the way back all 893 bytes arrived",
            "Receipt: 7 bytes were lost on the way back: the server sent 900 bytes, and the client received 893; the server received all 900 bytes",
        ),
        (
            Damage::Add(500),
            "Receipt: 1 byte was added on the way to the server: the client sent 900 bytes, and the server received 901; on the way back all 901 bytes arrived",
            "Receipt: 1 byte was added on the way back: the server sent 900 bytes, and the client received 901; the server received all 900 bytes",
        ),
        (
            Damage::Change(500),
            "Receipt: bytes were changed on the way to the server: the client sent 900 bytes, the server received as many, and their SHA-256 differ; on the way back all 900 bytes arrived",
            "Receipt: bytes were changed on the way back: the server sent 900 bytes, the client received as many, and their SHA-256 differ; the server received all 900 bytes",
        ),
    ] {
        for (direction, expected) in [(Direction::ToServer, there), (Direction::Back, back)] {
            let proxy = lossy_proxy(server.address(), direction, damage);
            let ended = filter(&format!("tcp://{proxy}"), lines.as_bytes());
            assert_eq!(ended.code(), 1, "{ended:?}");
            assert_eq!(ended.stderr.lines().last(), Some(expected), "{damage:?} {direction:?}");
            let first = "Error: Wrong echo at byte 501: ";
            assert!(ended.stderr.starts_with(first), "{ended:?}");
        }
    }
}

#[test]
fn the_side_is_named_for_frames_and_for_messages_of_a_websocket() {
    let (length, http) = (start(LENGTH), start(HTTP));
    let frames = encode(b"hello").unwrap().repeat(10);
    let lines = payload::numbered_lines("line", 10);
    for (direction, words) in
        [(Direction::ToServer, "on the way to the server"), (Direction::Back, "on the way back")]
    {
        let changed = lossy_proxy(length.address(), direction, Damage::Change(40));
        let ended = filter(&format!("tcp://{changed}"), &frames);
        let expected = format!("Receipt: bytes were changed {words}: ");
        assert!(ended.code() == 1 && ended.stderr.contains(&expected), "{ended:?}");
        for (damage, verdict) in [
            (Damage::LoseMessage(3), "6 bytes were lost"),
            (Damage::RepeatMessage(3), "6 bytes were added"),
            (Damage::ChangeMessage(3), "bytes were changed"),
            (Damage::LoseMessage(9), "6 bytes were lost"),
        ] {
            let proxy = lossy_proxy(http.address(), direction, damage);
            let ended = filter(&format!("ws://{proxy}/"), lines.as_bytes());
            let expected = format!("Receipt: {verdict} {words}: ");
            assert!(ended.code() == 1 && ended.stderr.contains(&expected), "{damage:?}: {ended:?}");
        }
    }
}

/// The echo is complete: only the receipt shows the loss.
#[test]
fn a_lost_last_line_and_a_lost_message_without_an_echo_are_named() {
    let server = start(TEXT);
    let proxy = lossy_proxy(server.address(), Direction::ToServer, Damage::Lose(4, 100));
    let ended = filter(&format!("tcp://{proxy}"), b"one\ntwo");
    let expected = "Receipt: 3 bytes were lost on the way to the server: the client sent 7 bytes, and the server received 4; on the way back all 4 bytes arrived\n";
    assert!(ended.code() == 1 && ended.stderr.ends_with(expected), "{ended:?}");
}

/// The receipt travels on one of the ways that it is to judge.
#[test]
fn damage_to_the_receipt_itself_is_damage_on_the_way_back() {
    let server = start(TEXT);
    let lines = payload::numbered_lines("line", 100);
    let end = lines.len();
    for damage in [
        Damage::Change(end + 100),
        Damage::Change(end + 200),
        Damage::Lose(end + 50, 3),
        Damage::Lose(end - 3, 7),
        Damage::Add(end + 1),
    ] {
        let proxy = lossy_proxy(server.address(), Direction::Back, damage);
        let ended = filter(&format!("tcp://{proxy}"), lines.as_bytes());
        let words =
            "Receipt: it arrived damaged, so bytes were lost, added or changed on the way back\n";
        assert!(ended.code() == 1 && ended.stderr.ends_with(words), "{damage:?}: {ended:?}");
        let url = format!("tcp://{}", lossy_proxy(server.address(), Direction::Back, damage));
        let load = Report::at_url(
            &url,
            &format!(
                "--receipt --processes 1 --connections 1 --messages 1 --size {end} --warmup 0"
            ),
        );
        load.expect_failure();
    }
}

#[test]
fn a_server_without_a_receipt_is_a_failure_that_says_what_to_do() {
    let (plain, http) = (start("tcp://127.0.0.1:0"), start("http://127.0.0.1:0"));
    for url in [format!("tcp://{}", plain.address()), format!("ws://{}", http.address())] {
        let ended = Program::run_client(&["--receipt", &url, "-m", "hello"]);
        let error = "Error: No receipt arrived: the listener needs the parameter receipt=on, and if it has it, the end of the stream was lost on the way back\n";
        assert_eq!((ended.code(), &ended.stderr[..]), (1, error));
        assert_eq!(ended.stdout_text(), "hello\n");
    }
}

/// A receipt is known by its place: a client may send one as a message.
#[test]
fn a_receipt_that_the_client_sends_is_an_echo() {
    let (server, plain) = (start(TEXT), start("tcp://127.0.0.1:0"));
    let empty = Tally::default().total();
    let forged = format!("{}\n", Receipt::new(empty, empty, EndedBy::Client));
    let ended = filter(&format!("tcp://{}", server.address()), forged.as_bytes());
    let len = forged.len();
    let receipt = format!(
        "Receipt: the server received all {len} bytes, and all {len} bytes that it sent arrived\n"
    );
    expect_success(&ended, forged.as_bytes(), &receipt);
    let ended = filter(&format!("tcp://{}", plain.address()), forged.as_bytes());
    assert!(ended.code() == 1 && ended.stderr.contains("No receipt arrived"), "{ended:?}");
}

/// Receives everything that a client sends. Before the client has ended its direction, it takes other bytes for a wrong echo.
fn receive_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn bytes_that_the_server_adds_are_reported_as_the_servers_fault() {
    let server = mock_server::serve(|mut stream| {
        let bytes = receive_all(&mut stream);
        let (mut received, mut sent) = (Tally::default(), Tally::default());
        received.update(&bytes);
        let answer = [&bytes[..], b"extra\n"].concat();
        sent.update(&answer);
        let (received, sent) = (received.total(), sent.total());
        let receipt = Receipt::new(received, sent, EndedBy::Client);
        let _ =
            stream.write_all(format!("{}{receipt}\n", str::from_utf8(&answer).unwrap()).as_bytes());
    });
    let ended = filter(&format!("tcp://{server}"), b"hello\n");
    let error = "Error: The server sent 6 bytes that are no echo, before its receipt\nReceipt: the server received all 6 bytes, and all 12 bytes that it sent arrived\n";
    assert_eq!((ended.code(), &ended.stderr[..]), (1, error));
}

#[test]
fn a_server_that_drains_sends_its_receipt() {
    let server = start(TEXT);
    let mut client =
        Program::start(echo_client(), &["--receipt", &format!("tcp://{}", server.address())]);
    client.feed(b"hello\n");
    let _ = client.stdout.wait_for_line("^hello$");
    server.signal(Signal::TERM);
    let ended = client.finish_with_open_stdin();
    let error = "Error: The server has closed the connection\nReceipt: the server received all 6 bytes, and all 6 bytes that it sent arrived; the network changed nothing: the server sent a wrong echo\n";
    assert_eq!((ended.code(), &ended.stderr[..]), (1, error));
}

/// The bytes behind the frame that the server refuses arrive, and nobody reads them.
#[test]
fn what_the_server_did_not_read_was_not_lost_on_the_way() {
    let server = start(LENGTH);
    let frames = [encode(b"hello").unwrap(), vec![0xff; 4], vec![b'x'; 1_000]].concat();
    let ended = filter(&format!("tcp://{}", server.address()), &frames);
    let receipt = "Receipt: the server ended the connection and did not read the last 1000 bytes: the client sent 1013 bytes, and the server received 13; on the way back all ";
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.lines().last().unwrap().starts_with(receipt), "{ended:?}");
}

#[test]
fn a_reset_in_place_of_the_end_is_no_receipt_and_does_not_hang() {
    let server = mock_server::serve(|mut stream| {
        let bytes = receive_all(&mut stream);
        let _ = stream.write_all(&bytes);
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    let ended = filter(&format!("tcp://{server}"), b"hello\n");
    assert!(ended.code() == 1 && ended.stderr.contains("No receipt arrived"), "{ended:?}");
}

#[test]
fn a_session_in_a_terminal_ends_with_the_comparison() {
    let server = start(TEXT);
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::client(server.address(), &["--receipt"], home.path());
    terminal.wait_for_prompt("Enter message:");
    terminal.enter("hello");
    terminal.wait_for("Server echo: hello");
    terminal.enter("exit");
    let (status, screen) = terminal.finish();
    let receipt =
        "Receipt: the server received all 11 bytes, and all 15 bytes that it sent arrived";
    assert!(status == 0 && screen.replace('\n', " ").contains(receipt), "{screen}");
}

#[test]
fn a_receipt_of_a_random_stream_compares_at_any_length() {
    let server = start(TEXT);
    let url = format!("tcp://{}", server.address());
    let mut random = Random::new(7);
    for len in [1, 511, 512, 513, 65_535, 65_536, 1_000_000] {
        let mut bytes = random.bytes(len);
        bytes.iter_mut().filter(|byte| **byte == b'e').for_each(|byte| *byte = b'f');
        let ended = filter(&url, &bytes);
        assert!(ended.code() == 0 && ended.stdout == bytes, "{len}: {}", ended.stderr);
    }
}

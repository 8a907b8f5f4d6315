//! Tests of the receipt that a server sends at the end of a connection (`receipt=on`).

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use common::{
    frame::encode,
    receipt::{Comparison, EndedBy, Receipt, StreamTally, Total},
};
use rustix::process::Signal;
use tests::{
    net::assert_same_bytes,
    payload::{self, Random},
    programs::EchoServer,
};

const TEXT: &str = "tcp://127.0.0.1:0?receipt=on";

fn start(listen: &str, args: &[&str]) -> EchoServer {
    EchoServer::start_with(&[&["--listen", listen], args].concat())
}

/// Checks that `received` is `echo` and the receipt about it and about what was `sent`. Returns the receipt.
#[track_caller]
fn check(received: &[u8], echo: &[u8], sent: &[u8]) -> Receipt {
    let mut stream = StreamTally::default();
    stream.update(received);
    let (before, receipt) = stream.finish(&Total::of(sent)).unwrap_or_else(|error| {
        panic!(
            "{error}: {:?}",
            String::from_utf8_lossy(&received[received.len().saturating_sub(600)..])
        )
    });
    let comparison = Comparison::new(&Total::of(sent), &before, &receipt);
    assert!(comparison.is_intact(), "{comparison}");
    assert_same_bytes(&received[..echo.len()], echo);
    assert_eq!(before.bytes, echo.len() as u64);
    receipt
}

/// Sends this, half-closes, and checks what returns.
#[track_caller]
fn exchange(server: &EchoServer, sent: &[u8], echo: &[u8]) {
    let mut peer = server.connect();
    peer.send(sent);
    peer.half_close();
    check(&peer.read_to_end(), echo, sent);
}

#[test]
fn the_last_line_is_a_receipt_behind_the_echo_or_the_goodbye() {
    let server = start(TEXT, &[]);
    exchange(&server, b"", b"");
    exchange(&server, b"one\ntwo\n", b"one\ntwo\n");
    exchange(&server, b"no newline", b"no newline\n");
    exchange(&server, b"hello\nEXIT\r\n", b"hello\nGoodbye!\r\n");
    let mut peer = server.connect();
    peer.send(b"exit\n");
    let receipt = check(&peer.read_to_end(), b"Goodbye!\n", b"exit\n");
    assert_eq!(receipt.ended_by, EndedBy::Client);
}

#[test]
fn an_exit_that_is_split_at_any_byte_is_counted_once() {
    let server = start(TEXT, &["--log-messages", "off"]);
    let stream = b"one\n exit \r\n";
    for at in 1..stream.len() {
        let mut peer = server.connect();
        peer.send(&stream[..at]);
        // What has returned of the first part shows that it was read alone.
        peer.expect(&stream[..at]);
        peer.send(&stream[at..]);
        let received = [&stream[..at], &peer.read_to_end()].concat();
        let echo = [&stream[..at.max(4)], b"Goodbye!\r\n"].concat();
        check(&received, &echo, stream);
    }
}

#[test]
fn the_last_frame_is_a_receipt() {
    let server = start("tcp://127.0.0.1:0?receipt=on&protocol=length", &[]);
    let frame = |text: &[u8]| encode(text).unwrap();
    let long = frame(&vec![7; 100_000]);
    exchange(&server, b"", b"");
    exchange(&server, &long, &long);
    let exit = [frame(b"hello"), frame(b"exit")].concat();
    exchange(&server, &exit, &[frame(b"hello"), frame(b"Goodbye!")].concat());
    // Frames that the end of the stream cuts off: a held one, and one that has passed in part.
    exchange(&server, b"\0\0\0\x05hel", b"\0\0\0\x05hel");
    exchange(&server, &long[..50_000], &long[..50_000]);
    let refusal = frame(b"Error: a frame of 4294967295 bytes is over the limit of 16777216");
    exchange(&server, &[0xff; 4], &refusal);
}

/// More than all buffers hold: the receipt waits behind an echo that the socket has not taken.
#[test]
fn a_receipt_follows_an_echo_of_megabytes() {
    let server = start(TEXT, &["--log-messages", "off"]);
    let mut bytes = Random::new(1).bytes(20_000_000);
    bytes.push(b'\n');
    let mut peer = server.connect();
    let sending = peer.send_and_half_close_in_background(bytes.clone());
    let received = peer.read_to_end();
    sending.join().unwrap().unwrap();
    check(&received, &bytes, &bytes);
}

#[test]
fn a_drain_and_an_idle_timeout_send_the_receipt() {
    let mut server = start(TEXT, &[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.signal(Signal::TERM);
    let received = [b"hello\n", &peer.read_to_end()[..]].concat();
    let drained = check(&received, b"hello\n", b"hello\n");
    assert_eq!(drained.ended_by, EndedBy::Server);
    drop(peer);
    assert!(server.wait().success());
    for (parameters, sent) in [("", &b"hello\n"[..]), ("&protocol=length", b"\0\0\0\x05hel")] {
        let server = start(&format!("{TEXT}&idle-timeout=2s{parameters}"), &[]);
        let mut peer = server.connect();
        peer.send(sent);
        let idle = check(&peer.read_to_end(), sent, sent);
        assert_eq!(idle.ended_by, EndedBy::Server);
        server.wait_for_log("idle");
    }
}

/// A held part of a frame belongs to what the session took before the drain.
#[test]
fn a_drain_in_the_middle_of_a_frame_counts_what_it_echoes() {
    let server = start("tcp://127.0.0.1:0?receipt=on&protocol=length", &[]);
    let mut peer = server.connect();
    let sent = [encode(b"one").unwrap(), b"\0\0\0\x05hel".to_vec()].concat();
    peer.send(&sent);
    peer.expect(&sent[..7]);
    server.signal(Signal::TERM);
    let received = [&sent[..7], &peer.read_to_end()].concat();
    check(&received, &sent, &sent);
}

#[test]
fn a_reset_gets_no_receipt_and_the_server_goes_on() {
    let server = start(TEXT, &[]);
    for bytes in [&b""[..], b"hello\n"] {
        let mut peer = server.connect();
        peer.exchange(bytes);
        peer.reset();
    }
    exchange(&server, b"still here\n", b"still here\n");
}

#[test]
fn receipts_follow_a_proxy_header_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo");
    let listen = format!("unix://{}?proxy=required&receipt=on", path.display());
    let _server = start(&listen, &[]);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nhello\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    check(&received, b"hello\n", b"hello\n");
}

/// The log of a connection is the same with a receipt and without one.
#[test]
fn a_receipt_does_not_change_the_log() {
    let log = |listen: &str| {
        let server = start(listen, &[]);
        let mut peer = server.connect();
        let address = peer.address();
        peer.send(b"one\ntwo\nrest");
        peer.expect(b"one\ntwo\nrest");
        peer.half_close();
        let _ = peer.read_to_end();
        let lines = server.session_log(address);
        let message = |line: String| line.replace(&address.to_string(), "PEER")[22..].to_owned();
        lines.into_iter().map(message).collect::<Vec<_>>()
    };
    assert_eq!(log(TEXT), log("tcp://127.0.0.1:0"));
}

#[test]
fn receipts_count_messages_as_the_log_does() {
    let server = start(TEXT, &["--log-format", "json"]);
    let lines = payload::numbered_lines("line", 1_000);
    let mut peer = server.connect();
    let sending = peer.send_and_half_close_in_background(lines.clone().into_bytes());
    let received = peer.read_to_end();
    sending.join().unwrap().unwrap();
    let receipt = check(&received, lines.as_bytes(), lines.as_bytes());
    assert_eq!((receipt.received.messages, receipt.sent.messages), (1_000, 1_000));
    server.wait_for_log(r#""messages_received":1000"#);
}

#[test]
fn a_listener_without_a_place_for_a_receipt_is_refused() {
    for (args, reason) in [
        (
            &["--listen", "tcp://127.0.0.1:0?receipt=on&protocol=raw"][..],
            "in raw every byte is an echo",
        ),
        (&["--listen", TEXT, "--protocol", "raw"], "in raw every byte is an echo"),
        (&["--listen", "udp://127.0.0.1:0?receipt=on"], "UDP has no connections"),
        (&["--listen", "tcp://127.0.0.1:0?receipt=on&protocol=room"], "protocol=room"),
    ] {
        let ended = tests::programs::Program::run_server(args);
        assert!(ended.code() == 2 && ended.stderr.contains(reason), "{ended:?}");
    }
}

/// A health check that connects and closes every second is still no client.
#[test]
fn a_connection_without_bytes_stays_out_of_the_log() {
    let server = start(TEXT, &[]);
    let mut probe = server.connect();
    probe.half_close();
    check(&probe.read_to_end(), b"", b"");
    exchange(&server, b"hello\n", b"hello\n");
    server.wait_for_log("closed");
    assert_eq!(server.log().text().matches("New client connected").count(), 1);
}

#[test]
fn a_peer_that_sends_a_receipt_gets_its_own_behind_it() {
    let server = start(TEXT, &[]);
    let empty = Receipt::new(Total::of(b""), Total::of(b""), EndedBy::Client);
    let line = format!("{empty}\n");
    exchange(&server, line.as_bytes(), line.as_bytes());
}

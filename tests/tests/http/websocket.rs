//! WebSocket over real sockets (RFC 6455).

use std::{io::Read as _, time::Duration};

use rustix::process::Signal;
use tests::{net::Peer, payload::Random, programs::EchoServer, system::procfs};

/// Memory by which a server may grow while it serves 100 MB, in bytes.
const GROWTH: u64 = 8 * 1024 * 1024;

const MASK: [u8; 4] = [1, 2, 3, 4];

fn start(parameters: &str) -> EchoServer {
    let listen = format!("http://127.0.0.1:0{parameters}");
    EchoServer::start_with(&["--listen", &listen, "--log-messages", "off"])
}

/// Opens a WebSocket.
fn open(server: &EchoServer) -> Peer {
    let mut peer = server.connect();
    peer.send(
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    peer.expect(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    peer
}

/// The header of a frame; that of a client ends with the mask.
fn header(first: u8, len: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        ..126 => bytes.push(bit | len.to_le_bytes()[0]),
        126..=0xffff => {
            bytes.push(bit | 0x7e);
            bytes.extend_from_slice(&len.to_be_bytes()[6..]);
        }
        _ => {
            bytes.push(bit | 0x7f);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend(mask.into_iter().flatten());
    bytes
}

fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    [header(first, payload.len(), Some(MASK)), masked(payload)].concat()
}

fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, payload.len(), None), payload].concat()
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    server_frame(0x88, &[&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

#[test]
fn messages_of_every_length_form_come_back() {
    let server = start("");
    let mut peer = open(&server);
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000] {
        let payload = Random::new(len as u64).bytes(len);
        let writer = peer.send_in_background(client(0x82, &payload));
        peer.expect(&server_frame(0x82, &payload));
        writer.join().expect("no panic").expect("the server reads all");
    }
    peer.send(&client(0x88, &1000_u16.to_be_bytes()));
    peer.expect_to_end(&close(1000, ""));
}

#[test]
fn a_message_of_100_mb_comes_back_in_little_memory() {
    let server = start("");
    let mut peer = open(&server);
    let part = Random::new(1).bytes(1024 * 1024);
    let len = 100 * part.len();
    peer.send(&client(0x81, b"first"));
    peer.expect(&server_frame(0x81, b"first"));
    let before = procfs::resident_memory(server.pid());
    let stream = [header(0x82, len, Some(MASK)), masked(&part).repeat(100)].concat();
    let writer = peer.send_in_background(stream);
    peer.expect(&header(0x82, len, None));
    for _ in 0..100 {
        peer.expect(&part);
    }
    writer.join().expect("no panic").expect("the server reads all");
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
}

#[test]
fn a_client_that_pings_and_never_reads_costs_little_memory() {
    let server = start("");
    let mut peer = open(&server);
    peer.shrink_buffers();
    let before = procfs::resident_memory(server.pid());
    let pings = client(0x89, &[b'x'; 125]).repeat(1000);
    peer.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("not zero");
    // The server stops reading when its socket is full.
    while std::io::Write::write_all(peer.stream(), &pings).is_ok() {}
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
    // The answers that were due arrive.
    peer.expect(&server_frame(0x8a, &[b'x'; 125]).repeat(100));
}

#[test]
fn pings_are_answered_between_fragments() {
    let server = start("");
    let mut peer = open(&server);
    peer.send(&client(0x01, b"first "));
    peer.send(&client(0x89, b"?"));
    peer.send(&client(0x80, b"last"));
    let expected =
        [server_frame(0x01, b"first "), server_frame(0x8a, b"?"), server_frame(0x80, b"last")];
    peer.expect(&expected.concat());
}

#[test]
fn a_drain_serves_the_message_that_has_begun_and_then_closes() {
    let mut server = start("");
    let mut idle = open(&server);
    let mut busy = open(&server);
    let payload = Random::new(1).bytes(10_000);
    let stream = client(0x82, &payload);
    busy.send(&stream[..5000]);
    let expected = server_frame(0x82, &payload);
    busy.expect(&expected[..5000 - 4]);
    server.signal(Signal::TERM);
    idle.expect(&close(1001, "the server shuts down"));
    idle.send(&client(0x88, &1001_u16.to_be_bytes()));
    idle.expect_end();
    busy.send(&stream[5000..]);
    busy.expect(&[&expected[5000 - 4..], &close(1001, "the server shuts down")].concat());
    busy.send(&client(0x88, &1001_u16.to_be_bytes()));
    busy.expect_end();
    drop((idle, busy));
    assert!(server.wait().success());
}

#[test]
fn a_drain_waits_for_the_last_fragment_of_a_message() {
    let mut server = start("");
    let mut peer = open(&server);
    peer.send(&client(0x01, b"first "));
    peer.expect(&server_frame(0x01, b"first "));
    server.signal(Signal::TERM);
    server.wait_for_log("Shutting down server");
    peer.send(&[client(0x00, b"second "), client(0x80, b"last")].concat());
    let expected = [server_frame(0x00, b"second "), server_frame(0x80, b"last")].concat();
    peer.expect(&[expected, close(1001, "the server shuts down")].concat());
    peer.send(&client(0x88, &1001_u16.to_be_bytes()));
    peer.expect_end();
    drop(peer);
    assert!(server.wait().success());
}

#[test]
fn an_idle_timeout_closes_with_a_reason() {
    let server = start("?idle-timeout=2s");
    open(&server).expect_to_end(&close(1001, "idle for too long"));
}

#[test]
fn a_wrong_frame_closes_with_its_code_and_without_a_reset() {
    let server = start("?max-message=1kB");
    for (wrong, code) in [
        (server_frame(0x81, b"no mask"), 1002),
        (client(0x83, b"reserved"), 1002),
        (client(0xc1, b"compressed"), 1002),
        (client(0x80, b"of nothing"), 1002),
        (client(0x81, b"\xff"), 1007),
        (client(0x82, &[0; 1025]), 1009),
    ] {
        let mut peer = open(&server);
        // More than the server reads: a close of its socket with unread bytes would reset the connection.
        peer.send(&[wrong, vec![0; 100_000]].concat());
        peer.half_close();
        let received = peer.read_to_end();
        assert_eq!(received.get(2..4), Some(&u16::to_be_bytes(code)[..]), "{received:?}");
    }
}

#[test]
fn an_exit_says_goodbye_and_closes() {
    let server = start("");
    let mut peer = open(&server);
    peer.send(&client(0x81, b"exit"));
    peer.expect(&[server_frame(0x81, b"Goodbye!"), close(1000, "")].concat());
    peer.send(&client(0x88, &1000_u16.to_be_bytes()));
    peer.expect_end();
}

#[test]
fn a_client_that_vanishes_in_mid_message_disturbs_no_other() {
    let server = start("");
    let mut good = open(&server);
    for _ in 0..20 {
        let mut peer = open(&server);
        peer.send(&client(0x82, &[0; 5000])[..3000]);
        peer.reset();
        good.send(&client(0x81, b"still here"));
        good.expect(&server_frame(0x81, b"still here"));
    }
}

#[test]
fn a_page_of_another_origin_may_not_connect_unless_it_is_listed() {
    let server = start("?origins=https://good.example");
    for (origin, status) in
        [("https://good.example", "101"), ("https://evil.example", "403"), ("null", "403")]
    {
        let mut peer = server.connect();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        peer.send(request.as_bytes());
        let mut start = [0; 12];
        peer.stream().read_exact(&mut start).expect("a response");
        assert_eq!(&start[9..], status.as_bytes(), "{origin}");
        if status == "403" {
            let advice =
                format!("origin '{origin}' is not allowed; add it to origins= of the listener");
            let response = String::from_utf8(peer.read_to_end()).expect("it is text");
            assert!(response.ends_with(&format!("Forbidden: {advice}\n")), "{response}");
            server.wait_for_log(&format!("was refused: {advice}"));
        }
    }
}

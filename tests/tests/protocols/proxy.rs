//! Tests of listeners that require a PROXY header: the log and the limits use the address in the header.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixStream,
};

use rustix::process::Signal;
use tempfile::tempdir;
use tests::{log, programs::EchoServer, system::tcp, wait::wait_until};

const LISTEN: &str = "tcp://127.0.0.1:0?proxy=required";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn start(args: &[&str]) -> EchoServer {
    EchoServer::start_with(&[&["--listen", LISTEN], args].concat())
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a valid address")
}

/// Returns the version 1 header of a proxy that has connected for `source`.
fn version_1(source: SocketAddr) -> Vec<u8> {
    let (family, destination) =
        if source.is_ipv4() { ("TCP4", "10.0.0.1") } else { ("TCP6", "::1") };
    let (ip, port) = (source.ip(), source.port());
    format!("PROXY {family} {ip} {destination} {port} 65432\r\n").into_bytes()
}

/// Returns the version 2 header of a proxy that has connected for `source`, with an unknown field after the
/// addresses.
fn version_2(source: SocketAddr) -> Vec<u8> {
    let (family, ip, destination) = match source.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec(), vec![10, 0, 0, 1]),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec(), vec![1; 16]),
    };
    let field = [0xe0, 0, 2, b'h', b'i'];
    let ports = [source.port().to_be_bytes(), 65432_u16.to_be_bytes()].concat();
    let rest = [&ip[..], &destination, &ports, &field].concat();
    let len = u8::try_from(rest.len()).expect("the length fits one byte");
    [SIGNATURE, &[0x21, family, 0, len], &rest].concat()
}

/// Returns the version 2 header of a proxy that has connected for itself.
fn local() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

#[test]
fn the_log_names_the_client_and_the_proxy() {
    let server = start(&[]);
    for (source, header) in [
        ("203.0.113.7:5000", version_1 as fn(SocketAddr) -> Vec<u8>),
        ("[2001:db8::7]:5001", version_1),
        ("203.0.113.7:5002", version_2),
        ("[2001:db8::7]:5003", version_2),
    ] {
        let source = address(source);
        let mut proxy = server.connect();
        proxy.send(&[&header(source)[..], b"hello\n"].concat());
        proxy.expect(b"hello\n");
        proxy.send(b"exit\n");
        proxy.expect_to_end(b"Goodbye!\n");
        let through = proxy.address();
        drop(proxy);
        let connected =
            format!("{{time}} - INFO - New client connected: {{peer}} (through {through})");
        let lines = server.session_log(source);
        assert_eq!(
            lines,
            [
                &connected,
                "{time} - INFO - Received from {peer}: 'hello'",
                "{time} - INFO - Echoed to {peer}: 'hello'",
                "{time} - INFO - Received from {peer}: 'exit'",
                "{time} - INFO - Client {peer} requested to exit",
                "{time} - INFO - Connection with {peer} closed",
            ]
        );
        assert_eq!(log::lines_of(&server.log().text(), through).len(), 1, "{through}");
    }
}

#[test]
fn json_records_contain_the_client_and_the_proxy() {
    let server = start(&["--log-format", "json"]);
    let mut proxy = server.connect();
    proxy.send(&version_1(address("203.0.113.7:5000")));
    proxy.exchange(b"hello\n");
    server.wait_for_log(&format!(
        r#""event":"connected","peer":"203\.0\.113\.7:5000","connection":"[-0-9]+","through":"{}""#,
        proxy.address()
    ));
}

#[test]
fn accepts_a_header_that_arrives_byte_by_byte() {
    let server = start(&[]);
    for header in [version_1(address("203.0.113.7:5000")), version_2(address("[::1]:1"))] {
        let mut proxy = server.connect();
        for byte in [&header[..], b"hello\n"].concat().chunks(1) {
            proxy.send(byte);
        }
        proxy.expect(b"hello\n");
        proxy.send(b"exit\n");
        proxy.expect_to_end(b"Goodbye!\n");
    }
}

#[test]
fn the_limit_for_one_address_counts_clients_and_not_the_proxy() {
    let server = start(&["--max-connections-per-ip", "1"]);
    let connect = |source: &str| {
        let mut proxy = server.connect();
        proxy.send(&[&version_2(address(source))[..], b"in\n"].concat());
        proxy
    };
    let refusal =
        b"Server is full: it serves 1 connection from one address at most. Try again later.\r\n";
    let mut first = connect("203.0.113.7:5000");
    first.expect(b"in\n");
    connect("203.0.113.7:5001").expect_to_end(refusal);
    server.wait_for_log(
        r"WARNING - Refused 203\.0\.113\.7:5001: at the limit of 1 connection from one address$",
    );
    // All connections come from one address, which does not count.
    let mut other = connect("203.0.113.8:5000");
    other.expect(b"in\n");
    let mut check = server.connect();
    check.send(&local());
    check.exchange(b"and the proxy itself\n");

    drop(first);
    server.wait_for_log(r"Connection with 203\.0\.113\.7:5000 closed$");
    connect("203.0.113.7:5002").expect(b"in\n");
    other.exchange(b"still in\n");
}

#[test]
fn logs_and_does_not_echo_an_invalid_header() {
    let server = start(&[]);
    for (sent, record) in [
        (
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            r"sent no PROXY header, which this listener requires; the received bytes begin with 'GET / HTTP/1\.1\\r\\n\\r\\n'$",
        ),
        (
            b"hello\n",
            r"sent no PROXY header, which this listener requires; the received bytes begin with 'hello\\n'$",
        ),
        (
            b"PROXY TCP4 203.0.113.256 10.0.0.1 5000 65432\r\n",
            r"sent an invalid PROXY header: '203\.0\.113\.256' is not an address of its family; the received bytes begin with 'PROXY TCP4 ",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            r"sent an invalid PROXY header: its length field is 65535, which with the 16 bytes before is over the limit of 4096; the received bytes begin with '\\r\\n",
        ),
    ] {
        let mut peer = server.connect();
        peer.send(sent);
        peer.expect_end();
        let address = peer.address();
        server.wait_for_log(&format!("WARNING - Client {address} {record}"));
        server.wait_for_log(&format!("INFO - Connection with {address} closed$"));
    }
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("New client connected"), "{log}");
}

/// The time limit applies to the complete header: a part of it does not extend the limit.
#[test]
fn logs_a_header_that_is_incomplete_at_the_time_limit() {
    let server = start(&[]);
    let mut silent = server.connect();
    let mut slow = server.connect();
    slow.send(b"PROXY TCP4 203.0.113.7 ");
    for (peer, received) in
        [(&mut silent, ""), (&mut slow, "; the received bytes begin with 'PROXY TCP4 .*'")]
    {
        peer.expect_end();
        let address = peer.address();
        server.wait_for_log(&format!(
            "WARNING - Client {address} sent no complete PROXY header within 5s, which this listener requires{received}$"
        ));
        server.wait_for_log(&format!("Connection with {address} closed$"));
    }
}

#[test]
fn logs_a_header_that_is_cut_off() {
    let server = start(&[]);
    let mut peer = server.connect();
    peer.send(b"PROXY TCP4 203.0");
    peer.half_close();
    peer.expect_end();
    let address = peer.address();
    server.wait_for_log(&format!(
        r"WARNING - Client {address} disconnected before its PROXY header was complete; the received bytes begin with 'PROXY TCP4 203\.0'$"
    ));
}

/// A health check is a connection without a header, or with a version 2 header for the proxy itself, or with a
/// version 1 header for an unknown client.
#[test]
fn does_not_log_the_health_checks_of_the_proxy() {
    let server = start(&[]);
    for check in [b"".to_vec(), local(), b"PROXY UNKNOWN\r\n".to_vec()] {
        let mut peer = server.connect();
        peer.send(&check);
        peer.half_close();
        peer.expect_end();
    }
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("Client ") && !log.contains("New client connected"), "{log}");
}

/// The server also serves a proxy that connects for itself.
#[test]
fn a_header_without_a_source_leaves_the_address_of_the_socket() {
    let server = start(&[]);
    for header in [local(), b"PROXY UNKNOWN\r\n".to_vec()] {
        let mut peer = server.connect();
        peer.send(&[&header[..], b"hello\nexit\n"].concat());
        peer.expect_to_end(b"hello\nGoodbye!\n");
        let address = peer.address();
        drop(peer);
        let lines = server.session_log(address);
        assert_eq!(lines[0], "{time} - INFO - New client connected: {peer}");
    }
}

#[test]
fn a_drain_echoes_the_data_after_a_header_and_closes_an_incomplete_one() {
    let mut server = start(&[]);
    let header = version_1(address("203.0.113.7:5000"));
    let mut whole = server.connect();
    whole.send(&header);
    whole.exchange(b"before\n");
    let mut half = server.connect();
    half.send(&header[..20]);
    whole.send(b"received\n");
    whole.expect(b"received\n");
    server.signal(Signal::TERM);
    server.wait_for_log("Shutting down server");
    half.expect_end();
    whole.expect_end();
    drop((half, whole));
    assert!(server.wait().success());
}

#[test]
fn a_unix_socket_can_require_a_header() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = format!("unix://{}?proxy=required", path.display());
    let server = EchoServer::start_with(&["--listen", &url]);
    let mut proxy = UnixStream::connect(&path).expect("the socket listens");
    let source = address("203.0.113.7:5000");
    proxy
        .write_all(&[&version_2(source)[..], b"hello\nexit\n"].concat())
        .expect("the server reads");
    let mut reply = String::new();
    proxy.read_to_string(&mut reply).expect("the server ends the stream");
    assert_eq!(reply, "hello\nGoodbye!\n");
    drop(proxy);
    let lines = server.session_log(source);
    let through = format!("(through unix://{}#1)", path.display());
    assert!(lines[0].ends_with(&format!("New client connected: {{peer}} {through}")), "{lines:?}");
}

/// A proxy resets its connection when its client does.
#[test]
fn a_reset_during_a_header_ends_only_its_own_connection() {
    let server = start(&["--workers", "1"]);
    let mut other = server.connect();
    other.send(&version_1(address("203.0.113.8:1")));
    other.exchange(b"before\n");
    let mut peer = server.connect();
    peer.send(b"PROXY");
    let address = peer.address();
    wait_until("the server has read the bytes", || {
        tcp::socket(server.address(), address).unread == 0
    });
    peer.reset();
    server.wait_for_log(&format!("Connection with {address} closed$"));
    other.exchange(b"after\n");
}

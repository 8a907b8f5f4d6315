//! Listeners behind a proxy: whom it has connected for is who the log and the limits see.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixStream,
};

use rustix::process::Signal;
use tempfile::tempdir;
use tests::{log, procfs::look_until, server::EchoServer, tcp};

const LISTEN: &str = "tcp://127.0.0.1:0?proxy=required";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn start(args: &[&str]) -> EchoServer {
    EchoServer::start_with(&[&["--listen", LISTEN], args].concat())
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("tests know how to write an address")
}

/// What a proxy sends that has connected for `source`, in version 1.
fn version_1(source: SocketAddr) -> Vec<u8> {
    let (family, there) = if source.is_ipv4() { ("TCP4", "10.0.0.1") } else { ("TCP6", "::1") };
    let (ip, port) = (source.ip(), source.port());
    format!("PROXY {family} {ip} {there} {port} 65432\r\n").into_bytes()
}

/// The same in version 2, with a field behind the addresses that nobody knows.
fn version_2(source: SocketAddr) -> Vec<u8> {
    let (family, ip, there) = match source.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec(), vec![10, 0, 0, 1]),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec(), vec![1; 16]),
    };
    let field = [0xe0, 0, 2, b'h', b'i'];
    let ports = [source.port().to_be_bytes(), 65432_u16.to_be_bytes()].concat();
    let rest = [&ip[..], &there, &ports, &field].concat();
    let len = u8::try_from(rest.len()).expect("it is short");
    [SIGNATURE, &[0x21, family, 0, len], &rest].concat()
}

fn local() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

#[test]
fn the_log_names_who_is_behind_the_proxy() {
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
        proxy.expect_rest(b"Goodbye!\n");
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
        assert_eq!(log::lines_of(&server.log().text(), through).len(), 1, "only as the proxy");
    }
}

#[test]
fn json_has_who_and_through_whom() {
    let server = start(&["--log-format", "json"]);
    let mut proxy = server.connect();
    proxy.send(&version_1(address("203.0.113.7:5000")));
    proxy.exchange(b"hello\n");
    server.wait_for_log(&format!(
        r#""event":"connected","peer":"203\.0\.113\.7:5000","through":"{}""#,
        proxy.address()
    ));
}

#[test]
fn a_header_in_many_packets_is_a_header() {
    let server = start(&[]);
    for header in [version_1(address("203.0.113.7:5000")), version_2(address("[::1]:1"))] {
        let mut proxy = server.connect();
        for byte in [&header[..], b"hello\n"].concat().chunks(1) {
            proxy.send(byte);
        }
        proxy.expect(b"hello\n");
        // Nothing of the header was echoed before.
        proxy.send(b"exit\n");
        proxy.expect_rest(b"Goodbye!\n");
    }
}

#[test]
fn the_limit_for_one_address_counts_who_is_behind_the_proxy() {
    let server = start(&["--max-connections-per-ip", "1"]);
    let connect = |source: &str| {
        let mut proxy = server.connect();
        proxy.send(&[&version_2(address(source))[..], b"in\n"].concat());
        proxy
    };
    let told =
        b"Server is full: it serves 1 connection from one address at most. Try again later.\r\n";
    let mut first = connect("203.0.113.7:5000");
    first.expect(b"in\n");
    connect("203.0.113.7:5001").expect_rest(told);
    server.wait_for_log(
        r"WARNING - Refused 203\.0\.113\.7:5001: at the limit of 1 connection from one address$",
    );
    // All come from this machine, which is no source here.
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
fn what_is_no_header_is_refused_in_the_log_and_not_echoed() {
    let server = start(&[]);
    for (sent, said) in [
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
        server.wait_for_log(&format!("WARNING - Client {address} {said}"));
        server.wait_for_log(&format!("INFO - Connection with {address} closed$"));
    }
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("New client connected"), "{log}");
}

/// A header is waited for, and not for ever, and not for the sake of a byte now and then.
#[test]
fn a_header_that_does_not_come_in_time_is_refused_in_the_log() {
    let server = start(&[]);
    let mut silent = server.connect();
    let mut slow = server.connect();
    slow.send(b"PROXY TCP4 203.0.113.7 ");
    for (peer, began) in
        [(&mut silent, ""), (&mut slow, "; the received bytes begin with 'PROXY TCP4 .*'")]
    {
        peer.expect_end();
        let address = peer.address();
        server.wait_for_log(&format!(
            "WARNING - Client {address} sent no complete PROXY header within 5s, which this listener requires{began}$"
        ));
        server.wait_for_log(&format!("Connection with {address} closed$"));
    }
}

#[test]
fn a_header_that_is_cut_off_is_told() {
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

/// A proxy looks every second or two whether the server is there: by a connection alone, or with a header
/// that says that it comes for itself, or, in version 1, that it comes for an unknown client.
#[test]
fn the_proxys_own_checks_are_not_told() {
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

/// Whoever is connected for itself is served like anybody.
#[test]
fn who_comes_for_itself_is_the_socket() {
    let server = start(&[]);
    for header in [local(), b"PROXY UNKNOWN\r\n".to_vec()] {
        let mut peer = server.connect();
        peer.send(&[&header[..], b"hello\nexit\n"].concat());
        peer.expect_rest(b"hello\nGoodbye!\n");
        let address = peer.address();
        drop(peer);
        let lines = server.session_log(address);
        assert_eq!(lines[0], "{time} - INFO - New client connected: {peer}");
    }
}

#[test]
fn a_drain_serves_what_came_behind_a_header_and_ends_who_has_sent_half_of_one() {
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
fn a_unix_socket_can_be_behind_a_proxy() {
    let dir = tempdir().expect("a temporary directory");
    let path = dir.path().join("echo.sock");
    let url = format!("unix://{}?proxy=required", path.display());
    let server = EchoServer::start_with(&["--listen", &url]);
    let mut proxy = UnixStream::connect(&path).expect("it listens");
    let source = address("203.0.113.7:5000");
    proxy.write_all(&[&version_2(source)[..], b"hello\nexit\n"].concat()).expect("it takes that");
    let mut reply = String::new();
    proxy.read_to_string(&mut reply).expect("it ends the stream");
    assert_eq!(reply, "hello\nGoodbye!\n");
    drop(proxy);
    let lines = server.session_log(source);
    let through = format!("(through unix://{}#1)", path.display());
    assert!(lines[0].ends_with(&format!("New client connected: {{peer}} {through}")), "{lines:?}");
}

/// The proxy resets its connection when its client does: that is the end of that one.
#[test]
fn a_reset_in_mid_header_ends_its_own_connection_only() {
    let server = start(&["--workers", "1"]);
    let mut other = server.connect();
    other.send(&version_1(address("203.0.113.8:1")));
    other.exchange(b"before\n");
    let mut peer = server.connect();
    peer.send(b"PROXY");
    let address = peer.address();
    look_until("the server has read it", || tcp::socket(server.address(), address).unread == 0);
    peer.reset();
    server.wait_for_log(&format!("Connection with {address} closed$"));
    other.exchange(b"after\n");
}

//! Tests of UDP (RFC 862): the server echoes each datagram completely, from the address that it was sent to,
//! unless its rules forbid an answer.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    thread,
};

use rustix::process::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use tests::{
    log,
    net::Peer,
    payload::Random,
    programs::{EchoServer, Program},
    requirements,
    wait::{DEADLINE, wait_until},
};

/// Starts a server with this listener and these arguments.
fn start(url: &str, args: &[&str]) -> EchoServer {
    EchoServer::start_with(&[&["--listen", url], args].concat())
}

/// Returns the UDP address of a server.
fn address(server: &EchoServer) -> SocketAddr {
    let udp = server.addresses().iter().find_map(|address| address.strip_prefix("udp://"));
    udp.expect("the server listens for UDP").parse().expect("an address")
}

/// Returns another local address with the UDP port of a server.
fn with_host(host: &str, server: &EchoServer) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), address(server).port())
}

/// Binds a client socket with a read timeout to this address.
fn bind(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("the address is free");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    socket
}

fn client() -> UdpSocket {
    bind("127.0.0.1:0")
}

/// Sends a datagram, and expects its echo from the address that it was sent to.
fn exchange(client: &UdpSocket, server: SocketAddr, bytes: &[u8]) {
    client.send_to(bytes, server).expect("the datagram can be sent");
    expect(client, server, bytes);
}

fn expect(client: &UdpSocket, server: SocketAddr, bytes: &[u8]) {
    let mut back = vec![0; 65_536];
    let (len, from) = client.recv_from(&mut back).expect("an echo");
    assert_eq!(from, server);
    assert!(back[..len] == *bytes, "{len} bytes came back for {}", bytes.len());
}

/// Asserts that the client has received nothing.
fn assert_unanswered(client: &UdpSocket) {
    client.set_nonblocking(true).expect("a socket");
    let error = client.recv(&mut [0; 8]).expect_err("the server does not answer");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

fn port(client: &UdpSocket) -> u16 {
    client.local_addr().expect("the address of the socket").port()
}

/// Opens a raw socket (`raw(7)`), to which a test writes the UDP header and the data.
fn raw() -> Result<Socket, String> {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))
        .map_err(|error| format!("a source can be forged by root only ({error})"))
}

/// Sends a datagram with a forged source: this port of 127.0.0.1.
fn forge(raw: &Socket, from: u16, to: SocketAddr, bytes: &[u8]) {
    let len = u16::try_from(8 + bytes.len()).expect("a short datagram");
    // The checksum may be zero (RFC 768).
    let header = [from, to.port(), len, 0].map(u16::to_be_bytes).concat();
    let at = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    raw.send_to(&[&header, bytes].concat(), &at.into()).expect("the datagram can be sent");
}

#[test]
fn echoes_datagrams_of_every_size() {
    let server = start("udp://127.0.0.1:0", &[]);
    let client = client();
    let mut random = Random::new(862);
    for size in [1, 0, 5, 1472, 1473, 9000, 65_507, 0] {
        exchange(&client, address(&server), &random.bytes(size));
    }
}

#[test]
fn echoes_the_longest_datagram_over_ipv6() {
    let server = start("udp://[::1]:0", &[]);
    let client = bind("[::1]:0");
    for size in [3, 65_527] {
        exchange(&client, address(&server), &Random::new(6).bytes(size));
    }
}

#[test]
fn several_workers_echo_every_byte_of_many_clients() {
    let server = start("udp://127.0.0.1:0?rate=off", &["--workers", "3", "--log-messages", "off"]);
    let to = address(&server);
    thread::scope(|scope| {
        for seed in 0..32 {
            scope.spawn(move || {
                let (client, mut random) = (client(), Random::new(seed));
                for _ in 0..100 {
                    let size = random.below(2000);
                    exchange(&client, to, &random.bytes(size));
                }
            });
        }
    });
}

#[test]
fn logs_two_lines_for_a_datagram_and_none_about_connections() {
    let server = start("udp://127.0.0.1:0", &[]);
    let client = client();
    for text in [&b"Hello, Server!\r\n"[..], b"two\nlines\n", b"", b"exit\n", b"\x1b[2J"] {
        exchange(&client, address(&server), text);
    }
    let log = server.terminate().1;
    let peer = client.local_addr().expect("the address of the socket");
    let lines: Vec<_> = [r"Hello, Server!", r"two\nlines", "", "exit", r"\x1b[2J"]
        .iter()
        .flat_map(|text| {
            ["Received from", "Echoed to"]
                .map(|what| format!("{{time}} - INFO - {what} {{peer}}: '{text}'"))
        })
        .collect();
    assert_eq!(log::lines_of(&log, peer), lines);
    assert!(!log.contains("client connected") && !log.contains("closed"), "{log}");
    let first = log.lines().next().expect("a line");
    assert!(log::pattern(r"^{time} - INFO - Echo server started on udp://{peer}$").is_match(first));
}

#[test]
fn json_records_have_the_same_fields_as_those_of_connections() {
    let server = start("udp://127.0.0.1:0", &["--log-format", "json"]);
    let client = client();
    exchange(&client, address(&server), b"hello\n");
    let log = server.terminate().1;
    let peer = client.local_addr().expect("the address of the socket").to_string();
    for event in ["received", "echoed"] {
        let fields = format!(r#""event":"{event}","peer":"{peer}","bytes":6"#);
        assert!(log.contains(&fields), "{fields} in {log}");
    }
}

#[test]
fn log_messages_off_logs_no_datagrams() {
    let server = start("udp://127.0.0.1:0", &["--log-messages", "off"]);
    exchange(&client(), address(&server), b"hello\n");
    assert!(!server.terminate().1.contains("hello"));
}

#[test]
fn answers_from_the_address_that_the_datagram_was_sent_to() {
    let server = start("udp://0.0.0.0:0", &[]);
    for host in ["127.0.0.2", "127.0.0.1", "127.9.8.7"] {
        exchange(&client(), with_host(host, &server), host.as_bytes());
    }
    let both = start("udp://[::]:0", &[]);
    exchange(&client(), with_host("127.0.0.2", &both), b"IPv4");
    both.wait_for_log(r"Received from 127\.0\.0\.1:\d+: 'IPv4'");
    exchange(&bind("[::1]:0"), with_host("::1", &both), b"IPv6");
}

#[test]
fn v6only_accepts_no_ipv4() {
    let server = start("udp://[::]:0?v6only=yes", &[]);
    exchange(&bind("[::1]:0"), with_host("::1", &server), b"IPv6");
    let client = client();
    client.connect(with_host("127.0.0.1", &server)).expect("no error before the reply");
    client.send(b"IPv4").expect("no error before the reply");
    let error = client.recv(&mut [0; 8]).expect_err("the port is unreachable");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn serves_tcp_and_udp_at_the_same_time() {
    let server = EchoServer::start_with(&[
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "udp://127.0.0.1:0",
        "--listen",
        "udp://127.0.0.2:0",
    ]);
    let mut peer = Peer::connect(server.address());
    peer.exchange(b"to one\n");
    for udp in &server.addresses()[1..] {
        let to = udp.trim_start_matches("udp://").parse().expect("an address");
        // UDP is always raw, so `exit` has no meaning.
        exchange(&client(), to, b"exit\n");
    }
    peer.exchange(b"and the other\n");
}

#[test]
fn a_second_server_on_the_same_port_needs_reuse_port_on_both() {
    let server = start("udp://127.0.0.1:0", &[]);
    let url = server.addresses()[0].clone();
    let second = Program::run_server(&["--listen", &url]);
    assert_eq!(second.code(), 1);
    let line = second.error_line();
    assert!(line.contains(&format!("cannot listen on {url}: address already in use")), "{line}");
    assert!(line.ends_with("or start both with --reuse-port"), "{line}");
    exchange(&client(), address(&server), b"still here");

    let first = start("udp://127.0.0.1:0", &["--reuse-port"]);
    let second = start(&first.addresses()[0], &["--reuse-port"]);
    assert_eq!(first.addresses(), second.addresses());
    let (status, _) = first.terminate();
    assert!(status.success());
    exchange(&client(), address(&second), b"taken over");
}

#[test]
fn never_answers_the_port_of_another_service() {
    let raw = raw();
    if requirements::skip_without(&[requirements::privilege(&raw)]) {
        return;
    }
    let raw = raw.expect("the test requires it");
    let server = start("udp://127.0.0.1:0", &["--log-level", "debug"]);
    for from in [7, 19, 53, 123, 161, 11_211] {
        forge(&raw, from, address(&server), b"forged");
    }
    // A worker receives the datagrams before this one first. Another worker may still have some of them, and
    // finishes them before the server exits.
    exchange(&client(), address(&server), b"hello");
    server.wait_for_log(
        r"WARNING - Did not answer a datagram from 127\.0\.0\.1:\d+: port \d+ belongs to a service",
    );
    let log = server.terminate().1;
    assert!(log.contains("Answered 1 datagrams; refused 6"), "{log}");
    assert!(!log.contains("forged"), "{log}");
    let refusals = log.matches("Did not answer").count();
    assert!(refusals < 6, "the server logs each refusal");
}

#[test]
fn never_answers_a_port_on_which_it_listens_itself() {
    let server = start("udp://127.0.0.1:0", &[]);
    let other = bind(&with_host("127.0.0.2", &server).to_string());
    other
        .send_to(b"from a server like this one", address(&server))
        .expect("the datagram can be sent");
    server.wait_for_log(&format!(
        "Did not answer a datagram from 127.0.0.2:{0}: this server listens on port {0} itself",
        port(&other)
    ));
    assert_unanswered(&other);
}

#[test]
fn does_not_answer_a_broadcast() {
    let server = start("udp://0.0.0.0:0", &[]);
    let client = client();
    client.set_broadcast(true).expect("a UDP socket");
    let sent = client.send_to(b"anybody?", with_host("127.255.255.255", &server));
    let sent = sent.map_err(|error| format!("broadcasts on the loopback interface ({error})"));
    if requirements::skip_without(&[requirements::privilege(&sent)]) {
        return;
    }
    server.wait_for_log("Did not answer .*: it was sent to a broadcast or multicast address");
    assert_unanswered(&client);
}

#[test]
fn answers_one_source_at_its_rate_and_still_answers_others() {
    let server = start("udp://0.0.0.0:0?rate=5", &["--log-messages", "off"]);
    let (flooding, to) = (client(), with_host("127.0.0.1", &server));
    for _ in 0..5 {
        exchange(&flooding, to, b"x");
    }
    // More than the server allows, also with the answers that the source gains in the meantime.
    for _ in 0..100 {
        flooding.send_to(b"x", to).expect("the datagram can be sent");
    }
    server.wait_for_log(
        r"WARNING - Did not answer a datagram from 127\.0\.0\.1:\d+: its source has reached 5 answers",
    );
    for last in 2..5 {
        let other = bind(&format!("127.0.0.{last}:0"));
        exchange(&other, to, b"hello");
    }
}

/// The relay answers every answer, like an echo server on another port. The loop ends at the first datagram
/// that the server does not answer.
#[test]
fn a_loop_ends_at_the_rate_limit() {
    let server = start("udp://127.0.0.1:0?rate=10", &["--log-messages", "off"]);
    let (relay, to) = (client(), address(&server));
    let end = client();
    let end_address = end.local_addr().expect("the address of the socket");
    relay.send_to(b"round", to).expect("the datagram can be sent");
    thread::scope(|scope| {
        let rounds = scope.spawn(|| {
            let mut bytes = [0; 64];
            for rounds in 0.. {
                let (len, from) = relay.recv_from(&mut bytes).expect("a datagram");
                if from == end_address {
                    return rounds;
                }
                relay.send_to(&bytes[..len], to).expect("the datagram can be sent");
            }
            unreachable!("the loop returns")
        });
        server.wait_for_log("Did not answer .*: its source has reached 10 answers per second");
        // The loop has lost its only datagram; the relay waits.
        let relay = relay.local_addr().expect("the address of the socket");
        end.send_to(b"end", relay).expect("the datagram can be sent");
        assert!(rounds.join().expect("the relay has ended") >= 10);
    });
}

/// A datagram with a forged source makes each server take the other for a client. Over a network, the loop may
/// stay below any rate, so it must end without a rate limit.
#[test]
fn a_loop_between_two_servers_ends() {
    let raw = raw();
    if requirements::skip_without(&[requirements::privilege(&raw)]) {
        return;
    }
    let raw = raw.expect("the test requires it");
    let servers = [(); 2].map(|()| start("udp://127.0.0.1:0?rate=off", &[]));
    let [one, other] = [&servers[0], &servers[1]].map(address);
    forge(&raw, other.port(), one, b"round");
    let record = "Did not answer .*: its hop limit is exhausted";
    wait_until("the end of the loop", || {
        servers.iter().any(|server| log::pattern(record).is_match(&server.log().text()))
    });
    for to in [one, other] {
        exchange(&client(), to, b"still here");
    }
    let logs = servers.map(|server| server.terminate().1).concat();
    let rounds = logs.matches("Received from").count() - 2;
    assert!((2..=255).contains(&rounds), "{rounds} rounds");
}

#[test]
fn a_shutdown_answers_the_received_datagrams_and_waits_for_no_other() {
    let mut server = start("udp://127.0.0.1:0", &["--drain-timeout", "1h"]);
    let clients: Vec<_> = (0..8).map(|_| client()).collect();
    exchange(&clients[0], address(&server), b"before");
    server.pause();
    for client in &clients {
        for text in [b"one", b"two"] {
            client.send_to(text, address(&server)).expect("the datagram can be sent");
        }
    }
    server.signal(Signal::TERM);
    server.resume();
    for client in &clients {
        expect(client, address(&server), b"one");
        expect(client, address(&server), b"two");
    }
    assert!(server.wait().success());
}

#[test]
fn refuses_options_that_udp_does_not_support_by_name() {
    for (url, message) in [
        ("udp://127.0.0.1:0?protocol=text", "'protocol=text': UDP is always raw"),
        ("udp://127.0.0.1:0?max-connections=3", "'max-connections=3': UDP has no connections"),
        ("udp://127.0.0.1:0?mode=600", "'mode=600': it applies to Unix sockets"),
        ("udp://127.0.0.1:0?rate=none", "'rate=none': expected a number of datagrams per second"),
        ("tcp://127.0.0.1:0?rate=5", "'rate=5': it applies to UDP"),
    ] {
        let ended = Program::run_server(&["--listen", url]);
        assert_eq!(ended.code(), 2, "{url}");
        assert!(ended.error_line().contains(message), "{url}: {}", ended.error_line());
    }
}

//! UDP (RFC 862): every datagram comes back whole, to whoever may have an answer, from where it was sent
//! to.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    thread,
};

use rustix::process::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use tests::{
    DEADLINE, log,
    needs::{self, Need},
    payload::Random,
    peer::Peer,
    procfs,
    program::Program,
    server::EchoServer,
};

/// A server on a free port for UDP, with these arguments besides.
fn start(url: &str, args: &[&str]) -> EchoServer {
    EchoServer::start_with(&[&["--listen", url], args].concat())
}

/// Where a server listens for UDP.
fn address(server: &EchoServer) -> SocketAddr {
    let udp = server.addresses().iter().find_map(|address| address.strip_prefix("udp://"));
    udp.expect("it listens for UDP").parse().expect("an address")
}

/// The same port of this machine, by another address of it.
fn at(host: &str, server: &EchoServer) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), address(server).port())
}

/// Whoever sends from this address.
fn bind(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("the address is free");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    socket
}

fn client() -> UdpSocket {
    bind("127.0.0.1:0")
}

/// Sends it there, and expects it back from there and from nowhere else.
fn exchange(client: &UdpSocket, server: SocketAddr, bytes: &[u8]) {
    client.send_to(bytes, server).expect("it can be sent");
    expect(client, server, bytes);
}

fn expect(client: &UdpSocket, server: SocketAddr, bytes: &[u8]) {
    let mut back = vec![0; 65_536];
    let (len, from) = client.recv_from(&mut back).expect("it comes back");
    assert_eq!(from, server);
    assert!(back[..len] == *bytes, "{len} bytes came back for {}", bytes.len());
}

/// Nothing has come for it.
fn assert_unanswered(client: &UdpSocket) {
    client.set_nonblocking(true).expect("it need not wait");
    let error = client.recv(&mut [0; 8]).expect_err("it must not be answered");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

fn port(client: &UdpSocket) -> u16 {
    client.local_addr().expect("it has one").port()
}

/// A socket that sends what it is given as the UDP header and its data (`raw(7)`).
fn raw() -> Result<Socket, String> {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))
        .map_err(|error| format!("a source can be forged by root only ({error})"))
}

/// Sends a datagram that claims to come from that port of 127.0.0.1.
fn forge(raw: &Socket, from: u16, to: SocketAddr, bytes: &[u8]) {
    let len = u16::try_from(8 + bytes.len()).expect("a short one");
    // The checksum may be zero (RFC 768).
    let header = [from, to.port(), len, 0].map(u16::to_be_bytes).concat();
    let at = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    raw.send_to(&[&header, bytes].concat(), &at.into()).expect("it can be sent");
}

#[test]
fn datagrams_of_every_size_come_back_whole() {
    let server = start("udp://127.0.0.1:0", &[]);
    let client = client();
    let mut random = Random::new(862);
    for size in [1, 0, 5, 1472, 1473, 9000, 65_507, 0] {
        exchange(&client, address(&server), &random.bytes(size));
    }
}

#[test]
fn ipv6_and_the_longest_datagram_there_is() {
    let server = start("udp://[::1]:0", &[]);
    let client = bind("[::1]:0");
    for size in [3, 65_527] {
        exchange(&client, address(&server), &Random::new(6).bytes(size));
    }
}

#[test]
fn many_clients_over_several_workers_get_every_byte() {
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
fn the_log_has_two_lines_a_datagram_and_none_of_connections() {
    let server = start("udp://127.0.0.1:0", &[]);
    let client = client();
    for text in [&b"Hello, Server!\r\n"[..], b"two\nlines\n", b"", b"exit\n", b"\x1b[2J"] {
        exchange(&client, address(&server), text);
    }
    let log = server.terminate().1;
    let peer = client.local_addr().expect("it has one");
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
fn json_records_have_the_fields_that_those_of_connections_have() {
    let server = start("udp://127.0.0.1:0", &["--log-format", "json"]);
    let client = client();
    exchange(&client, address(&server), b"hello\n");
    let log = server.terminate().1;
    let peer = client.local_addr().expect("it has one").to_string();
    for event in ["received", "echoed"] {
        let fields = format!(r#""event":"{event}","peer":"{peer}","bytes":6"#);
        assert!(log.contains(&fields), "{fields} in {log}");
    }
}

#[test]
fn messages_are_not_logged_if_not_asked_for() {
    let server = start("udp://127.0.0.1:0", &["--log-messages", "off"]);
    exchange(&client(), address(&server), b"hello\n");
    assert!(!server.terminate().1.contains("hello"));
}

#[test]
fn an_answer_comes_from_where_its_datagram_was_sent_to() {
    let server = start("udp://0.0.0.0:0", &[]);
    for host in ["127.0.0.2", "127.0.0.1", "127.9.8.7"] {
        exchange(&client(), at(host, &server), host.as_bytes());
    }
    let both = start("udp://[::]:0", &[]);
    exchange(&client(), at("127.0.0.2", &both), b"IPv4");
    both.wait_for_log(r"Received from 127\.0\.0\.1:\d+: 'IPv4'");
    exchange(&bind("[::1]:0"), at("::1", &both), b"IPv6");
}

#[test]
fn ipv6_only_is_ipv6_only() {
    let server = start("udp://[::]:0?v6only=yes", &[]);
    exchange(&bind("[::1]:0"), at("::1", &server), b"IPv6");
    let client = client();
    client.connect(at("127.0.0.1", &server)).expect("nobody is asked");
    client.send(b"IPv4").expect("nobody is asked");
    let error = client.recv(&mut [0; 8]).expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn tcp_and_udp_beside_each_other() {
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
        // No protocol but raw: nothing is an exit.
        exchange(&client(), to, b"exit\n");
    }
    peer.exchange(b"and the other\n");
}

#[test]
fn a_second_server_is_refused_unless_both_say_reuse_port() {
    let server = start("udp://127.0.0.1:0", &[]);
    let url = server.addresses()[0].clone();
    let second = Program::run_server(&["--listen", &url]);
    assert_eq!(second.code(), 1);
    let line = second.error_line();
    assert!(line.contains(&format!("cannot listen on {url}: address already in use")), "{line}");
    exchange(&client(), address(&server), b"still here");

    let first = start("udp://127.0.0.1:0", &["--reuse-port"]);
    let second = start(&first.addresses()[0], &["--reuse-port"]);
    assert_eq!(first.addresses(), second.addresses());
    let (status, _) = first.terminate();
    assert!(status.success());
    exchange(&client(), address(&second), b"taken over");
}

#[test]
fn a_port_of_a_service_is_never_answered() {
    let raw = raw();
    if needs::lacks(&[raw.as_ref().map(drop).map_err(Clone::clone)]) {
        return;
    }
    let raw = raw.expect("it is there");
    let server = start("udp://127.0.0.1:0", &["--log-level", "debug"]);
    for from in [7, 19, 53, 123, 161, 11_211] {
        forge(&raw, from, address(&server), b"forged");
    }
    // Whatever came before it has been looked at: by another worker, it may not, but that one ends as well.
    exchange(&client(), address(&server), b"hello");
    server.wait_for_log(
        r"WARNING - Did not answer a datagram from 127\.0\.0\.1:\d+: port \d+ belongs to a service",
    );
    let log = server.terminate().1;
    assert!(log.contains("Answered 1 datagrams; refused 6"), "{log}");
    assert!(!log.contains("forged"), "{log}");
    let complaints = log.matches("Did not answer").count();
    assert!(complaints < 6, "not a line each");
}

#[test]
fn a_port_on_which_the_server_itself_listens_is_never_answered() {
    let server = start("udp://127.0.0.1:0", &[]);
    let other = bind(&at("127.0.0.2", &server).to_string());
    other.send_to(b"from a server like this one", address(&server)).expect("it can be sent");
    server.wait_for_log(&format!(
        "Did not answer a datagram from 127.0.0.2:{0}: this server listens on port {0} itself",
        port(&other)
    ));
    assert_unanswered(&other);
}

#[test]
fn what_is_sent_to_everybody_is_answered_by_nobody() {
    let server = start("udp://0.0.0.0:0", &[]);
    let client = client();
    client.set_broadcast(true).expect("it is asked for");
    let sent = client.send_to(b"anybody?", at("127.255.255.255", &server));
    let need: Need = sent.map(drop).map_err(|error| format!("no broadcast to ourselves ({error})"));
    if needs::lacks(&[need]) {
        return;
    }
    server.wait_for_log("Did not answer .*: it was sent to a broadcast or multicast address");
    assert_unanswered(&client);
}

#[test]
fn a_source_is_answered_so_often_and_others_are_still() {
    let server = start("udp://0.0.0.0:0?rate=5", &["--log-messages", "off"]);
    let (greedy, to) = (client(), at("127.0.0.1", &server));
    for _ in 0..5 {
        exchange(&greedy, to, b"x");
    }
    // It may have earned a few more meanwhile.
    for _ in 0..100 {
        greedy.send_to(b"x", to).expect("it can be sent");
    }
    server.wait_for_log(
        r"WARNING - Did not answer a datagram from 127\.0\.0\.1:\d+: its source has reached 5 answers",
    );
    for last in 2..5 {
        let other = bind(&format!("127.0.0.{last}:0"));
        exchange(&other, to, b"hello");
    }
}

/// Somebody answers every answer, as an echo server does that is not on a well-known port. The exchange
/// ends at the first datagram that is not answered.
#[test]
fn a_loop_ends_at_the_rate_limit() {
    let server = start("udp://127.0.0.1:0?rate=100", &["--log-messages", "off"]);
    let (relay, to) = (client(), address(&server));
    let end = client();
    let ended_by = end.local_addr().expect("it has one");
    relay.send_to(b"round", to).expect("it can be sent");
    thread::scope(|scope| {
        let rounds = scope.spawn(|| {
            let mut bytes = [0; 64];
            for rounds in 0.. {
                let (len, from) = relay.recv_from(&mut bytes).expect("something comes");
                if from == ended_by {
                    return rounds;
                }
                relay.send_to(&bytes[..len], to).expect("it can be sent");
            }
            unreachable!("it goes on")
        });
        server.wait_for_log("Did not answer .*: its source has reached 100 answers per second");
        // The only datagram there was has gone; the relay waits.
        let relay = relay.local_addr().expect("it has one");
        end.send_to(b"end", relay).expect("it can be sent");
        assert!(rounds.join().expect("it ended") >= 100);
    });
}

/// Each takes the other for a client: a datagram is injected that seems to come from the other. The rate of
/// an exchange over a network may stay below any limit, so it ends without one.
#[test]
fn two_servers_that_answer_each_other_stop() {
    let raw = raw();
    if needs::lacks(&[raw.as_ref().map(drop).map_err(Clone::clone)]) {
        return;
    }
    let raw = raw.expect("it is there");
    let servers = [(); 2].map(|()| start("udp://127.0.0.1:0?rate=off", &[]));
    let [one, other] = [&servers[0], &servers[1]].map(address);
    forge(&raw, other.port(), one, b"round");
    let worn = "Did not answer .*: its hop limit is exhausted";
    procfs::look_until("the end of the loop", || {
        servers.iter().any(|server| log::pattern(worn).is_match(&server.log().text()))
    });
    for to in [one, other] {
        exchange(&client(), to, b"still here");
    }
    let logs = servers.map(|server| server.terminate().1).concat();
    let rounds = logs.matches("Received from").count() - 2;
    assert!((2..=255).contains(&rounds), "{rounds} rounds");
}

#[test]
fn what_had_come_is_answered_at_a_shutdown_which_waits_for_nobody() {
    let mut server = start("udp://127.0.0.1:0", &["--drain-timeout", "1h"]);
    let clients: Vec<_> = (0..8).map(|_| client()).collect();
    exchange(&clients[0], address(&server), b"before");
    server.signal(Signal::STOP);
    procfs::look_until("the stop", || procfs::has_stopped(server.pid()));
    for client in &clients {
        for text in [b"one", b"two"] {
            client.send_to(text, address(&server)).expect("it can be sent");
        }
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for client in &clients {
        expect(client, address(&server), b"one");
        expect(client, address(&server), b"two");
    }
    assert!(server.wait().success());
}

#[test]
fn what_makes_no_sense_for_udp_is_refused_by_name() {
    for (url, said) in [
        ("udp://127.0.0.1:0?protocol=text", "'protocol=text': UDP is always raw"),
        ("udp://127.0.0.1:0?max-connections=3", "'max-connections=3': UDP has no connections"),
        ("udp://127.0.0.1:0?mode=600", "'mode=600': it applies to Unix sockets"),
        ("udp://127.0.0.1:0?rate=none", "'rate=none': expected a number of datagrams per second"),
        ("tcp://127.0.0.1:0?rate=5", "'rate=5': it applies to UDP"),
    ] {
        let ended = Program::run_server(&["--listen", url]);
        assert_eq!(ended.code(), 2, "{url}");
        assert!(ended.error_line().contains(said), "{url}: {}", ended.error_line());
    }
}

//! Tests of datagrams that the server receives and answers together.

use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use tests::{
    payload::Random,
    programs::{EchoServer, Launch},
    requirements::{self, skip_without},
    wait::DEADLINE,
};

/// The datagrams of one client, in the order in which it sends them.
struct Client {
    socket: UdpSocket,
    datagrams: Vec<Vec<u8>>,
}

impl Client {
    /// Connects a client, which then receives datagrams from this address only.
    fn new(server: SocketAddr, datagrams: Vec<Vec<u8>>) -> Self {
        let any = if server.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.connect(server).expect("an address of this machine");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout above zero");
        Self { socket, datagrams }
    }

    /// Sends each of these numbers of datagrams, which have one size, as one message. Over loopback, a server with receive offload
    /// receives it as one.
    fn send_joined(&self, numbers: &[usize]) {
        let size = self.datagrams[0].len().try_into().expect("a short datagram");
        setsockopt(&self.socket, UdpGsoSegment, &size).expect("the system has the option");
        let mut rest = &self.datagrams[..];
        for &number in numbers {
            let message;
            (message, rest) = rest.split_at(number);
            self.socket.send(&message.concat()).expect("the message can be sent");
        }
    }

    /// Returns the first bytes of the datagrams that it has received.
    fn received(&self) -> Vec<u8> {
        self.socket.set_nonblocking(true).expect("a socket");
        let mut byte = [0];
        std::iter::from_fn(|| self.socket.recv(&mut byte).ok().map(|_| byte[0])).collect()
    }

    /// Expects all datagrams back, in their order and nothing else.
    fn expect_all(&self) {
        let mut back = vec![0; 65_536];
        for (number, datagram) in self.datagrams.iter().enumerate() {
            let len = self.socket.recv(&mut back).expect("an echo");
            assert!(back[..len] == *datagram, "datagram {number}: {len} bytes");
        }
        self.socket.set_nonblocking(true).expect("a socket");
        let error = self.socket.recv(&mut back).expect_err("each datagram has one echo");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// Lets the clients send in turns while the server is stopped, so that it finds all datagrams at once.
fn send_while_stopped(server: &EchoServer, clients: &[Client]) {
    server.pause();
    let longest = clients.iter().map(|client| client.datagrams.len()).max().unwrap_or(0);
    for number in 0..longest {
        for client in clients {
            if let Some(datagram) = client.datagrams.get(number) {
                client.socket.send(datagram).expect("the datagram can be sent");
            }
        }
    }
    server.resume();
}

/// Returns the UDP address of a server on this host.
fn address(server: &EchoServer, host: &str) -> SocketAddr {
    let udp = server.addresses().iter().find_map(|address| address.strip_prefix("udp://"));
    let own: SocketAddr = udp.expect("the server listens for UDP").parse().expect("an address");
    SocketAddr::new(host.parse().expect("an address"), own.port())
}

/// Returns datagrams whose sizes are mostly the same, as they are in a load.
fn datagrams(random: &mut Random, number: usize) -> Vec<Vec<u8>> {
    let sizes = [64, 64, 64, 64, 64, 9, 0, 1200, 1200, 1300, 1473, 5000];
    let datagrams = (0..number).map(|_| {
        let size = sizes[random.below(sizes.len())];
        random.bytes(size)
    });
    datagrams.collect()
}

#[test]
fn datagrams_that_wait_together_come_back_in_order_from_the_address_of_each() {
    let args = ["--listen", "udp://[::]:0?rate=off", "--workers", "1", "--log-messages", "off"];
    let server = EchoServer::start_with(&args);
    let mut random = Random::new(20);
    for hosts in [&["127.0.0.1"][..], &["127.0.0.1", "127.0.0.2", "::1", "127.0.0.1", "::1"]] {
        let clients = hosts
            .iter()
            .map(|host| Client::new(address(&server, host), datagrams(&mut random, 20)));
        let clients: Vec<_> = clients.collect();
        send_while_stopped(&server, &clients);
        for client in &clients {
            client.expect_all();
        }
    }
}

#[test]
fn a_rate_and_refusals_leave_out_their_datagrams_of_a_batch_only() {
    let args = ["--listen", "udp://127.0.0.1:0?rate=20", "--workers", "1", "--log-level", "debug"];
    let server = EchoServer::start_with(&args);
    let texts = || (0..30).map(|number: u8| vec![number]).collect();
    let to = address(&server, "127.0.0.1");
    // The first and the last client are one source.
    let own_port = UdpSocket::bind(address(&server, "127.0.0.2")).expect("a free port");
    own_port.connect(to).expect("an address of this machine");
    let own_port = Client { socket: own_port, datagrams: texts() };
    let clients = [Client::new(to, texts()), own_port, Client::new(to, texts())];
    send_while_stopped(&server, &clients);
    server.wait_for_log("its source has reached 20 answers per second");
    server.wait_for_log("this server listens on port");
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    let [one, refused, other] = clients.each_ref().map(Client::received);
    assert_eq!(refused, [0; 0]);
    // The first answers, and those that the source has gained in the meantime.
    let answered = one.len() + other.len();
    let first: Vec<_> = (0..10).collect();
    assert!(one.starts_with(&first) && other.starts_with(&first), "{one:?} {other:?}");
    assert!(one.is_sorted() && other.is_sorted() && answered < 60, "{one:?} {other:?}");
    let expected = format!("Answered {answered} datagrams; refused {}", 90 - answered);
    assert!(log.contains(&expected), "{expected} in {log}");
}

#[test]
fn datagrams_that_a_client_sends_as_one_message_come_back_one_by_one_and_in_order() {
    let args = ["--listen", "udp://[::]:0?rate=off", "--workers", "1"];
    let server = EchoServer::start_with(&args);
    let mut random = Random::new(7);
    let clients = ["127.0.0.1", "::1", "127.0.0.2"].map(|host| {
        let datagrams = (0..100).map(|_| random.bytes(64)).collect();
        Client::new(address(&server, host), datagrams)
    });
    // After the first ones, a server with receive offload receives them as one message.
    for _ in 0..2 {
        for client in &clients {
            client.send_joined(&[16, 1, 30, 2, 50, 1]);
        }
        for client in &clients {
            client.expect_all();
            client.socket.set_nonblocking(false).expect("a socket");
        }
    }
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    for direction in ["Received from", "Echoed to"] {
        assert_eq!(log.matches(direction).count(), 600, "a line for each datagram");
    }
}

/// The kernel refuses segmentation on a socket without checksums (`SO_NO_CHECK`, `socket(7)`).
#[test]
fn a_socket_whose_segmentation_the_system_refuses_answers_all_datagrams() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let shared = OwnedFd::from(socket.try_clone().expect("a descriptor"));
    let script = "import socket; socket.socket(fileno=0).setsockopt(socket.SOL_SOCKET, 11, 1)";
    let status = Command::new("python3").args(["-c", script]).stdin(Stdio::from(shared)).status();
    assert!(status.expect("the test requires it").success());
    let to = socket.local_addr().expect("the address of the socket");
    let server = Launch::new(&["--log-messages", "off"]).inheriting(socket).start();
    let mut random = Random::new(11);
    let clients = [(); 2].map(|()| Client::new(to, datagrams(&mut random, 20)));
    send_while_stopped(&server, &clients);
    for client in &clients {
        client.expect_all();
    }
}

//! Sockets of the system, each with one batch: what they report about datagrams, and how they send answers.

use std::{io::IoSliceMut, os::fd::AsRawFd as _};

use nix::{
    cmsg_space, libc,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::{config::limits::JOINED_DATAGRAM, udp::socket::UdpSocket};

/// A socket with its port and the buffers of its worker.
struct Receiver {
    socket: UdpSocket,
    port: u16,
    batch: Batch,
    headers: Headers,
}

impl Receiver {
    /// Binds a socket to a wildcard address. `None`: this machine has no such addresses.
    fn bind(
        domain: Domain,
        v6only: bool,
        prepare: impl FnOnce(Socket) -> UdpSocket,
    ) -> Option<Self> {
        let socket = Socket::new(domain, Type::DGRAM, None).ok()?;
        let any: SocketAddr = if domain == Domain::IPV6 {
            socket.set_only_v6(v6only).unwrap();
            "[::]:0".parse().unwrap()
        } else {
            "0.0.0.0:0".parse().unwrap()
        };
        if let Err(error) = socket.bind(&any.into()) {
            eprintln!("skipped: this machine has no IPv6: {error}");
            return None;
        }
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let (batch, headers) = (Batch::new(), Headers::default());
        Some(Self { socket: prepare(socket), port, batch, headers })
    }

    fn own(domain: Domain, v6only: bool) -> Option<Self> {
        Self::bind(domain, v6only, |socket| UdpSocket::new(socket).unwrap())
    }

    /// Sends these datagrams, each from a new peer, to this port of a local address, and then receives them as one batch.
    /// Returns the peers.
    fn receive(&mut self, datagrams: &[(&str, &str)]) -> Vec<Peer> {
        let peers = datagrams.iter().map(|(host, text)| {
            let peer = peer_of(SocketAddr::new(host.parse().unwrap(), self.port));
            peer.send(text.as_bytes()).unwrap();
            peer
        });
        let peers: Vec<_> = peers.collect();
        self.receive_batch();
        assert_eq!(self.batch.len(), datagrams.len());
        assert_eq!(self.batch.take_errors().len(), 0);
        peers
    }

    /// Receives a batch. Returns whether more datagrams may wait. Over loopback, a datagram that was sent has arrived.
    fn receive_batch(&mut self) -> bool {
        self.batch.clear();
        self.socket.receive(TURN_DATAGRAMS, &mut self.batch, &mut self.headers).unwrap()
    }

    /// Adds the answers to all datagrams of the batch.
    fn answer(&mut self) {
        let (arrivals, _) = self.batch.unjudged(TURN_DATAGRAMS);
        let arrivals: Vec<_> = arrivals.into();
        for arrival in arrivals {
            self.batch.answer(&arrival, arrival.route_back().unwrap());
        }
    }

    /// Sends all answers. Returns the number of answers in each call.
    fn send(&mut self) -> Vec<usize> {
        let (outgoing, buffer) = self.batch.outgoing();
        let mut calls = Vec::new();
        while let Some(next) = outgoing.next(TURN_DATAGRAMS) {
            let sent = self.socket.send(next, buffer, &mut self.headers).unwrap();
            outgoing.finish(sent);
            calls.push(sent);
        }
        calls
    }
}

fn peer_of(server: SocketAddr) -> Peer {
    let any = if server.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
    let peer = Peer::bind(any).unwrap();
    peer.connect(server).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    peer
}

/// Asserts that each peer receives its datagram back, from the address to which it is connected.
fn expect(peers: &[Peer], datagrams: &[(&str, &str)]) {
    for (peer, (host, text)) in peers.iter().zip(datagrams) {
        assert_eq!(super::receive(peer), text.as_bytes(), "from {host}");
    }
}

const MIXED: [(&str, &str); 6] = [
    ("::1", "IPv6"),
    ("127.0.0.1", "IPv4"),
    ("127.0.0.2", "another address of IPv4"),
    ("::1", ""),
    ("::1", "IPv6 again"),
    ("127.0.0.1", "IPv4 again"),
];

/// The kernel reports more about an IPv4 datagram on such a socket than about an IPv6 one, in other orders in each batch.
fn answers_each_family(mut receiver: Receiver) {
    for first in 0..MIXED.len() {
        let datagrams = [&MIXED[first..], &MIXED[..first]].concat();
        let peers = receiver.receive(&datagrams);
        receiver.answer();
        receiver.send();
        expect(&peers, &datagrams);
    }
}

#[test]
fn a_dual_stack_socket_answers_both_families_in_one_batch() {
    let Some(receiver) = Receiver::own(Domain::IPV6, false) else { return };
    answers_each_family(receiver);
}

/// systemd sets such options (`Timestamping=`). Their messages had no room, and every datagram was dropped.
#[test]
fn an_inherited_socket_with_options_answers_both_families_in_one_batch() {
    let receiver = Receiver::bind(Domain::IPV6, false, |socket| {
        setsockopt(&socket, sockopt::ReceiveTimestamp, &true).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
        UdpSocket::inherited(socket).unwrap()
    });
    let Some(receiver) = receiver else { return };
    answers_each_family(receiver);
}

/// The kernel adds the count of dropped datagrams from the first drop on, before all other messages.
#[test]
fn a_control_message_that_the_kernel_adds_later_has_room() {
    let receiver = Receiver::bind(Domain::IPV4, false, |socket| {
        setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        UdpSocket::inherited(socket).unwrap()
    });
    let mut receiver = receiver.unwrap();
    receiver.receive(&[("127.0.0.1", "before")]);
    let peer = peer_of(SocketAddr::from(([127, 0, 0, 1], receiver.port)));
    for _ in 0..2 * TURN_DATAGRAMS {
        peer.send(&[b'x'; 500]).unwrap();
    }
    receiver.receive_batch();
    assert!(receiver.batch.len() < TURN_DATAGRAMS, "some were dropped");
    let peers = receiver.receive(&[("127.0.0.1", "after")]);
    receiver.answer();
    receiver.send();
    expect(&peers, &[("127.0.0.1", "after")]);
}

/// An inherited socket may have an error behind the batch, which ended it, and datagrams behind the error.
#[test]
fn a_batch_that_is_not_full_has_emptied_a_socket_of_this_server() {
    for (is_own, number, more_may_wait) in [
        (true, 1, false),
        (true, TURN_DATAGRAMS - 1, false),
        (true, TURN_DATAGRAMS, true),
        (false, 1, true),
    ] {
        let prepare = if is_own { UdpSocket::new } else { UdpSocket::inherited };
        let receiver = Receiver::bind(Domain::IPV4, false, |socket| prepare(socket).unwrap());
        let mut receiver = receiver.unwrap();
        let peer = peer_of(SocketAddr::from(([127, 0, 0, 1], receiver.port)));
        for _ in 0..number {
            peer.send(b"x").unwrap();
        }
        assert_eq!(receiver.receive_batch(), more_may_wait, "{number} datagrams");
        assert_eq!(receiver.batch.len(), number);
    }
}

/// Headers belong to the worker, whose sockets may differ.
#[test]
fn sockets_of_different_kinds_share_the_headers_of_a_worker() {
    let kinds = [(Domain::IPV4, false), (Domain::IPV6, true), (Domain::IPV6, false)];
    let receivers = kinds.map(|(domain, v6only)| Receiver::own(domain, v6only));
    let mut receivers: Vec<_> = receivers.into_iter().flatten().collect();
    let mut headers = Headers::default();
    for turn in [0, 1, 2, 1, 0, 2, 2, 0, 0, 1] {
        let Some(receiver) = receivers.get_mut(turn) else { continue };
        std::mem::swap(&mut headers, &mut receiver.headers);
        let host = if turn == 0 { "127.0.0.1" } else { "::1" };
        let peers = receiver.receive(&[(host, "one"), (host, "two")]);
        receiver.answer();
        receiver.send();
        expect(&peers, &[(host, "one"), (host, "two")]);
        std::mem::swap(&mut headers, &mut receiver.headers);
    }
}

/// Receives a datagram with its hop limit.
fn receive_with_hops(peer: &Peer) -> (Vec<u8>, i32) {
    let mut bytes = [0; 2048];
    let mut control = cmsg_space!(libc::c_int);
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    let (fd, flags) = (peer.as_raw_fd(), MsgFlags::empty());
    let message = recvmsg::<SockaddrStorage>(fd, &mut buffers, Some(&mut control), flags).unwrap();
    let hops = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::Ipv4Ttl(hops) => Some(hops),
        _ => None,
    });
    let len = message.bytes;
    (bytes[..len].to_vec(), hops.unwrap())
}

#[test]
fn each_answer_of_a_batch_has_the_hop_limit_and_the_source_address_of_its_datagram() {
    let mut receiver = Receiver::own(Domain::IPV4, false).unwrap();
    let ways = [
        ("127.0.0.1", 64),
        ("127.0.0.1", 64),
        ("127.0.0.2", 64),
        ("127.0.0.2", 9),
        ("127.0.0.1", 9),
    ];
    let peers = ways.map(|(host, hops)| {
        let peer = peer_of(SocketAddr::new(host.parse().unwrap(), receiver.port));
        setsockopt(&peer, sockopt::Ipv4RecvTtl, &true).unwrap();
        peer.set_ttl(hops).unwrap();
        peer.send(host.as_bytes()).unwrap();
        peer
    });
    receiver.receive_batch();
    receiver.answer();
    assert_eq!(receiver.send(), [2, 1, 1, 1]);
    for (peer, (host, hops)) in peers.iter().zip(ways) {
        let expected = (host.as_bytes().to_vec(), i32::try_from(hops).unwrap() - 1);
        assert_eq!(receive_with_hops(peer), expected);
    }
}

/// Sends datagrams of these lengths by one peer, and answers them as one batch. Returns the number of answers in each call.
fn exchange(receiver: &mut Receiver, lengths: &[usize]) -> Vec<usize> {
    let peer = peer_of(SocketAddr::from(([127, 0, 0, 1], receiver.port)));
    setsockopt(&peer, sockopt::Ipv4RecvTtl, &true).unwrap();
    let datagrams = lengths.iter().enumerate();
    let datagrams = datagrams.map(|(at, &len)| vec![u8::try_from(at).unwrap(); len]);
    let datagrams: Vec<_> = datagrams.collect();
    for datagram in &datagrams {
        peer.send(datagram).unwrap();
    }
    receiver.receive_batch();
    receiver.answer();
    let calls = receiver.send();
    for datagram in datagrams {
        assert_eq!(receive_with_hops(&peer), (datagram, 63));
    }
    calls
}

#[test]
fn joined_answers_arrive_as_the_datagrams_that_they_answer() {
    let mut receiver = Receiver::own(Domain::IPV4, false).unwrap();
    let most = usize::from(JOINED_DATAGRAM);
    assert_eq!(exchange(&mut receiver, &[64; TURN_DATAGRAMS]), [TURN_DATAGRAMS]);
    assert_eq!(exchange(&mut receiver, &[most; TURN_DATAGRAMS]), [TURN_DATAGRAMS]);
    assert_eq!(exchange(&mut receiver, &[9, 9, 4, 0, 9, 9, 10, 10, 2]), [6, 3]);
    assert!(receiver.socket.joins());
}

//! Sockets of the system, each with one batch: what they report about datagrams, and how they send answers.

use std::{io::IoSliceMut, net::Ipv6Addr, os::fd::AsRawFd as _};

use nix::{
    cmsg_space, libc, setsockopt_impl,
    sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
        sockopt::{self, SetBool},
    },
};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::{
    config::limits::MAX_SEGMENT,
    udp::socket::{UdpSocket, segmentation::Call},
};

/// A socket with its port and the buffers of its worker.
pub(super) struct Receiver {
    socket: UdpSocket,
    pub(super) port: u16,
    pub(super) batch: Batch,
    pub(super) headers: Headers,
}

impl Receiver {
    /// Binds a socket to a wildcard address. `None`: this machine has no such addresses.
    pub(super) fn bind(
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

    pub(super) fn own(domain: Domain, v6only: bool) -> Option<Self> {
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
    pub(super) fn receive_batch(&mut self) -> bool {
        self.batch.clear();
        self.socket.receive(TURN_DATAGRAMS, &mut self.batch, &mut self.headers).unwrap()
    }

    /// Adds the answers to all datagrams of the batch.
    pub(super) fn answer(&mut self) {
        let mut arrivals = Vec::new();
        self.batch.judge(usize::MAX, |new, _| arrivals.extend_from_slice(new));
        for arrival in arrivals {
            self.batch.answer(&arrival, arrival.route_back().unwrap());
        }
    }

    /// Sends all answers. Returns the number of answers in each call.
    pub(super) fn send(&mut self) -> Vec<usize> {
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

/// Has no checksums (`socket(7)`): the system then refuses segmentation.
#[derive(Clone, Copy, Debug)]
struct NoChecksum;

setsockopt_impl!(NoChecksum, libc::SOL_SOCKET, libc::SO_NO_CHECK, bool, SetBool);

pub(super) fn peer_of(server: SocketAddr) -> Peer {
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
    let some = [&MIXED[1..3], &MIXED[..1], &MIXED[1..3]];
    for datagrams in some {
        let peers = receiver.receive(datagrams);
        receiver.answer();
        receiver.send();
        expect(&peers, datagrams);
    }
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

/// A datagram of IPv4 fills the room for control messages, so headers that have received no other have room for any.
#[test]
fn a_dual_stack_socket_uses_headers_again_that_have_received_ipv4_only() {
    let Some(mut receiver) = Receiver::own(Domain::IPV6, false) else { return };
    for (host, is_reusable) in [("127.0.0.1", true), ("::1", false), ("127.0.0.2", true)] {
        receiver.receive(&[(host, "one"), (host, "two")]);
        assert_eq!(receiver.headers.keeps_received(), is_reusable, "{host}");
    }
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
fn the_segments_of_a_message_arrive_as_the_datagrams_that_they_answer() {
    let mut receiver = Receiver::own(Domain::IPV4, false).unwrap();
    let longest = usize::from(MAX_SEGMENT);
    assert_eq!(exchange(&mut receiver, &[64; TURN_DATAGRAMS]), [TURN_DATAGRAMS]);
    assert_eq!(exchange(&mut receiver, &[longest; TURN_DATAGRAMS]), [TURN_DATAGRAMS]);
    assert_eq!(exchange(&mut receiver, &[9, 9, 4, 0, 9, 9, 10, 10, 2]), [6, 3]);
    assert!(receiver.socket.segmentation().is_allowed(Ipv4Addr::LOCALHOST.into()));
}

/// The segments of a message have its source address, as each answer of a socket with a wildcard address needs it.
#[test]
fn segments_of_ipv6_come_from_the_address_of_their_datagrams() {
    let Some(mut receiver) = Receiver::own(Domain::IPV6, true) else { return };
    let peer = peer_of(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), receiver.port));
    for number in 0..TURN_DATAGRAMS {
        peer.send(&[u8::try_from(number).unwrap(); 64]).unwrap();
    }
    receiver.receive_batch();
    receiver.answer();
    let (outgoing, buffer) = receiver.batch.outgoing();
    let call = Call::next(outgoing.rest(), true);
    assert_eq!((call.answers, call.segment), (TURN_DATAGRAMS, Some(64)));
    let answers = outgoing.next(TURN_DATAGRAMS).unwrap();
    let sent = receiver.socket.send(answers, buffer, &mut receiver.headers).unwrap();
    assert_eq!(sent, TURN_DATAGRAMS);
    // The peer is connected to the address, so it receives from no other.
    for number in 0..TURN_DATAGRAMS {
        assert_eq!(super::receive(&peer), [u8::try_from(number).unwrap(); 64]);
    }
    assert!(receiver.socket.segmentation().is_allowed(Ipv6Addr::LOCALHOST.into()));
}

/// One client behind a small MTU, or a forged ICMP message about one, does not change how others are answered.
#[test]
fn a_refused_segmentation_is_paused_on_its_route_and_no_answer_is_lost() {
    let mut shared = None;
    let receiver = Receiver::bind(Domain::IPV4, false, |socket| {
        shared = Some(socket.try_clone().unwrap());
        UdpSocket::new(socket).unwrap()
    });
    let (mut receiver, shared) = (receiver.unwrap(), shared.unwrap());
    setsockopt(&shared, NoChecksum, &true).unwrap();
    assert_eq!(exchange(&mut receiver, &[64; 4]), [4]);
    setsockopt(&shared, NoChecksum, &false).unwrap();
    assert!(receiver.socket.segmentation().is_allowed([127, 0, 0, 9].into()));
    assert!(!receiver.socket.segmentation().is_allowed(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(exchange(&mut receiver, &[64; 4]), [4]);
}

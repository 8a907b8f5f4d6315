//! Datagrams that the system has joined (UDP receive offload): each is answered like one that came alone.

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Domain;

use super::{
    sockets::{Receiver, peer_of},
    *,
};
use crate::udp::socket::UdpSocket;

/// A peer whose system joins what it sends together. Over loopback, a socket with receive offload gets it as one message.
struct Sender {
    peer: Peer,
}

impl Sender {
    fn to(host: &str, port: u16) -> Self {
        Self { peer: peer_of(SocketAddr::new(host.parse().unwrap(), port)) }
    }

    /// Sends these bytes as datagrams of this size.
    fn send(&self, bytes: &[u8], size: i32) {
        setsockopt(&self.peer, sockopt::UdpGsoSegment, &size).unwrap();
        self.peer.send(bytes).unwrap();
    }

    /// Expects these bytes back as datagrams of this size. Without bytes, it expects an empty datagram.
    fn expect(&self, bytes: &[u8], size: i32) {
        let size = usize::try_from(size).unwrap();
        for number in 0..bytes.len().div_ceil(size).max(1) {
            let datagram = &bytes[number * size..bytes.len().min((number + 1) * size)];
            assert_eq!(super::receive(&self.peer), datagram);
        }
    }
}

/// Receives and answers a batch. Returns the number of its messages.
fn answer_batch(receiver: &mut Receiver) -> usize {
    receiver.receive_batch();
    assert_eq!(receiver.batch.take_errors().len(), 0);
    receiver.answer();
    receiver.send();
    receiver.batch.messages()
}

#[test]
fn a_socket_enables_receive_offload_when_a_source_sends_datagrams_in_a_row() {
    let mut receiver = Receiver::own(Domain::IPV4, false).unwrap();
    let sender = Sender::to("127.0.0.1", receiver.port);
    // The last datagram of a message may be shorter.
    for (bytes, messages) in [(&b"aabb"[..], 2), (b"aabbccdde", 5), (b"aabbccdde", 1), (b"aa", 1)] {
        sender.send(bytes, 2);
        assert_eq!(answer_batch(&mut receiver), messages, "{bytes:?}");
        sender.expect(bytes, 2);
    }
}

/// Headers keep the room that their last message has used: too little for the size of joined datagrams after others.
#[test]
fn joined_datagrams_and_single_ones_alternate() {
    let kinds = [
        (Domain::IPV4, false, &["127.0.0.1"][..]),
        (Domain::IPV6, true, &["::1"]),
        (Domain::IPV6, false, &["127.0.0.1", "::1"]),
    ];
    for (domain, v6only, hosts) in kinds {
        let Some(mut receiver) = Receiver::own(domain, v6only) else { continue };
        let senders: Vec<_> = hosts.iter().map(|host| Sender::to(host, receiver.port)).collect();
        for sender in &senders {
            sender.send(b"1234", 1);
        }
        answer_batch(&mut receiver);
        for sender in &senders {
            sender.expect(b"1234", 1);
        }
        let parts = [(&b"112233"[..], 2), (b"alone", 5), (b"4455", 2), (b"", 1), (b"66778", 2)];
        for first in 0..parts.len() {
            let parts = [&parts[first..], &parts[..first]].concat();
            for (bytes, size) in &parts {
                for sender in &senders {
                    sender.send(bytes, *size);
                }
            }
            assert_eq!(answer_batch(&mut receiver), parts.len() * senders.len());
            for (bytes, size) in &parts {
                for sender in &senders {
                    sender.expect(bytes, *size);
                }
            }
        }
    }
}

/// Only messages that the system has joined keep the room of their headers, so they need no new ones.
#[test]
fn headers_of_joined_datagrams_are_used_again() {
    let mut receiver = Receiver::own(Domain::IPV4, false).unwrap();
    let sender = Sender::to("127.0.0.1", receiver.port);
    for (bytes, keeps_received) in [(&b"1234"[..], true), (b"1234", true), (b"1", false)] {
        sender.send(bytes, 1);
        receiver.receive_batch();
        assert_eq!(receiver.headers.keeps_received(), keeps_received, "{bytes:?}");
    }
}

#[test]
fn an_inherited_socket_with_receive_offload_answers_each_datagram() {
    let receiver = Receiver::bind(Domain::IPV4, false, |socket| {
        setsockopt(&socket, sockopt::UdpGroSegment, &true).unwrap();
        UdpSocket::inherited(socket).unwrap()
    });
    let mut receiver = receiver.unwrap();
    let sender = Sender::to("127.0.0.1", receiver.port);
    for bytes in [b"112233", b"445566"] {
        sender.send(bytes, 2);
        assert_eq!(answer_batch(&mut receiver), 1);
        sender.expect(bytes, 2);
    }
}

/// The budget of a turn counts datagrams. The first call does not know how many of them come in each message.
#[test]
fn a_turn_with_joined_datagrams_ends_at_its_budget() {
    let mut harness = Harness::new();
    for _ in 0..2 * TURN_DATAGRAMS {
        harness.socket.will_receive_joined("aabbccdd", 2);
    }
    let mut waiting = Vec::new();
    while harness.turn() == Turn::Again {
        waiting.push(harness.socket.waiting());
    }
    assert_eq!(waiting, [16, 12, 8, 4, 0]);
    assert_eq!(harness.socket.take_sent(), ["aa", "bb", "cc", "dd"].repeat(2 * TURN_DATAGRAMS));
    harness.socket.will_receive(&["single"; TURN_DATAGRAMS]);
    while harness.turn() == Turn::Again {}
    assert_eq!(harness.socket.take_sent().len(), TURN_DATAGRAMS);
}

/// What the receive buffer may hold at a shutdown is bounded by the number of messages, not by that of their datagrams.
#[test]
fn a_drain_answers_all_datagrams_of_its_last_message() {
    let mut harness = Harness::new();
    harness.echo_socket.draining = Some(2);
    for text in ["aabb", "ccdd", "eeff"] {
        harness.socket.will_receive_joined(text, 2);
    }
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!(harness.socket.take_sent(), ["aa", "bb", "cc", "dd"]);
    assert_eq!(harness.socket.waiting(), 1);
}

/// Each datagram has its verdict: the tokens of its source end in the middle of a message.
#[test]
fn the_rate_limit_counts_each_joined_datagram() {
    let rate = std::num::NonZeroU32::new(3);
    let mut harness = Harness::with(&ListenerOptions { rate, ..ListenerOptions::default() });
    harness.socket.will_receive_joined("aabbccdde", 2);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["aa", "bb", "cc"]);
    assert_eq!(harness.listener.worker(0).datagrams_refused.sum(), 2);
}

/// More datagrams than a turn has without receive offload.
#[test]
fn each_joined_datagram_that_panics_costs_itself_only() {
    let listeners = Listeners::new(WORKERS);
    let listener = panicking_listener(&listeners);
    let sender = Sender::to("127.0.0.1", listener.policy.port);
    with_workers_after(
        |shared| shared.open_udp(listener),
        |_| {
            sender.send(b"1234", 1);
            sender.expect(b"1234", 1);
            let datagrams = [&b"panic".repeat(2 * TURN_DATAGRAMS)[..], b"after"].concat();
            sender.send(&datagrams, 5);
            sender.expect(b"after", 5);
        },
    );
    let panics = listeners.sum(|counters| counters.panics.get());
    assert_eq!(panics, 2 * TURN_DATAGRAMS as u64);
}

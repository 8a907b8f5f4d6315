//! Joined answers: several datagrams to one peer that the system takes as one message and divides (`UDP_SEGMENT`, `udp(7)`).
//!
//! They pass the network stack together, which costs less than half for small ones. The peer receives the same datagrams in
//! the same order, each with its own headers.

use super::{batch::Answer, route::LocalAddress};
use crate::config::limits::{JOINED_DATAGRAM, TURN_DATAGRAMS};

/// The first of some answers that one system call sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) answers: usize,
    /// The size of the datagrams into which the system divides messages. `None`: no answers are joined.
    pub(super) segment: Option<u16>,
}

impl Call {
    /// Returns the next call. All its answers have the same source address and hop limit, because control messages belong to a
    /// call.
    pub(super) fn next(answers: &[Answer], joins: bool) -> Self {
        let alike = answers.iter().take(TURN_DATAGRAMS);
        let alike = alike.take_while(|answer| answer.route.begins_like(&answers[0].route)).count();
        let answers = &answers[..alike];
        if joins
            && let Some(segment) = segment(answers)
            && let fitting =
                answers.iter().take_while(|answer| answer.len <= segment.into()).count()
            && messages(&answers[..fitting], Some(segment)).any(|message| message.len() > 1)
        {
            return Self { answers: fitting, segment: Some(segment) };
        }
        Self { answers: alike, segment: None }
    }
}

/// Returns the size at which these answers can be joined, if the first one has it.
fn segment(answers: &[Answer]) -> Option<u16> {
    let first = answers.first().filter(|first| first.route.from != LocalAddress::Unknown)?;
    u16::try_from(first.len).ok().filter(|len| (1..=JOINED_DATAGRAM).contains(len))
}

/// Returns the answers of each message.
pub(super) fn messages(
    answers: &[Answer],
    segment: Option<u16>,
) -> impl Iterator<Item = &[Answer]> {
    // The system divides a message at every `segment` bytes, so only its last datagram may be shorter, and none empty.
    answers.chunk_by(move |one, next| {
        segment.is_some_and(|segment| {
            one.len == usize::from(segment) && next.len > 0 && one.route.peer == next.route.peer
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udp::route::{Arrival, Route};

    const PEERS: [&str; 2] = ["127.0.0.1:5000", "127.0.0.1:5001"];

    fn route(peer: usize, hops: u8) -> Route {
        let from = LocalAddress::V4(nix::libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: nix::libc::in_addr { s_addr: 0 },
            ipi_addr: nix::libc::in_addr { s_addr: 0 },
        });
        let arrival = Arrival::unicast(PEERS[peer].parse().unwrap(), 0);
        Route { from, hops, ..arrival.route_back().unwrap() }
    }

    /// Returns answers to these peers with these lengths.
    fn answers(of: &[(usize, usize)]) -> Vec<Answer> {
        of.iter().map(|&(peer, len)| Answer::new(0, len, route(peer, 63))).collect()
    }

    /// Returns the numbers of answers in the messages of each call, and whether the call joins answers.
    fn calls(mut answers: &[Answer], joins: bool) -> Vec<(Vec<usize>, bool)> {
        let mut calls = Vec::new();
        while !answers.is_empty() {
            let call = Call::next(answers, joins);
            let now;
            (now, answers) = answers.split_at(call.answers);
            let messages = messages(now, call.segment).map(<[_]>::len).collect();
            calls.push((messages, call.segment.is_some()));
        }
        calls
    }

    #[test]
    fn answers_of_one_size_to_one_peer_are_joined() {
        assert_eq!(calls(&answers(&[(0, 64); 16]), true), [(vec![16], true)]);
        assert_eq!(calls(&answers(&[(0, 64); 16]), false), [(vec![1; 16], false)]);
        assert_eq!(
            calls(&answers(&[(0, 64), (0, 64), (1, 64), (0, 64)]), true),
            [(vec![2, 1, 1], true)]
        );
    }

    #[test]
    fn a_shorter_answer_ends_a_message_and_an_empty_one_is_alone() {
        assert_eq!(calls(&answers(&[(0, 9), (0, 9), (0, 5), (0, 5)]), true), [(vec![3, 1], true)]);
        assert_eq!(
            calls(&answers(&[(0, 9), (0, 9), (0, 0), (0, 9)]), true),
            [(vec![2, 1, 1], true)]
        );
        assert_eq!(calls(&answers(&[(0, 0), (0, 0)]), true), [(vec![1, 1], false)]);
    }

    /// A message is divided at the size of the call, so a longer answer would become two datagrams.
    #[test]
    fn a_longer_answer_has_a_call_of_its_own() {
        let some = answers(&[(0, 9), (0, 9), (0, 10), (1, 9)]);
        assert_eq!(calls(&some, true), [(vec![2], true), (vec![1, 1], false)]);
        let alternating = answers(&[(0, 9), (1, 10), (0, 9), (1, 10)]);
        assert_eq!(calls(&alternating, true), [(vec![1; 4], false)]);
    }

    #[test]
    fn answers_that_may_exceed_the_size_of_packets_are_not_joined() {
        let most = usize::from(JOINED_DATAGRAM);
        assert_eq!(calls(&answers(&[(0, most); 2]), true), [(vec![2], true)]);
        assert_eq!(calls(&answers(&[(0, most + 1); 2]), true), [(vec![1, 1], false)]);
    }

    #[test]
    fn a_call_has_answers_with_one_source_address_and_one_hop_limit() {
        let mut some = answers(&[(0, 9); 4]);
        some[2].route.hops = 12;
        assert_eq!(calls(&some, true), [(vec![2], true), (vec![1], false), (vec![1], false)]);
        some[2].route = Arrival::unicast(PEERS[0].parse().unwrap(), 9).route_back().unwrap();
        assert_eq!(calls(&some, true), [(vec![2], true), (vec![1], false), (vec![1], false)]);
        let unknown = [some[2]; 2];
        assert_eq!(calls(&unknown, true), [(vec![1, 1], false)]);
    }
}

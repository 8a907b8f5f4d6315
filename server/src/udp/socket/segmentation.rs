//! UDP segmentation offload (GSO, `UDP_SEGMENT`, `udp(7)`): the socket gives the system several answers to one peer as one
//! message, and the system splits it into segments, which are the datagrams.
//!
//! The answers pass the network stack together. The peer receives the same datagrams in the same order as without it, each
//! with its own headers.

use std::{io, net::IpAddr};

use nix::libc;

use crate::{
    config::limits::{MAX_SEGMENT, SEGMENTATION_PAUSE, TURN_DATAGRAMS},
    udp::{batch::Answer, route::LocalAddress},
};

/// Whether a socket uses segmentation.
#[derive(Debug)]
pub(in crate::udp) struct Segmentation {
    /// The system knows the option.
    is_known: bool,
    /// The peer on whose route the system has refused it last, and the calls until the next attempt. With
    /// several such peers, a call to each costs a failed call.
    refused: Option<(IpAddr, u32)>,
}

/// The number of answers that the next system call sends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::udp) struct Call {
    pub(in crate::udp) answers: usize,
    /// The size of the segments. `None`: each answer is a message of its own.
    pub(in crate::udp) segment: Option<u16>,
}

impl Segmentation {
    pub(super) fn new(is_known: bool) -> Self {
        Self { is_known, refused: None }
    }

    /// Returns whether the next call, whose first answer has this peer, may use segmentation. An error of a call is about its
    /// first message.
    pub(in crate::udp) fn is_allowed(&mut self, peer: IpAddr) -> bool {
        match &mut self.refused {
            Some((refused, pause)) if *refused == peer => {
                *pause -= 1;
                if *pause == 0 {
                    self.refused = None;
                }
                false
            }
            _ => self.is_known,
        }
    }

    /// Pauses segmentation for calls that begin with this peer.
    pub(super) fn pause(&mut self, peer: IpAddr) {
        self.refused = Some((peer, SEGMENTATION_PAUSE));
    }
}

/// Returns whether this error may mean that the system refuses segmentation: on this route or this socket (`EIO`, `EINVAL`), or
/// of datagrams with this size on this route (`EMSGSIZE`, in older versions of Linux `EINVAL`).
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE))
}

impl Call {
    /// Returns the next call. All its answers have the same source address and hop limit, because control messages belong to a
    /// call.
    pub(in crate::udp) fn next(answers: &[Answer], is_segmented: bool) -> Self {
        let alike = answers.iter().take(TURN_DATAGRAMS);
        let alike = alike
            .take_while(|answer| answer.route.has_same_source_and_hops(&answers[0].route))
            .count();
        let answers = &answers[..alike];
        if is_segmented
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

/// Returns the size of the first answer, if it can be that of segments.
fn segment(answers: &[Answer]) -> Option<u16> {
    let first = answers.first().filter(|first| first.route.from != LocalAddress::Unknown)?;
    u16::try_from(first.len).ok().filter(|len| (1..=MAX_SEGMENT).contains(len))
}

/// Returns the answers of each message.
pub(super) fn messages(
    answers: &[Answer],
    segment: Option<u16>,
) -> impl Iterator<Item = &[Answer]> {
    // The system splits a message after every `segment` bytes, so only its last segment may be shorter, and none is empty.
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

    /// Returns the numbers of answers in the messages of each call, and whether the call uses segmentation.
    fn calls(mut answers: &[Answer], is_segmented: bool) -> Vec<(Vec<usize>, bool)> {
        let mut calls = Vec::new();
        while !answers.is_empty() {
            let call = Call::next(answers, is_segmented);
            let now;
            (now, answers) = answers.split_at(call.answers);
            let messages = messages(now, call.segment).map(<[_]>::len).collect();
            calls.push((messages, call.segment.is_some()));
        }
        calls
    }

    #[test]
    fn answers_of_one_size_to_one_peer_are_one_message() {
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

    /// A message is split at the segment size of the call, so a longer answer would become two datagrams.
    #[test]
    fn a_longer_answer_has_a_call_of_its_own() {
        let some = answers(&[(0, 9), (0, 9), (0, 10), (1, 9)]);
        assert_eq!(calls(&some, true), [(vec![2], true), (vec![1, 1], false)]);
        let alternating = answers(&[(0, 9), (1, 10), (0, 9), (1, 10)]);
        assert_eq!(calls(&alternating, true), [(vec![1; 4], false)]);
    }

    #[test]
    fn answers_that_may_exceed_the_size_of_packets_are_messages_of_their_own() {
        let longest = usize::from(MAX_SEGMENT);
        assert_eq!(calls(&answers(&[(0, longest); 2]), true), [(vec![2], true)]);
        assert_eq!(calls(&answers(&[(0, longest + 1); 2]), true), [(vec![1, 1], false)]);
    }

    #[test]
    fn an_error_that_has_another_cause_is_no_refusal_of_segmentation() {
        for (code, expected) in [
            (libc::EMSGSIZE, true),
            (libc::EINVAL, true),
            (libc::EIO, true),
            (libc::EAGAIN, false),
            (libc::ENOBUFS, false),
            (libc::EPERM, false),
        ] {
            assert_eq!(is_refusal(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }

    #[test]
    fn a_refusal_pauses_segmentation_on_its_route_only() {
        let [refused, other] = [1, 2].map(|host| IpAddr::from([10, 0, 0, host]));
        let mut segmentation = Segmentation::new(true);
        assert!(segmentation.is_allowed(refused));
        segmentation.pause(refused);
        for _ in 0..SEGMENTATION_PAUSE {
            assert!(!segmentation.is_allowed(refused));
            assert!(segmentation.is_allowed(other));
        }
        assert!(segmentation.is_allowed(refused), "the pause is over");
        assert!(!Segmentation::new(false).is_allowed(other));
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

//! UDP receive offload (GRO, `UDP_GRO`, `udp(7)`): the system gives the socket several datagrams of one peer as one message.
//!
//! The system joins datagrams that a peer has sent as the segments of one message, and those that a network card receives
//! directly after each other. They pass the network stack together, in their order. All have the size that the message reports,
//! except that the last one may be shorter.
//!
//! Headers that have received a single datagram have no room for that size (see [`headers`](super::headers)), so a socket with
//! this option allocates new ones after each call in which the system has joined nothing. The socket enables the option when a
//! batch shows that it may be worth it, and never disables it: messages that already wait would lose the size of their
//! datagrams.

use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};

use crate::{config::limits::OFFLOAD_RUN, udp::route::Arrival};

/// Whether the system joins datagrams for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiveOffload {
    Disabled,
    Enabled,
    /// The system does not know the option.
    Unknown,
}

impl ReceiveOffload {
    pub(super) fn is_enabled(self) -> bool {
        self == Self::Enabled
    }

    /// Enables the option if a source has sent several of these datagrams in a row, with one size.
    pub(super) fn observe(&mut self, socket: &mio::net::UdpSocket, arrivals: &[Arrival]) {
        if *self == Self::Disabled && has_run(arrivals) {
            let result = setsockopt(socket, UdpGroSegment, &true);
            *self = if result.is_ok() { Self::Enabled } else { Self::Unknown };
        }
    }
}

/// Returns whether the system might have joined some of these datagrams.
fn has_run(arrivals: &[Arrival]) -> bool {
    arrivals.len() >= OFFLOAD_RUN
        && arrivals
            .chunk_by(|one, next| one.len == next.len && one.from == next.from)
            .any(|run| run.len() >= OFFLOAD_RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_datagrams_of_one_source_and_one_size_only() {
        let has_run = |of: &[(u16, usize)]| {
            let arrival = |&(port, len)| Arrival::unicast(([127, 0, 0, 1], port).into(), len);
            has_run(&of.iter().map(arrival).collect::<Vec<_>>())
        };
        assert!(has_run(&[(1, 64); OFFLOAD_RUN]));
        assert!(has_run(&[&[(2, 64), (1, 9)][..], &[(1, 64); OFFLOAD_RUN]].concat()));
        assert!(!has_run(&[(1, 64); OFFLOAD_RUN - 1]));
        assert!(!has_run(&[(1, 64), (2, 64)].repeat(OFFLOAD_RUN)));
        assert!(!has_run(&[(1, 64), (1, 65)].repeat(OFFLOAD_RUN)));
    }
}

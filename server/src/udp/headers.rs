//! The message headers of `recvmmsg(2)` and `sendmmsg(2)`, with room for addresses and control messages (`cmsg(3)`).
//!
//! Each worker with UDP sockets has one set, which its sockets use in turn. `nix` has three peculiarities:
//!
//! - A header keeps the lengths that the kernel has written into it, so the next datagram has only as much room as the last
//!   one has used. Headers are used again only where all datagrams have the same control messages.
//! - All messages of one `sendmmsg` have the same control messages, so a call sends only answers with one source address and
//!   one hop limit.
//! - The room for control messages that are sent must be exactly theirs, so each kind of answer has headers of its own.

use nix::{
    cmsg_space, libc,
    sys::socket::{MultiHeaders, SockaddrStorage},
};

use super::route::LocalAddress;
use crate::config::limits::TURN_DATAGRAMS;

/// Room for control messages that an inherited socket asks for, in bytes.
const MORE_CONTROL: usize = 1024;

/// The headers of one worker.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    received: Option<(Controls, MultiHeaders<SockaddrStorage>)>,
    /// By the source address of the answers, and whether some of them are joined.
    sent: [[Option<MultiHeaders<SockaddrStorage>>; 2]; 3],
}

/// The control messages of the datagrams that a socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controls {
    /// Those of an IPv4 socket.
    V4,
    /// Those of a socket that receives IPv6 only.
    V6,
    /// Those of an IPv6 socket that also receives IPv4: more for IPv4 than for IPv6.
    DualStack,
    /// Any: whoever has created the socket may have asked for more, such as a time stamp when the kernel has one.
    Any,
}

impl Headers {
    /// Returns headers for at least `most` datagrams with these control messages.
    pub(super) fn received(
        &mut self,
        controls: Controls,
        most: usize,
    ) -> &mut MultiHeaders<SockaddrStorage> {
        let fits = |of: Controls| of == controls && controls.are_always_the_same();
        if !self.received.as_ref().is_some_and(|(of, _)| fits(*of)) {
            self.received = None;
        }
        let headers = if controls.are_always_the_same() { TURN_DATAGRAMS } else { most };
        let new = || (controls, MultiHeaders::preallocate(headers, Some(controls.room())));
        &mut self.received.get_or_insert_with(new).1
    }

    /// Returns headers for answers from this address. `joined`: some of them are sent as one.
    pub(super) fn sent(
        &mut self,
        from: &LocalAddress,
        joined: bool,
    ) -> &mut MultiHeaders<SockaddrStorage> {
        let family = match from {
            LocalAddress::V4(_) => 0,
            LocalAddress::V6(_) => 1,
            LocalAddress::Unknown => 2,
        };
        let headers = &mut self.sent[family][usize::from(joined)];
        let new = || MultiHeaders::preallocate(TURN_DATAGRAMS, room_to_send(from, joined));
        headers.get_or_insert_with(new)
    }
}

impl Controls {
    fn are_always_the_same(self) -> bool {
        matches!(self, Self::V4 | Self::V6)
    }

    fn room(self) -> Vec<u8> {
        match self {
            Self::V4 => cmsg_space!(libc::in_pktinfo, libc::c_int),
            Self::V6 => cmsg_space!(libc::in6_pktinfo, libc::c_int),
            Self::DualStack => {
                cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo, libc::c_int, libc::c_int)
            }
            // If a control message has no room, nix refuses the datagram.
            Self::Any => vec![0; Self::DualStack.room().len() + MORE_CONTROL],
        }
    }
}

fn room_to_send(from: &LocalAddress, joined: bool) -> Option<Vec<u8>> {
    match (from, joined) {
        (LocalAddress::V4(_), false) => Some(cmsg_space!(libc::in_pktinfo, libc::c_int)),
        (LocalAddress::V4(_), true) => Some(cmsg_space!(libc::in_pktinfo, libc::c_int, u16)),
        (LocalAddress::V6(_), false) => Some(cmsg_space!(libc::in6_pktinfo, libc::c_int)),
        (LocalAddress::V6(_), true) => Some(cmsg_space!(libc::in6_pktinfo, libc::c_int, u16)),
        (LocalAddress::Unknown, _) => None,
    }
}

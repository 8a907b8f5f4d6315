//! The message headers of `recvmmsg(2)` and `sendmmsg(2)`, with room for addresses and control messages (`cmsg(3)`).
//!
//! Each worker with UDP sockets has one set, which its sockets use in turn. `nix` has four peculiarities:
//!
//! - A header keeps the lengths that the kernel has written into it, so the next message has only as much room as the last
//!   one has used. Headers are used again only if all messages that they have received had the most control messages that the
//!   socket reports: those of IPv4 for a dual-stack socket, and the size of joined datagrams if the system joins them.
//! - All messages of one `sendmmsg` have the same control messages, so a call sends only answers with one source address and
//!   one hop limit.
//! - The room for control messages that are sent must be exactly theirs, so each kind of answer has headers of its own.
//! - Only the iterator that `sendmmsg` returns tells the number of sent messages. For each it copies an address that only
//!   `recvmmsg` writes, so here it is not initialized. The type is a union, which may have any bytes. `nix` reads its family
//!   and a length, which is formally undefined behaviour, and at most changes the length of the copy, which the server drops.
//!   There is no other way without `unsafe`: `rustix` cannot send these control messages, and `sendmsg` costs a system call,
//!   and in `nix` an allocation, for each message.

use nix::{
    cmsg_space, libc,
    sys::socket::{MultiHeaders, SockaddrStorage},
};

use crate::{config::limits::TURN_DATAGRAMS, udp::route::LocalAddress};

/// Room for control messages that an inherited socket asks for, in bytes.
const MORE_CONTROL: usize = 1024;

/// The headers of one worker.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    received: Option<Received>,
    /// The headers of answers: one set for each family of the source address, without and with segmentation.
    sent: [[Option<MultiHeaders<SockaddrStorage>>; 2]; 3],
}

/// The headers of received messages. Each has the room that the control messages of a message need.
#[derive(Debug)]
struct Received {
    headers: MultiHeaders<SockaddrStorage>,
    /// Number of headers.
    len: usize,
    controls: Controls,
}

/// The control messages that a socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Controls {
    pub(super) family: Family,
    /// A message of joined datagrams has their size.
    pub(super) has_size: bool,
}

/// The control messages that depend on the family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Those of an IPv4 socket.
    V4,
    /// Those of a socket that receives IPv6 only.
    V6,
    /// Those of an IPv6 socket that also receives IPv4: more for IPv4 than for IPv6.
    DualStack,
    /// Unknown: the program that created the socket may have set options for more of them, such as time stamps.
    Any,
}

impl Headers {
    /// Returns headers for at least `limit` messages with these control messages.
    pub(super) fn received(
        &mut self,
        controls: Controls,
        limit: usize,
    ) -> &mut MultiHeaders<SockaddrStorage> {
        let fits = |old: &Received| old.controls == controls && old.len >= limit;
        if !self.received.as_ref().is_some_and(fits) {
            self.received = None;
        }
        let received = self.received.get_or_insert_with(|| {
            let len = if controls.are_always_the_same() { TURN_DATAGRAMS } else { limit };
            let headers = MultiHeaders::preallocate(len, Some(controls.room()));
            Received { headers, len, controls }
        });
        &mut received.headers
    }

    /// Discards the headers of a call that has received a message with fewer control messages than others may have.
    pub(super) fn discard_received(&mut self) {
        self.received = None;
    }

    #[cfg(test)]
    pub(in crate::udp) fn keeps_received(&self) -> bool {
        self.received.is_some()
    }

    /// Returns headers for answers from this address. `segmented`: the call uses segmentation.
    pub(super) fn sent(
        &mut self,
        from: &LocalAddress,
        segmented: bool,
    ) -> &mut MultiHeaders<SockaddrStorage> {
        let family = match from {
            LocalAddress::V4(_) => 0,
            LocalAddress::V6(_) => 1,
            LocalAddress::Unknown => 2,
        };
        let headers = &mut self.sent[family][usize::from(segmented)];
        let new = || MultiHeaders::preallocate(TURN_DATAGRAMS, room_to_send(from, segmented));
        headers.get_or_insert_with(new)
    }
}

impl Controls {
    /// Returns whether a message from this local address has the most control messages. `has_size`: it has the size of joined
    /// datagrams.
    pub(super) fn are_complete(self, to: LocalAddress, has_size: bool) -> bool {
        let by_family = match self.family {
            Family::V4 | Family::V6 => true,
            Family::DualStack => matches!(to, LocalAddress::V4(_)),
            Family::Any => false,
        };
        by_family && self.has_size == has_size
    }

    fn are_always_the_same(self) -> bool {
        matches!(self.family, Family::V4 | Family::V6) && !self.has_size
    }

    fn room(self) -> Vec<u8> {
        let size = if self.has_size { cmsg_space!(libc::c_int).capacity() } else { 0 };
        let family = match self.family {
            Family::V4 => cmsg_space!(libc::in_pktinfo, libc::c_int),
            Family::V6 => cmsg_space!(libc::in6_pktinfo, libc::c_int),
            Family::DualStack | Family::Any => {
                cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo, libc::c_int, libc::c_int)
            }
        };
        // If a control message has no room, nix refuses the message.
        let more = if self.family == Family::Any { MORE_CONTROL } else { 0 };
        vec![0; family.capacity() + size + more]
    }
}

fn room_to_send(from: &LocalAddress, segmented: bool) -> Option<Vec<u8>> {
    match (from, segmented) {
        (LocalAddress::V4(_), false) => Some(cmsg_space!(libc::in_pktinfo, libc::c_int)),
        (LocalAddress::V4(_), true) => Some(cmsg_space!(libc::in_pktinfo, libc::c_int, u16)),
        (LocalAddress::V6(_), false) => Some(cmsg_space!(libc::in6_pktinfo, libc::c_int)),
        (LocalAddress::V6(_), true) => Some(cmsg_space!(libc::in6_pktinfo, libc::c_int, u16)),
        (LocalAddress::Unknown, _) => None,
    }
}

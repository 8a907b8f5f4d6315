//! A UDP socket that receives and sends datagrams in batches. It reports the destination address of each datagram, and
//! answers from it.
//!
//! A socket that is bound to a wildcard address would otherwise answer from the address of the outgoing
//! interface. A peer that sent its datagram to another address would not recognize the answer (RFC 1122,
//! section 4.1.3.5).

mod headers;
mod receive_offload;
pub(super) mod segmentation;

use std::{
    array,
    fmt::Debug,
    io::{self, ErrorKind, IoSlice, IoSliceMut},
    net::SocketAddr,
    num::NonZeroUsize,
    os::fd::AsRawFd as _,
};

use mio::event::Source;
use nix::{
    libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, getsockopt,
        recvmmsg, sendmmsg, setsockopt, sockopt,
    },
};

pub(super) use self::headers::Headers;
use self::{
    headers::{Controls, Family},
    receive_offload::ReceiveOffload,
    segmentation::{Call, Segmentation},
};
use super::{
    batch::{Answer, Batch},
    route::{Arrival, LocalAddress, Route},
};
use crate::config::limits::TURN_DATAGRAMS;

/// A non-blocking datagram socket.
pub(crate) trait DatagramSocket: Debug + Send {
    /// Returns the event source for the poll.
    fn source(&mut self) -> &mut dyn Source;

    /// Receives the waiting datagrams into an empty batch: at least one message and at most `limit`, each of one or several
    /// datagrams. Returns whether more of them may wait.
    ///
    /// # Errors
    ///
    /// As `recvmmsg(2)`; `WouldBlock` if no datagram waits.
    fn receive(
        &mut self,
        limit: usize,
        batch: &mut Batch,
        headers: &mut Headers,
    ) -> io::Result<bool>;

    /// Sends the first of these answers, at least one, in their order. Returns their number. `bytes` is their buffer.
    ///
    /// # Errors
    ///
    /// As `sendmmsg(2)`: the error of the first answer; `WouldBlock` if the send buffer has no room for it.
    fn send(
        &mut self,
        answers: &[Answer],
        bytes: &[u8],
        headers: &mut Headers,
    ) -> io::Result<usize>;
}

/// A UDP socket of the system.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: mio::net::UdpSocket,
    family: Family,
    receive_offload: ReceiveOffload,
    segmentation: Segmentation,
}

impl UdpSocket {
    /// Prepares a bound socket of this server.
    ///
    /// # Errors
    ///
    /// If the system cannot report the destination or the hop limit of datagrams.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        let family = if socket.local_addr()?.is_ipv4() {
            Family::V4
        } else if socket.only_v6()? {
            Family::V6
        } else {
            Family::DualStack
        };
        Self::of_family(socket, family)
    }

    /// Prepares a bound socket that another program has created, with options that this server does not know.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn inherited(socket: socket2::Socket) -> io::Result<Self> {
        Self::of_family(socket, Family::Any)
    }

    fn of_family(socket: socket2::Socket, family: Family) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        }
        // An IPv6 socket that also receives IPv4 needs the options of both.
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
        // A system that does not know the option would send the segments of a message as one datagram.
        let segmentation = Segmentation::new(getsockopt(&socket, sockopt::UdpGsoSegment).is_ok());
        let socket = mio::net::UdpSocket::from_std(socket.into());
        Ok(Self { socket, family, receive_offload: ReceiveOffload::Disabled, segmentation })
    }

    #[cfg(test)]
    pub(super) fn segmentation(&mut self) -> &mut Segmentation {
        &mut self.segmentation
    }

    /// Sends the answers of one call.
    fn send_call(
        &self,
        answers: &[Answer],
        bytes: &[u8],
        segment: Option<u16>,
        headers: &mut Headers,
    ) -> io::Result<usize> {
        let mut datagrams = [IoSlice::new(&[]); TURN_DATAGRAMS];
        for (datagram, answer) in datagrams.iter_mut().zip(answers) {
            *datagram = IoSlice::new(answer.bytes(bytes));
        }
        let mut messages: [&[IoSlice<'_>]; TURN_DATAGRAMS] = [&[]; TURN_DATAGRAMS];
        let mut peers = [None; TURN_DATAGRAMS];
        let (mut rest, mut count) = (&datagrams[..], 0);
        for message in segmentation::messages(answers, segment) {
            (messages[count], rest) = rest.split_at(message.len());
            peers[count] = Some(SockaddrStorage::from(message[0].route.peer));
            count += 1;
        }
        let Route { from, hops, .. } = &answers[0].route;
        let (hops, size) = (libc::c_int::from(*hops), segment.unwrap_or_default());
        let segments = ControlMessage::UdpGsoSegments(&size);
        let controls = match from {
            LocalAddress::V4(info) => {
                [ControlMessage::Ipv4PacketInfo(info), ControlMessage::Ipv4Ttl(&hops), segments]
            }
            LocalAddress::V6(info) => [
                ControlMessage::Ipv6PacketInfo(info),
                ControlMessage::Ipv6HopLimit(&hops),
                segments,
            ],
            // The system chooses the source address and the hop limit.
            LocalAddress::Unknown => [segments; 3],
        };
        let controls = match (from, segment) {
            (LocalAddress::Unknown, _) => &[],
            (_, None) => &controls[..2],
            (_, Some(_)) => &controls[..],
        };
        let (fd, flags) =
            (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        let headers = headers.sent(from, segment.is_some());
        let sent = sendmmsg(fd, headers, &messages[..count], &peers[..count], controls, flags)?;
        Ok(messages.iter().take(sent.count()).map(|message| message.len()).sum())
    }
}

impl DatagramSocket for UdpSocket {
    fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }

    fn receive(
        &mut self,
        limit: usize,
        batch: &mut Batch,
        headers: &mut Headers,
    ) -> io::Result<bool> {
        let (mut slots, mut arrivals) = batch.slots();
        let mut slots: [_; TURN_DATAGRAMS] =
            array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let slots = &mut slots[..TURN_DATAGRAMS.min(limit)];
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let controls =
            Controls { family: self.family, has_size: self.receive_offload.is_enabled() };
        let messages = recvmmsg(fd, headers.received(controls, slots.len()), slots, flags, None)?;
        let (mut received, mut are_complete) = (0, true);
        for (slot, message) in messages.enumerate() {
            match arrival(&message) {
                Ok((arrival, size)) => {
                    are_complete &= controls.are_complete(arrival.to, size.is_some());
                    arrivals.push(slot, arrival, size);
                }
                Err(error) => {
                    are_complete = false;
                    arrivals.push_error(error);
                }
            }
            received += 1;
        }
        if !are_complete {
            headers.discard_received();
        }
        self.receive_offload.observe(&self.socket, arrivals.received());
        // The call ends early if no further datagram waits, or at an error of the socket, which it keeps for the next call.
        // An error about an earlier answer is the only one that does not close the socket, and this server does not ask for it.
        Ok(received == limit || self.family == Family::Any)
    }

    fn send(
        &mut self,
        answers: &[Answer],
        bytes: &[u8],
        headers: &mut Headers,
    ) -> io::Result<usize> {
        let peer = answers[0].route.peer.ip();
        let call = Call::next(answers, self.segmentation.is_allowed(peer));
        let answers = &answers[..call.answers];
        match self.send_call(answers, bytes, call.segment, headers) {
            Err(error) if call.segment.is_some() && segmentation::is_refusal(&error) => {
                let sent = self.send_call(answers, bytes, None, headers)?;
                self.segmentation.pause(peer);
                Ok(sent)
            }
            sent => sent,
        }
    }
}

/// Reads what the system reports about a message: its datagrams as one, and their size if there may be several.
fn arrival(
    message: &RecvMsg<'_, '_, SockaddrStorage>,
) -> io::Result<(Arrival, Option<NonZeroUsize>)> {
    let from = message.address.as_ref().and_then(socket_addr);
    let from = from.ok_or(ErrorKind::InvalidData)?;
    // The kernel reports both for every message. The defaults are safe: 64 is the usual initial hop limit.
    let (mut to, mut hops, mut size) = (LocalAddress::Unknown, 64, None);
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => to = LocalAddress::V4(info),
            // An IPv6 socket reports both for an IPv4 datagram; the IPv4 one has more information.
            ControlMessageOwned::Ipv6PacketInfo(info) if !matches!(to, LocalAddress::V4(_)) => {
                to = LocalAddress::V6(info);
            }
            ControlMessageOwned::Ipv4Ttl(limit) | ControlMessageOwned::Ipv6HopLimit(limit) => {
                hops = u8::try_from(limit).unwrap_or(u8::MAX);
            }
            ControlMessageOwned::UdpGroSegments(bytes) => {
                size = usize::try_from(bytes).ok().and_then(NonZeroUsize::new);
            }
            _ => {}
        }
    }
    let (is_unicast, to) = to.into_source();
    Ok((Arrival { at: 0, len: message.bytes, from, is_unicast, hops, to }, size))
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(&address) = address.as_sockaddr_in() {
        return Some(address.into());
    }
    address.as_sockaddr_in6().map(|&address| address.into())
}

//! A UDP socket that receives and sends datagrams in batches. It reports the destination address of each datagram, and
//! answers from it.
//!
//! A socket that is bound to a wildcard address would otherwise answer from the address of the outgoing
//! interface. A peer that sent its datagram to another address would not recognize the answer (RFC 1122,
//! section 4.1.3.5).

use std::{
    array,
    fmt::Debug,
    io::{self, ErrorKind, IoSlice, IoSliceMut},
    net::SocketAddr,
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

use super::{
    batch::{Answer, Batch},
    headers::{Controls, Headers},
    route::{Arrival, LocalAddress, Route},
    segmentation::{self, Call, Segmentation},
};
use crate::config::limits::TURN_DATAGRAMS;

/// A non-blocking datagram socket.
pub(crate) trait DatagramSocket: Debug + Send {
    /// Returns the event source for the poll.
    fn source(&mut self) -> &mut dyn Source;

    /// Receives the waiting datagrams into an empty batch: at least one and at most `limit`. Returns whether more of them may
    /// wait.
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
    controls: Controls,
    segmentation: Segmentation,
}

impl UdpSocket {
    /// Prepares a bound socket of this server.
    ///
    /// # Errors
    ///
    /// If the system cannot report the destination or the hop limit of datagrams.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        let controls = if socket.local_addr()?.is_ipv4() {
            Controls::V4
        } else if socket.only_v6()? {
            Controls::V6
        } else {
            Controls::DualStack
        };
        Self::with_controls(socket, controls)
    }

    /// Prepares a bound socket that another program has created, with options that this server does not know.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn inherited(socket: socket2::Socket) -> io::Result<Self> {
        Self::with_controls(socket, Controls::Any)
    }

    fn with_controls(socket: socket2::Socket, controls: Controls) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        }
        // An IPv6 socket that also receives IPv4 needs the options of both.
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
        // The program that has created the socket may have set it: one slot would then have several datagrams, which would be
        // answered as one. A system that refuses the option does not have it.
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &false);
        // A system that does not know the option would send the segments of a message as one datagram.
        let segmentation = Segmentation::new(getsockopt(&socket, sockopt::UdpGsoSegment).is_ok());
        Ok(Self { socket: mio::net::UdpSocket::from_std(socket.into()), controls, segmentation })
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
        let messages =
            recvmmsg(fd, headers.received(self.controls, slots.len()), slots, flags, None)?;
        let (mut received, mut is_ipv4) = (0, true);
        for (slot, message) in messages.enumerate() {
            let arrival = arrival(slot, &message);
            is_ipv4 &= matches!(arrival, Ok(Arrival { to: LocalAddress::V4(_), .. }));
            arrivals.push(arrival);
            received += 1;
        }
        if is_ipv4 {
            headers.keep_after_ipv4();
        }
        // The call ends early if no further datagram waits, or at an error of the socket, which it keeps for the next call.
        // An error about an earlier answer is the only one that does not close the socket, and this server does not ask for it.
        Ok(received == limit || self.controls == Controls::Any)
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

/// Reads what the system reports about the datagram in this slot of a batch.
fn arrival(slot: usize, message: &RecvMsg<'_, '_, SockaddrStorage>) -> io::Result<Arrival> {
    let from = message.address.as_ref().and_then(socket_addr);
    let from = from.ok_or(ErrorKind::InvalidData)?;
    // The kernel reports both for every datagram. The defaults are safe: 64 is the usual initial hop limit.
    let (mut to, mut hops) = (LocalAddress::Unknown, 64);
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
            _ => {}
        }
    }
    let (is_unicast, to) = to.into_source();
    Ok(Arrival { slot, len: message.bytes, from, is_unicast, hops, to })
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(&address) = address.as_sockaddr_in() {
        return Some(address.into());
    }
    address.as_sockaddr_in6().map(|&address| address.into())
}

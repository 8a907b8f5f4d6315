//! A UDP socket that reports the destination address of a datagram, and answers from it.
//!
//! A socket that is bound to a wildcard address would otherwise answer from the address of the outgoing
//! interface. A peer that sent its datagram to another address would not recognize the answer (RFC 1122,
//! section 4.1.3.5).

use std::{
    fmt::Debug,
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv6Addr, SocketAddr},
    os::fd::AsRawFd as _,
};

use mio::event::Source;
use nix::{
    cmsg_space, libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
        setsockopt, sockopt,
    },
};

/// Room for control messages that an inherited socket asks for, in bytes.
const MORE_CONTROL: usize = 1024;

/// A received datagram, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Number of its bytes.
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// It was sent to this machine only, not to a broadcast or multicast address.
    pub(crate) is_unicast: bool,
    /// Hops that it had left on arrival: the TTL (RFC 791) or hop limit (RFC 8200).
    pub(crate) hops: u8,
    to: LocalAddress,
}

/// The route of an answer: its destination, its source address, and its hop limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) peer: SocketAddr,
    from: LocalAddress,
    pub(super) hops: u8,
}

/// A local address in the form that the kernel reports and accepts.
#[derive(Clone, Copy, Debug)]
enum LocalAddress {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
    /// The kernel did not report it, and chooses the source address of the answer.
    Unknown,
}

/// A non-blocking datagram socket.
pub(crate) trait DatagramSocket: Debug + Send {
    /// Returns the event source for the poll.
    fn source(&mut self) -> &mut dyn Source;

    /// Receives the next datagram. A buffer of 64 KiB holds every datagram.
    ///
    /// # Errors
    ///
    /// As `recv(2)`; `WouldBlock` if no datagram waits.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival>;

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// As `send(2)`; `WouldBlock` if the send buffer has no room for it.
    fn send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()>;
}

/// A UDP socket of the system.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: mio::net::UdpSocket,
    /// Buffer for the control messages of a datagram (`cmsg(3)`).
    control: Vec<u8>,
}

impl Arrival {
    /// Returns the route of the answer. `None`: the datagram has no hop left for it.
    ///
    /// The hop limit of the answer is one less than the hops that the datagram had left. So an exchange between
    /// two servers that both do this ends, whatever their ports and their distance. An answer arrives if its
    /// route has at most half of the hops that the datagram started with; most systems start with 64 or more,
    /// which is enough for nearly every route.
    pub(crate) fn route_back(&self) -> Option<Route> {
        let hops = self.hops.checked_sub(1).filter(|&hops| hops > 0)?;
        Some(Route { peer: self.from, from: self.to, hops })
    }
}

impl UdpSocket {
    /// Prepares a bound socket.
    ///
    /// # Errors
    ///
    /// If the system cannot report the destination or the hop limit of datagrams.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        }
        // An IPv6 socket that also receives IPv4 needs the options of both.
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
        // An inherited socket may ask for more, such as a time stamp or credentials. If they have no room, nix refuses
        // the datagram.
        let mut control =
            cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo, libc::c_int, libc::c_int);
        control.resize(control.len() + MORE_CONTROL, 0);
        Ok(Self { socket: mio::net::UdpSocket::from_std(socket.into()), control })
    }
}

impl DatagramSocket for UdpSocket {
    fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let mut buffers = [IoSliceMut::new(buffer)];
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let message = recvmsg::<SockaddrStorage>(fd, &mut buffers, Some(&mut self.control), flags)?;
        let from = message.address.as_ref().and_then(socket_addr);
        let from = from.ok_or(io::ErrorKind::InvalidData)?;
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
        Ok(Arrival { len: message.bytes, from, is_unicast, hops, to })
    }

    fn send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()> {
        let hops = libc::c_int::from(route.hops);
        let controls: &[_] = match &route.from {
            LocalAddress::V4(info) => {
                &[ControlMessage::Ipv4PacketInfo(info), ControlMessage::Ipv4Ttl(&hops)]
            }
            LocalAddress::V6(info) => {
                &[ControlMessage::Ipv6PacketInfo(info), ControlMessage::Ipv6HopLimit(&hops)]
            }
            LocalAddress::Unknown => &[],
        };
        let (fd, peer) = (self.socket.as_raw_fd(), SockaddrStorage::from(route.peer));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendmsg(fd, &[IoSlice::new(bytes)], controls, flags, Some(&peer))?;
        Ok(())
    }
}

impl LocalAddress {
    /// Returns whether this destination is unicast, and the source address of an answer.
    fn into_source(self) -> (bool, Self) {
        match self {
            Self::V4(info) => {
                // For a broadcast or multicast, the kernel reports a different local address in `ipi_spec_dst`.
                let is_unicast = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
                // Without the interface index, the kernel routes the answer as usual.
                (is_unicast, Self::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info }))
            }
            Self::V6(info) => {
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                // A link-local address is ambiguous without its link (RFC 4007, section 4).
                let link = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                let info = libc::in6_pktinfo { ipi6_ifindex: link, ..info };
                (!address.is_multicast(), Self::V6(info))
            }
            Self::Unknown => (true, self),
        }
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(&address) = address.as_sockaddr_in() {
        return Some(address.into());
    }
    address.as_sockaddr_in6().map(|&address| address.into())
}

#[cfg(test)]
impl Arrival {
    /// Creates a unicast datagram from this address.
    pub(crate) fn unicast(from: SocketAddr, len: usize) -> Self {
        Self { len, from, is_unicast: true, hops: 64, to: LocalAddress::Unknown }
    }
}

//! A UDP socket that tells where a datagram was sent to, and answers from there.
//!
//! A socket for every address of a machine would otherwise answer from whichever one the route back
//! has, and who had asked another would not know the answer for one (RFC 1122, 4.1.3.5).

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

/// A datagram that has been received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// How many bytes it has.
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// It was sent to this machine and to no other.
    pub(crate) is_unicast: bool,
    /// How many routers it could still have passed, and itself: the TTL (RFC 791), or hop limit (RFC
    /// 8200).
    pub(crate) hops: u8,
    to: To,
}

/// Where an answer goes, and where it seems to come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) peer: SocketAddr,
    from: To,
    pub(super) hops: u8,
}

/// An address of ours, as the kernel takes it.
#[derive(Clone, Copy, Debug)]
enum To {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
    /// The kernel did not say, so it may choose.
    Any,
}

/// Datagrams in and out, without waiting.
pub(crate) trait DatagramSocket: Debug + Send {
    /// For the poll.
    fn source(&mut self) -> &mut dyn Source;

    /// Takes the next datagram, which fits if the buffer takes 64 KiB.
    ///
    /// # Errors
    ///
    /// As `recv(2)`; "would block" if there is none.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival>;

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// As `send(2)`; "would block" if there is no room for it now.
    fn send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()>;
}

/// A socket of the system.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: mio::net::UdpSocket,
    /// What the kernel says of a datagram besides its bytes.
    control: Vec<u8>,
}

impl Arrival {
    /// The way back. `None`: its answer would get nowhere.
    ///
    /// The answer may go one router less far than the datagram could still have gone. So two servers that
    /// both do this cannot pass a datagram to and fro for ever, whatever their ports and their distance. An
    /// answer arrives if its way is no longer than half of what the datagram began with: of the usual 64, or
    /// more, that is nearly anywhere.
    pub(crate) fn route_back(&self) -> Option<Route> {
        let hops = self.hops.checked_sub(1).filter(|&hops| hops > 0)?;
        Some(Route { peer: self.from, from: self.to, hops })
    }
}

impl UdpSocket {
    /// A bound socket.
    ///
    /// # Errors
    ///
    /// If the system cannot say where a datagram was sent to.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        }
        // One for both families takes both.
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
        let control = cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo, libc::c_int, libc::c_int);
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
        // Of each it is said; if it were not, it would have what most systems begin with.
        let (mut to, mut hops) = (To::Any, 64);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4PacketInfo(info) => to = To::V4(info),
                // A socket for both says both of an IPv4 datagram, and of these the other says more.
                ControlMessageOwned::Ipv6PacketInfo(info) if !matches!(to, To::V4(_)) => {
                    to = To::V6(info);
                }
                ControlMessageOwned::Ipv4Ttl(left) | ControlMessageOwned::Ipv6HopLimit(left) => {
                    hops = u8::try_from(left).unwrap_or(u8::MAX);
                }
                _ => {}
            }
        }
        let (is_unicast, to) = to.answered_from();
        Ok(Arrival { len: message.bytes, from, is_unicast, hops, to })
    }

    fn send(&mut self, bytes: &[u8], route: &Route) -> io::Result<()> {
        let hops = libc::c_int::from(route.hops);
        let controls: &[_] = match &route.from {
            To::V4(info) => &[ControlMessage::Ipv4PacketInfo(info), ControlMessage::Ipv4Ttl(&hops)],
            To::V6(info) => {
                &[ControlMessage::Ipv6PacketInfo(info), ControlMessage::Ipv6HopLimit(&hops)]
            }
            To::Any => &[],
        };
        let (fd, peer) = (self.socket.as_raw_fd(), SockaddrStorage::from(route.peer));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendmsg(fd, &[IoSlice::new(bytes)], controls, flags, Some(&peer))?;
        Ok(())
    }
}

impl To {
    /// Whether a datagram that was sent there was for nobody else, and how its answer names the place.
    fn answered_from(self) -> (bool, Self) {
        match self {
            Self::V4(info) => {
                // Of a broadcast or a multicast, the kernel says besides which address of ours it took it for.
                let is_unicast = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
                // The way back need not be the way that it came.
                (is_unicast, Self::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info }))
            }
            Self::V6(info) => {
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                // A link-local address means nothing without its link (RFC 4007, 4).
                let link = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                let info = libc::in6_pktinfo { ipi6_ifindex: link, ..info };
                (!address.is_multicast(), Self::V6(info))
            }
            Self::Any => (true, self),
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
    /// One that came from there, to us and nobody else.
    pub(crate) fn one(from: SocketAddr, len: usize) -> Self {
        Self { len, from, is_unicast: true, hops: 64, to: To::Any }
    }
}

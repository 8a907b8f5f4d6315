//! The addresses and hop limits of a datagram and of its answer.

use std::net::{Ipv6Addr, SocketAddr};

use nix::libc;

/// A received datagram, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Start of its bytes in the batch.
    pub(super) at: usize,
    /// Number of its bytes.
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// It was sent to this machine only, not to a broadcast or multicast address.
    pub(crate) is_unicast: bool,
    /// Hops that it had left on arrival: the TTL (RFC 791) or hop limit (RFC 8200).
    pub(crate) hops: u8,
    pub(super) to: LocalAddress,
}

/// The route of an answer: its destination, its source address, and its hop limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) peer: SocketAddr,
    pub(super) from: LocalAddress,
    pub(super) hops: u8,
}

/// A local address in the form that the kernel reports and accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalAddress {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
    /// The kernel did not report it, and chooses the source address of the answer.
    Unknown,
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

impl Route {
    /// Returns whether an answer on this route has the same source address and hop limit as on the other one.
    pub(super) fn has_same_source_and_hops(&self, other: &Self) -> bool {
        (self.from, self.hops) == (other.from, other.hops)
    }
}

impl LocalAddress {
    /// Returns whether this destination is unicast, and the source address of an answer.
    pub(super) fn into_source(self) -> (bool, Self) {
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

#[cfg(test)]
impl Arrival {
    /// Creates a unicast datagram from this address, at the start of a batch.
    pub(crate) fn unicast(from: SocketAddr, len: usize) -> Self {
        Self { at: 0, len, from, is_unicast: true, hops: 64, to: LocalAddress::Unknown }
    }
}

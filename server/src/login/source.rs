//! Where a login comes from, for the limit on failed ones.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The source of a login: an IPv4 address, an IPv6 network of 64 bits, or this machine over a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// Returns the source of a peer with this name in the log.
    pub(crate) fn of(peer: &str) -> Self {
        let address: Option<SocketAddr> = peer.parse().ok();
        Self(address.map(|address| match address.ip() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
            ip @ IpAddr::V4(_) => ip,
        }))
    }
}

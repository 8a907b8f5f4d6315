//! Where a login comes from, for the limit on failed ones.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The source of a login: an IPv4 address, an IPv6 network of 64 bits, or this machine over a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// Returns the source of a peer with this name in the log.
    pub(crate) fn of(peer: &str) -> Self {
        // A link-local address has a zone, which names an interface of this machine.
        let without_zone = match (peer.find('%'), peer.rfind(']')) {
            (Some(zone), Some(end)) if zone < end => [&peer[..zone], &peer[end..]].concat(),
            _ => peer.to_owned(),
        };
        let address: Option<SocketAddr> = without_zone.parse().ok();
        Self(address.map(|address| match address.ip() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
            ip @ IpAddr::V4(_) => ip,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_an_ipv6_network_or_this_machine() {
        assert_eq!(Source::of("10.0.0.1:1"), Source::of("10.0.0.1:2"));
        assert_eq!(Source::of("[2001:db8::1]:1"), Source::of("[2001:db8::2]:2"));
        assert_ne!(Source::of("[2001:db8::1]:1"), Source::of("[2001:db8:0:1::1]:1"));
        assert_eq!(Source::of("[fe80::1%eth0]:1"), Source::of("[fe80::2]:1"));
        assert_eq!(Source::of("unix:///run/echo.sock#1"), Source::of("unix:@echo#2"));
        assert_ne!(Source::of("[fe80::1%eth0]:1"), Source::of("unix:@echo#2"));
    }
}

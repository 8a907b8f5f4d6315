//! Addresses with the name of their network interface.
//!
//! A link-local address is ambiguous without its interface, its *zone* (RFC 4007): `[fe80::1%eth0]:7`. The system reports
//! the number of the interface; people and configurations use its name.

use std::{
    fmt,
    net::{SocketAddr, SocketAddrV6},
};

use common::endpoint::HostPort;
use nix::net::if_::if_indextoname;

/// Displays an address with the name of its zone, or its number if the interface is gone.
pub(crate) struct Zoned<'a>(pub(crate) &'a SocketAddr);

impl fmt::Display for Zoned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V6(address) if address.scope_id() != 0 => {
                write!(f, "[{}]:{}", host(address), address.port())
            }
            address => address.fmt(f),
        }
    }
}

/// Returns an address as a host with the name of its zone, and a port.
pub(crate) fn host_port(address: SocketAddr) -> HostPort {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => HostPort { host: host(&v6), port: v6.port() },
        _ => address.into(),
    }
}

fn host(address: &SocketAddrV6) -> String {
    let name = if_indextoname(address.scope_id()).ok().and_then(|name| name.into_string().ok());
    // nix returns an empty name for an interface that does not exist.
    let name = name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| address.scope_id().to_string());
    format!("{}%{name}", address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_link_local_address_has_the_name_of_its_interface() {
        // The loopback interface is the first of every network namespace.
        assert_eq!(Zoned(&address("[fe80::1%1]:7")).to_string(), "[fe80::1%lo]:7");
        assert_eq!(host_port(address("[fe80::1%1]:7")).to_string(), "[fe80::1%lo]:7");
        assert_eq!(Zoned(&address("[fe80::1%4294967295]:7")).to_string(), "[fe80::1%4294967295]:7");
        for plain in ["[::1]:7", "127.0.0.1:7"] {
            assert_eq!(Zoned(&address(plain)).to_string(), plain);
            assert_eq!(host_port(address(plain)).to_string(), plain);
        }
    }
}

//! The addresses of a listener: a host name can have several.

use std::{
    ffi::OsString,
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs as _},
    path::PathBuf,
};

use common::endpoint::{Endpoint, HostPort, split_zone};
use nix::net::if_::if_nametoindex;

use super::bind_error::BindError;

/// An address to bind a socket to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// The name of a Unix socket without a file.
    Abstract(OsString),
}

impl Address {
    /// Returns the addresses of an endpoint, at least one and each once.
    ///
    /// # Errors
    ///
    /// If its host does not resolve.
    pub(crate) fn resolve(endpoint: &Endpoint) -> Result<Vec<Self>, BindError> {
        let (at, address): (_, fn(SocketAddr) -> Self) = match endpoint {
            Endpoint::Tcp(at) => (at, Self::Tcp),
            Endpoint::Udp(at) => (at, Self::Udp),
            Endpoint::Unix(path) => return Ok(vec![Self::Unix(path.clone())]),
            Endpoint::Abstract(name) => return Ok(vec![Self::Abstract(name.clone())]),
        };
        match resolve(at) {
            Ok(addresses) if addresses.is_empty() => Err(io::Error::other("it has no address")),
            resolved => resolved.map(|addresses| addresses.into_iter().map(address).collect()),
        }
        .map_err(|cause| BindError::Resolve { host: at.host.clone(), cause })
    }

    /// Returns the address with this port, if it has any free one.
    pub(super) fn with_port(mut self, port: u16) -> Self {
        if let Self::Tcp(at) | Self::Udp(at) = &mut self
            && at.port() == 0
        {
            at.set_port(port);
        }
        self
    }
}

fn resolve(at: &HostPort) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    match split_zone(&at.host) {
        Some((IpAddr::V6(ip), Some(zone))) => {
            addresses.push(SocketAddrV6::new(ip, at.port, 0, interface(zone)?).into());
        }
        Some((ip, _)) => addresses.push(SocketAddr::new(ip, at.port)),
        None => {
            for address in (&at.host[..], at.port).to_socket_addrs()? {
                // A resolver returns an address twice if two lines of /etc/hosts have it.
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
    }
    Ok(addresses)
}

/// Returns the number of an interface, which is named by its name or its number.
fn interface(zone: &str) -> io::Result<u32> {
    if_nametoindex(zone)
        .ok()
        .or_else(|| zone.parse().ok())
        .ok_or_else(|| io::Error::other(format!("there is no network interface '{zone}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(url: &str) -> Result<Vec<Address>, String> {
        let url: common::endpoint::Url = url.parse().unwrap();
        Address::resolve(&url.endpoint).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_itself_and_a_zone_is_an_interface() {
        let tcp = |text: &str| Ok(vec![Address::Tcp(text.parse().unwrap())]);
        assert_eq!(resolved("tcp://127.0.0.1:7"), tcp("127.0.0.1:7"));
        assert_eq!(resolved("tcp://[fe80::1%lo]:7"), tcp("[fe80::1%1]:7"));
        assert_eq!(resolved("tcp://[fe80::1%25lo]:7"), tcp("[fe80::1%1]:7"));
        assert_eq!(resolved("tcp://[fe80::1%1]:7"), tcp("[fe80::1%1]:7"));
        assert_eq!(
            resolved("udp://[fe80::1%no-such]:7").unwrap_err(),
            "the host 'fe80::1%no-such' does not resolve: there is no network interface 'no-such'"
        );
    }

    #[test]
    fn a_name_has_each_of_its_addresses_once() {
        let mut addresses = resolved("udp://localhost:7").unwrap();
        let count = addresses.len();
        assert!(addresses.contains(&Address::Udp("127.0.0.1:7".parse().unwrap())), "{addresses:?}");
        addresses.dedup();
        assert_eq!(addresses.len(), count);
    }
}

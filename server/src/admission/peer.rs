//! The other end of a connection, as the log and the limits identify it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::zone::Zoned;

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A network address.
    Remote(SocketAddr),
    /// A client of the Unix socket with this name. The number distinguishes its clients.
    Local(Arc<str>, u64),
}

impl Peer {
    /// Creates a peer from its address. An IPv4 address that is mapped to IPv6 becomes an IPv4 address; a link-local
    /// address keeps its zone.
    pub(crate) fn remote(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => Self::Remote(SocketAddr::new(ip, address.port())),
            IpAddr::V6(_) => Self::Remote(address),
        }
    }

    /// Returns the address that counts for limits, if there is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Remote(address) => Some(address.ip()),
            Self::Local(..) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(address) => Zoned(address).fmt(f),
            Self::Local(name, number) => write!(f, "{name}#{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_distinct_names() {
        let mapped = Peer::remote("[::ffff:10.0.0.1]:7".parse().unwrap());
        assert_eq!(mapped.to_string(), "10.0.0.1:7");
        assert_eq!(mapped.ip(), Some([10, 0, 0, 1].into()));
        let link_local = Peer::remote("[fe80::1%1]:7".parse().unwrap());
        assert_eq!(link_local.to_string(), "[fe80::1%lo]:7");
        let local = Peer::Local("unix:///run/echo.sock".into(), 12);
        assert_eq!((local.to_string(), local.ip()), ("unix:///run/echo.sock#12".to_owned(), None));
    }
}

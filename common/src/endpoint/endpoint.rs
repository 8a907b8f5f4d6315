//! An address to listen on or to connect to.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::SocketAddr,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

use crate::escape::Escaped;

/// Maximum length in bytes of the path of a Unix socket, and of its name in the abstract namespace: the kernel's field
/// for either has 108 bytes, one of which is a NUL (`unix(7)`).
pub const SOCKET_PATH: usize = 107;

/// Address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `tcp://HOST:PORT`
    Tcp(HostPort),
    /// `udp://HOST:PORT`
    Udp(HostPort),
    /// `unix:///PATH`, a stream socket in the file system.
    Unix(PathBuf),
    /// `unix:@NAME`, a stream socket in the abstract namespace of Linux: it has no file, and no permissions. The name is
    /// any bytes, without the NUL that the kernel has before it.
    Abstract(OsString),
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address; an IPv6 address has no brackets, and may have a zone.
    pub host: String,
    /// Port; for a listener, zero means any free port.
    pub port: u16,
}

impl Endpoint {
    /// Returns the port of an internet address.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(at) | Self::Udp(at) => Some(at.port),
            Self::Unix(_) | Self::Abstract(_) => None,
        }
    }

    /// Returns the URL of this address with TLS; `None` for UDP, which has none.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        match self {
            Self::Tcp(at) => Some(format!("tls://{at}")),
            Self::Udp(_) => None,
            Self::Unix(_) | Self::Abstract(_) => Some(format!("{self}?tls=on")),
        }
    }

    /// Returns the name of a Unix socket as a socket address has it: its path, or a NUL and its abstract name.
    #[must_use]
    pub fn socket_name(&self) -> Option<OsString> {
        match self {
            Self::Tcp(_) | Self::Udp(_) => None,
            Self::Unix(path) => Some(path.clone().into()),
            Self::Abstract(name) => Some([OsStr::new("\0"), name].into_iter().collect()),
        }
    }
}

impl From<SocketAddr> for HostPort {
    /// The zone of a link-local address is the number of its interface.
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            _ => address.ip().to_string(),
        };
        Self { host, port: address.port() }
    }
}

impl fmt::Display for HostPort {
    /// Writes `HOST:PORT`, with brackets around an IPv6 address to separate it from the port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    /// Writes the URL, with an unencoded path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Udp(at) => write!(f, "udp://{at}"),
            Self::Unix(path) if path.is_absolute() => write!(f, "unix://{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{}", Escaped(name.as_bytes())),
        }
    }
}

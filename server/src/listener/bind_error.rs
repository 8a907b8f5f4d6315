//! The errors of binding, with advice for the user.

use std::{io, net::IpAddr, path::PathBuf};

use common::{
    endpoint::{Endpoint, HostPort, SOCKET_PATH, split_zone},
    reason::reason,
};
use rustix::io::Errno;
use thiserror::Error;

/// Reason why a server cannot listen. The message is complete; the errors have no `source` to print in addition.
#[derive(Debug, Error)]
pub enum BindError {
    /// The host is neither an address nor a name that has one.
    #[error("the host '{host}' does not resolve: {}", reason(cause))]
    Resolve {
        /// The host as configured.
        host: String,
        /// The error of the resolver.
        cause: io::Error,
    },
    /// The system refuses to listen on the address.
    #[error("cannot listen on {addr}: {}", with_advice(addr, cause))]
    Listen {
        /// The address.
        addr: HostPort,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses to receive datagrams on the address.
    #[error("cannot listen on udp://{addr}: {}", with_advice(addr, cause))]
    Receive {
        /// The address.
        addr: HostPort,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses to create a Unix socket at the path.
    #[error("cannot listen on {}: {}", path.display(), with_path_advice(cause))]
    Path {
        /// The path as configured.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses to create a Unix socket in the abstract namespace.
    #[error("cannot listen on {endpoint}: {}", with_name_advice(cause))]
    Abstract {
        /// The endpoint as configured.
        endpoint: Endpoint,
        /// The error of the system.
        cause: io::Error,
    },
    /// Another program has the port of the admin listener, for example the server that this one is to replace. Servers never
    /// share it, because a scrape would reach either of them.
    #[error("cannot open the admin listener: {0}")]
    AdminInUse(Box<BindError>),
    /// Another listener of the configuration has the address too, since its name has it.
    #[error("cannot listen on {address}: {other} has this address as well; keep one of them")]
    Twice {
        /// The address.
        address: Endpoint,
        /// The other listener as configured.
        other: Endpoint,
    },
    /// The listener cannot have its faults, or they contradict each other.
    #[error("cannot listen on {endpoint}: {reason}")]
    Faults {
        /// The endpoint as configured.
        endpoint: Endpoint,
        /// The fault, and the reason.
        reason: String,
    },
    /// The system lacks a resource that the server needs.
    #[error("cannot set up the server: {}", reason(.0))]
    System(io::Error),
}

impl BindError {
    /// Returns whether both programs can listen if [`Config::reuse_port`](crate::Config::reuse_port) is set
    /// in both.
    #[must_use]
    pub fn is_port_shareable(&self) -> bool {
        self.is_in_use() && matches!(self, Self::Listen { .. } | Self::Receive { .. })
    }

    /// Returns whether the address is in use.
    pub(crate) fn is_in_use(&self) -> bool {
        match self {
            Self::Listen { cause, .. }
            | Self::Receive { cause, .. }
            | Self::Path { cause, .. }
            | Self::Abstract { cause, .. } => cause.kind() == io::ErrorKind::AddrInUse,
            Self::Resolve { .. }
            | Self::AdminInUse(_)
            | Self::Twice { .. }
            | Self::Faults { .. }
            | Self::System(_) => false,
        }
    }

    /// Returns the error as one of the admin listener.
    #[cfg(feature = "admin")]
    pub(crate) fn of_admin(self) -> Self {
        if self.is_port_shareable() { Self::AdminInUse(Box::new(self)) } else { self }
    }

    /// Returns the address and the error of the system, if this machine does not have the address, or none of its
    /// family.
    pub(crate) fn missing_address(&self) -> Option<(&HostPort, &io::Error)> {
        let (Self::Listen { addr, cause } | Self::Receive { addr, cause }) = self else {
            return None;
        };
        let errno = Errno::from_io_error(cause);
        matches!(errno, Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)).then_some((addr, cause))
    }

    /// Returns the address that is in use, as an endpoint.
    pub(crate) fn address_in_use(&self) -> Option<Endpoint> {
        match self {
            Self::Listen { addr, .. } if self.is_in_use() => Some(Endpoint::Tcp(addr.clone())),
            Self::Receive { addr, .. } if self.is_in_use() => Some(Endpoint::Udp(addr.clone())),
            _ => None,
        }
    }
}

/// Returns the text of a system error, with advice.
fn with_advice(at: &HostPort, error: &io::Error) -> String {
    let is_link_local = matches!(
        split_zone(&at.host),
        Some((IpAddr::V6(address), None)) if address.is_unicast_link_local()
    );
    let advice = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => "another program listens there",
        Some(Errno::ADDRNOTAVAIL) => "it is not an address of this machine: choose one that is",
        Some(Errno::ACCESS) => "choose a port above 1023 or grant CAP_NET_BIND_SERVICE",
        Some(Errno::INVAL) if is_link_local => {
            "a link-local address needs its interface, as in %eth0"
        }
        _ => return reason(error),
    };
    format!("{}; {advice}", reason(error))
}

/// Returns the text of a system error for a Unix socket, with advice.
fn with_path_advice(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or choose another path"
        }
        io::ErrorKind::AlreadyExists => {
            return "the file there is not a socket; remove it, or choose another path".to_owned();
        }
        io::ErrorKind::NotFound => "its directory is missing: create it first",
        io::ErrorKind::InvalidInput => {
            return format!(
                "the path is too long for a socket; the maximum is {SOCKET_PATH} bytes"
            );
        }
        _ => return reason(error),
    };
    format!("{}; {advice}", reason(error))
}

/// Returns the text of a system error for an abstract socket, with advice.
fn with_name_advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{}; another program listens there: stop it, or choose another name",
                reason(error)
            )
        }
        _ => reason(error),
    }
}

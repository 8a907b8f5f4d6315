//! The errors of binding, with advice for the user.

use std::{io, net::SocketAddr, path::PathBuf};

use common::reason::reason;
use rustix::io::Errno;
use thiserror::Error;

use crate::config::limits;

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
    #[error("cannot listen on {addr}: {}", with_advice(cause))]
    Listen {
        /// The last address that was tried.
        addr: SocketAddr,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses to receive datagrams on the address.
    #[error("cannot listen on udp://{addr}: {}", with_advice(cause))]
    Receive {
        /// The last address that was tried.
        addr: SocketAddr,
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
            Self::Listen { cause, .. } | Self::Receive { cause, .. } | Self::Path { cause, .. } => {
                cause.kind() == io::ErrorKind::AddrInUse
            }
            Self::Resolve { .. } | Self::System(_) => false,
        }
    }
}

/// Returns the text of a system error, with advice.
fn with_advice(error: &io::Error) -> String {
    let advice = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => "another program listens there",
        Some(Errno::ADDRNOTAVAIL) => "it is not an address of this machine: choose one that is",
        Some(Errno::ACCESS) => "choose a port above 1023 or grant CAP_NET_BIND_SERVICE",
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
            let max = limits::SOCKET_PATH;
            return format!("the path is too long for a socket; the maximum is {max} bytes");
        }
        _ => return reason(error),
    };
    format!("{}; {advice}", reason(error))
}

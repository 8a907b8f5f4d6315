//! Bound listeners and their listening sockets, of every kind.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use common::endpoint::Endpoint;
use mio::{
    event::Source,
    net::{TcpListener, UnixListener},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::socket_file::{SocketFile, SocketFileId};
#[cfg(feature = "tls")]
use crate::config::Tls;
use crate::{
    admission::{ConnectionPolicy, Peer},
    faults::ListenerFaults,
    metrics::ListenerMetrics,
    udp::{UdpListener, UdpPolicy},
};

/// A bound listener.
#[derive(Debug)]
pub(crate) enum BoundListener {
    /// The acceptor accepts its connections.
    Stream(StreamListener),
    /// Each worker serves one of its sockets.
    Udp(UdpListener),
}

/// The policy of a bound listener, which also identifies it.
#[derive(Clone, Debug)]
pub(crate) enum Policy {
    /// Known to the acceptor.
    Stream(Arc<ConnectionPolicy>),
    /// Known to the workers.
    Udp(Arc<UdpPolicy>),
}

impl Policy {
    /// Returns the counters of the listener.
    pub(crate) fn counters(&self) -> &ListenerMetrics {
        match self {
            Self::Stream(policy) => &policy.counters,
            Self::Udp(policy) => &policy.counters,
        }
    }

    /// Returns the faults of the listener.
    pub(crate) fn faults(&self) -> &Arc<ListenerFaults> {
        match self {
            Self::Stream(policy) => &policy.faults,
            Self::Udp(policy) => &policy.faults,
        }
    }
}

/// A listening socket and the policy of its connections.
#[derive(Debug)]
pub(crate) struct StreamListener {
    /// The endpoint with its actual port.
    pub(crate) endpoint: Endpoint,
    pub(crate) policy: Arc<ConnectionPolicy>,
    pub(crate) socket: ListeningSocket,
    /// Another process may share the socket.
    pub(crate) is_inherited: bool,
}

/// A socket that connections are accepted from.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListeningSocket),
}

/// A listening Unix socket.
#[derive(Debug)]
pub(crate) struct UnixListeningSocket {
    /// Removed with the socket, unless the socket is inherited; dropped before it.
    pub(crate) file: Option<SocketFile>,
    pub(crate) listener: UnixListener,
    /// Name of the socket. Its clients have no names and are numbered.
    pub(crate) name: Arc<str>,
    pub(crate) accepted: u64,
}

impl ListeningSocket {
    /// Accepts the next connection from the backlog.
    ///
    /// # Errors
    ///
    /// As `accept(2)`.
    pub(crate) fn accept(&mut self) -> io::Result<(OwnedFd, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((stream.into(), Peer::remote(peer)))
            }
            Self::Unix(local) => {
                let (stream, _) = local.listener.accept()?;
                local.accepted += 1;
                Ok((stream.into(), Peer::Local(Arc::clone(&local.name), local.accepted)))
            }
        }
    }

    /// Returns whether a connection is in the backlog, as far as the kernel can tell without accepting it.
    pub(crate) fn is_readable(&self) -> bool {
        let fd = match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(socket) => socket.listener.as_fd(),
        };
        // If the poll fails, the caller retries by the clock.
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&Timespec::default()))
            .is_ok_and(|ready| ready > 0)
    }

    /// Returns the event source for the poll.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(local) => &mut local.listener,
        }
    }
}

impl StreamListener {
    /// Returns the address as the log names it.
    pub(crate) fn address(&self) -> String {
        self.policy.options.address(&self.endpoint)
    }
}

impl BoundListener {
    /// Returns the file of a Unix socket that is not inherited.
    pub(crate) fn socket_file(&self) -> Option<&SocketFileId> {
        match self {
            Self::Stream(StreamListener { socket: ListeningSocket::Unix(socket), .. }) => {
                socket.file.as_ref().map(SocketFile::id)
            }
            Self::Stream(_) | Self::Udp(_) => None,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        match self {
            Self::Stream(listener) => Policy::Stream(Arc::clone(&listener.policy)),
            Self::Udp(listener) => Policy::Udp(Arc::clone(&listener.policy)),
        }
    }

    /// Returns the endpoint with its actual port.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Stream(listener) => &listener.endpoint,
            Self::Udp(listener) => &listener.endpoint,
        }
    }

    /// Returns the TLS of its connections.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Stream(listener) => listener.policy.options.tls.as_ref(),
            Self::Udp(_) => None,
        }
    }

    /// Returns the address as the log names it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Stream(listener) => listener.address(),
            Self::Udp(listener) => listener.policy.address.clone(),
        }
    }
}

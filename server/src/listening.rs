//! Sockets that listen: what the acceptor accepts from, one kind like the other.

use std::{io, os::fd::OwnedFd, sync::Arc};

use common::endpoint::Endpoint;
use mio::{
    event::Source,
    net::{TcpListener, UnixListener},
};

use crate::{datagram::DatagramListener, peer::Peer, socket_file::SocketFile, terms::Terms};

/// A listener of any kind.
#[derive(Debug)]
pub(crate) enum Bound {
    /// Its connections are accepted.
    Stream(Listening),
    /// Its sockets are the workers'.
    Datagram(DatagramListener),
}

/// A socket that listens, and the terms for whoever comes.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Where; the port is the one that it has.
    pub(crate) endpoint: Endpoint,
    pub(crate) terms: Arc<Terms>,
    pub(crate) socket: ListenSocket,
}

/// What is accepted from.
#[derive(Debug)]
pub(crate) enum ListenSocket {
    Tcp(TcpListener),
    Unix(LocalSocket),
}

/// A Unix socket, and who has come through it.
#[derive(Debug)]
pub(crate) struct LocalSocket {
    /// Goes with the socket, if it is ours, and before it.
    pub(crate) _file: Option<SocketFile>,
    pub(crate) listener: UnixListener,
    /// Peers have no names of their own: they are numbered after it.
    pub(crate) name: Arc<str>,
    pub(crate) accepted: u64,
}

impl ListenSocket {
    /// Takes the next one from the backlog.
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

    /// For the poll.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(local) => &mut local.listener,
        }
    }
}

impl Listening {
    /// The address as the log names it: that of TCP, which is what most ask for, without its scheme.
    pub(crate) fn address(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(at) => at.to_string(),
            other => other.to_string(),
        }
    }
}

impl Bound {
    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Stream(listening) => &listening.endpoint,
            Self::Datagram(listener) => &listener.endpoint,
        }
    }

    /// The address as the log names it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Stream(listening) => listening.address(),
            Self::Datagram(listener) => listener.rules.address.clone(),
        }
    }
}

//! A connection on its way to a worker, through the dispatch queue.

use std::{net::IpAddr, sync::Arc};

use super::{connection::Connection, stream::Stream};
use crate::admission::{ConnectionPolicy, Peer};

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) enum Incoming<S> {
    /// From the acceptor: a socket, its peer, and the policy of its listener.
    New(S, Peer, Arc<ConnectionPolicy>),
    /// From another worker.
    Migrated(Box<Connection<S>>),
}

impl<S: Stream> Incoming<S> {
    /// Returns the policy and the address under which the connection was admitted.
    pub(crate) fn admitted_as(&self) -> (&ConnectionPolicy, Option<IpAddr>) {
        match self {
            Self::New(_, peer, policy) => (policy, policy.source_of(peer)),
            Self::Migrated(connection) => (connection.policy(), connection.ip()),
        }
    }
}

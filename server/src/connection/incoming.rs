//! A connection on its way to a worker, through the dispatch queue.

use super::connection::Connection;
use crate::admission::{Peer, Permit};

/// A connection on its way to a worker. Dropping it releases its permit.
#[derive(Debug)]
pub(crate) enum Incoming<S> {
    /// From the acceptor: a socket, its peer, and its permit.
    New(S, Peer, Permit),
    /// From another worker.
    Migrated(Box<Connection<S>>),
}

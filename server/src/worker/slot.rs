//! A connection and the worker's state for it.

use super::{rebalance::Load, timing::Armed};
use crate::connection::{Connection, Socket};

/// A connection and the worker's state for it.
pub(super) struct Slot<S> {
    pub(super) connection: Connection<S>,
    pub(super) armed: Armed,
    /// The connection is in a ready list.
    pub(super) queued: bool,
    pub(super) load: Load,
    /// The poll reports when the socket is writable. Most connections never need it, so it is registered when
    /// the socket first takes less than it was given, and then stays registered.
    pub(super) watches_write: bool,
}

impl<S> Slot<S> {
    pub(super) fn new(connection: Connection<S>) -> Self {
        Self {
            connection,
            armed: Armed::default(),
            queued: false,
            load: Load::default(),
            watches_write: false,
        }
    }
}

// Bytes of an idle connection, besides the name of its peer and its place in the tables: at most 256 in all.
const _: () = assert!(size_of::<Slot<Socket>>() <= 216);

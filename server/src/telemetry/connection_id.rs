//! The identity of a connection.

use std::fmt;

/// Identity of a connection: the worker that took it first, the slot that it got there, and how many connections that
/// worker had taken before. It stays the same when the connection moves to another worker, and none of the next
/// 2^32 connections of that worker has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId {
    pub(crate) worker: u32,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.worker, self.slot, self.generation)
    }
}

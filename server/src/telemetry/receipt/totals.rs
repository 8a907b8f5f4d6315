//! The totals of a connection: its bytes and messages.

use std::time::Instant;

/// Totals of one connection, for the event of its close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionTotals {
    pub(crate) opened_at: Instant,
    /// Bytes that were read from the socket.
    pub(crate) bytes_received: u64,
    /// Bytes that the socket has taken.
    pub(crate) bytes_sent: u64,
    /// Messages that the session has received completely.
    pub(crate) messages_received: u64,
}

impl ConnectionTotals {
    pub(crate) fn new(opened_at: Instant) -> Self {
        Self { opened_at, bytes_received: 0, bytes_sent: 0, messages_received: 0 }
    }
}

//! Counts of datagrams, as the report shows them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counts of a load over UDP. Every datagram that was sent is either one of the `messages` that returned,
/// or `lost`. A datagram of the warm-up is not counted, unless its bytes cannot tell when it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DatagramCounts {
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams that returned after the time limit. They do not count as lost.
    pub(crate) late: u64,
    /// Datagrams that returned after one that the same socket had sent later (RFC 4737, Type-P-Reordered).
    pub(crate) reordered: u64,
    /// Copies of datagrams that had returned.
    pub(crate) duplicates: u64,
    /// Datagrams that arrived with wrong bytes, or at a socket that had not sent them. If the right bytes
    /// do not arrive, the datagram is also lost.
    pub(crate) corrupt: u64,
    /// Datagrams that do not belong to this run.
    pub(crate) unrecognized: u64,
    /// Datagrams that the client's system dropped because the receive buffer of the socket was full. Datagrams
    /// that the system had joined to one message count once.
    pub(crate) dropped_by_client: u64,
    /// Size that was requested for the receive buffer of each socket; in a merged report, on the first
    /// machine.
    pub(crate) receive_buffer_requested_bytes: u64,
    /// Size that the system granted.
    pub(crate) receive_buffer_granted_bytes: u64,
}

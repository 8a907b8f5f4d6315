//! One injected fault, without the connection to which it happened.

use std::time::Duration;

use super::fault::Fault;

/// The direction of the bytes to which a fault happened, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "fault-log", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "fault-log", serde(rename_all = "kebab-case"))]
pub enum Direction {
    /// Bytes of the client.
    Received,
    /// Bytes of the server.
    Sent,
}

/// A fault that was injected, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "fault-log", derive(serde::Deserialize, serde::Serialize))]
pub struct FaultAct {
    /// The fault.
    pub fault: Fault,
    /// The direction of its bytes.
    pub direction: Direction,
    /// The number of bytes before it: on the socket, with the records of TLS. Faults of messages count the plaintext that the
    /// server would have sent without faults; faults of datagrams count datagrams of the source, but
    /// `corrupt` counts the bytes of its datagram, whose number is `message`.
    pub offset: u64,
    /// Number of bytes that it affects.
    #[cfg_attr(feature = "fault-log", serde(default, skip_serializing_if = "Option::is_none"))]
    pub bytes: Option<u64>,
    /// Time by which it delays them, in nanoseconds. A `reorder` with a delay was held for this time, and is in its own place, because
    /// no other message or datagram has followed.
    #[cfg_attr(feature = "fault-log", serde(default, skip_serializing_if = "Option::is_none"))]
    pub delay_ns: Option<u64>,
    /// Bits that were inverted in the byte at the offset.
    #[cfg_attr(feature = "fault-log", serde(default, skip_serializing_if = "Option::is_none"))]
    pub mask: Option<u8>,
    /// Number of messages or datagrams before the one to which it happened.
    #[cfg_attr(feature = "fault-log", serde(default, skip_serializing_if = "Option::is_none"))]
    pub message: Option<u64>,
    /// The code of a WebSocket close.
    #[cfg_attr(feature = "fault-log", serde(default, skip_serializing_if = "Option::is_none"))]
    pub code: Option<u16>,
}

impl FaultAct {
    /// Creates a fault in bytes of the server, without figures.
    #[must_use]
    pub fn sent(fault: Fault, offset: u64) -> Self {
        let direction = Direction::Sent;
        Self {
            fault,
            direction,
            offset,
            bytes: None,
            delay_ns: None,
            mask: None,
            message: None,
            code: None,
        }
    }

    /// Returns the fault with the time by which it delays its bytes.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay_ns: Some(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)), ..self }
    }

    /// Creates a fault in bytes of the client, without figures.
    #[must_use]
    pub fn received(fault: Fault, offset: u64) -> Self {
        Self { direction: Direction::Received, ..Self::sent(fault, offset) }
    }
}

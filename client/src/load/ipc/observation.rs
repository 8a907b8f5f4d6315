//! Observation of one connection, or of one UDP socket: what a client that expects faults has seen.
//!
//! It is complete: with the bytes that were sent, it gives every byte that was received. So the comparison with the faults of a
//! server depends on no guess of the worker that made it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Observation of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Observation {
    /// Local address, by which the server names the client. `None`: the socket never had one.
    pub(crate) peer: Option<SocketAddr>,
    /// Number in the run of the channel, whose stream the messages are.
    pub(crate) channel: u64,
    /// Line of the channel with which the connection begins.
    pub(crate) first_line: u64,
    /// Offset of this line in the channel's stream.
    pub(crate) first_offset: u64,
    /// The handshakes and the login were complete.
    pub(crate) is_open: bool,
    /// Number of messages of which a byte may have been sent.
    pub(crate) begun: u64,
    /// Number of messages that were sent completely.
    pub(crate) messages: u64,
    /// The number of bytes that the socket has taken.
    pub(crate) sent: u64,
    /// The number of bytes that were received from the socket.
    pub(crate) received: u64,
    /// Number of bytes without TLS that were received before the first echo: answers of a login and of a WebSocket handshake.
    pub(crate) head: u64,
    /// Where in the echo the received bytes belong, in the order of their arrival.
    pub(crate) pieces: Vec<Piece>,
    /// Bytes that differ from those of their piece.
    pub(crate) damage: Vec<Damage>,
    /// Control frames of WebSocket between the echoes.
    pub(crate) controls: Vec<Control>,
    /// The lists have reached their limit, and do not cover what was received from here on: number of echoed bytes.
    pub(crate) limit_reached_at: Option<u64>,
    /// End.
    pub(crate) end: End,
    /// Times.
    pub(crate) times: Times,
    /// TLS; `None` without.
    pub(crate) tls: Option<TlsObservation>,
    /// First byte of a frame of WebSocket; `None` without.
    pub(crate) opcode: Option<u8>,
    /// Number of echoed bytes before a frame that was masked.
    pub(crate) masked_at: Option<u64>,
    /// Code of the close frame of the server; 1005 for a frame without a code (RFC 6455, section 7.4.1).
    pub(crate) close_code: Option<u16>,
    /// Datagrams; `None` for a stream.
    pub(crate) datagrams: Option<Datagrams>,
}

/// Range of the echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64)", from = "(u64, u64)")]
pub(crate) struct Piece {
    /// Its start in the echo of all messages.
    pub(crate) start: u64,
    /// Number of bytes.
    pub(crate) len: u64,
}

impl From<(u64, u64)> for Piece {
    fn from((start, len): (u64, u64)) -> Self {
        Self { start, len }
    }
}

impl From<Piece> for (u64, u64) {
    fn from(piece: Piece) -> Self {
        (piece.start, piece.len)
    }
}

/// Byte that differs from the echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(u64, u8)", from = "(u64, u8)")]
pub(crate) struct Damage {
    /// Number of echoed bytes that were received before.
    pub(crate) at: u64,
    /// Bits that differ.
    pub(crate) mask: u8,
}

impl From<(u64, u8)> for Damage {
    fn from((at, mask): (u64, u8)) -> Self {
        Self { at, mask }
    }
}

impl From<Damage> for (u64, u8) {
    fn from(damage: Damage) -> Self {
        (damage.at, damage.mask)
    }
}

/// Control frame of WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Control {
    /// Number of echoed bytes that were received before.
    pub(crate) at: u64,
    /// Number of bytes, with its header.
    pub(crate) len: u64,
}

/// End of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// End of the received bytes on the socket. `None`: the client closed it before.
    pub(crate) wire: Option<WireEnd>,
    /// The client had sent everything, and ended its direction.
    pub(crate) is_after_ours: bool,
    /// The client waited in vain for bytes, or for the end.
    pub(crate) is_timed_out: bool,
    /// Failure of the connection or of a layer, which made the client close it.
    pub(crate) failure: Option<Failure>,
}

/// End of the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WireEnd {
    /// End of the stream (FIN).
    Fin,
    /// Reset (RST).
    Reset,
}

/// Failure that ended a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// Its place.
    pub(crate) layer: Layer,
    /// Its text.
    pub(crate) text: String,
}

/// Part of a connection that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layer {
    /// The socket could not be connected.
    Connect,
    /// TLS.
    Tls,
    /// WebSocket.
    Websocket,
    /// The login, apart from the proof of the server.
    Login,
    /// The proof of the server in a login is wrong.
    Proof,
}

/// TLS of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TlsObservation {
    /// The handshake was complete.
    pub(crate) is_established: bool,
    /// The server has announced the end by a `close_notify`.
    pub(crate) has_close_notify: bool,
    /// Range on the socket of the last record, as far as its header tells.
    pub(crate) record: (u64, u64),
    /// Bytes of record headers that TLS does not protect and that differ: their offset on the socket and the bits.
    pub(crate) headers: Vec<Damage>,
}

/// Times of a connection in nanoseconds from the start of its connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// First byte of the server.
    pub(crate) first_byte: Option<u64>,
    /// First messages.
    pub(crate) messages: Vec<MessageTimes>,
    /// First reads: number of bytes that were received on the socket, and the time.
    pub(crate) reads: Vec<(u64, u64)>,
    /// Time of the last read.
    pub(crate) last_read: u64,
    /// Time of the end.
    pub(crate) end: u64,
}

/// Times of a message, and its place among the bytes that were sent on the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64, u64, u64)", from = "(u64, u64, u64, u64)")]
pub(crate) struct MessageTimes {
    /// Number of bytes that the socket had taken when the message was begun.
    pub(crate) start: u64,
    /// Number of bytes up to its end.
    pub(crate) end: u64,
    /// Time before its first byte was sent.
    pub(crate) begun: u64,
    /// Time after its last byte was received, or 0.
    pub(crate) returned: u64,
}

impl From<(u64, u64, u64, u64)> for MessageTimes {
    fn from((start, end, begun, returned): (u64, u64, u64, u64)) -> Self {
        Self { start, end, begun, returned }
    }
}

impl From<MessageTimes> for (u64, u64, u64, u64) {
    fn from(times: MessageTimes) -> Self {
        (times.start, times.end, times.begun, times.returned)
    }
}

/// Datagrams of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Datagrams {
    /// Number of datagrams that were sent.
    pub(crate) sent: u64,
    /// Times at which the first ones were sent, in nanoseconds from the first.
    pub(crate) sent_at: Vec<u64>,
    /// Datagrams in the order of their arrival.
    pub(crate) arrivals: Vec<Arrival>,
    /// The list of arrivals is at its limit.
    pub(crate) is_limited: bool,
    /// Number of datagrams that are none of this socket.
    pub(crate) unrecognized: u64,
    /// The system reported that datagrams are not delivered.
    pub(crate) is_unreachable: bool,
}

/// Datagram that has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrival {
    /// Its number among those that were sent.
    pub(crate) number: u64,
    /// Time in nanoseconds from the first send.
    pub(crate) at: u64,
    /// Length, if it is not the one that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) len: Option<u64>,
    /// Bytes that differ: their offset in the datagram and the bits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) damage: Vec<Damage>,
}

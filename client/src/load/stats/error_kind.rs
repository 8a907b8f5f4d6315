//! Kinds of errors, and their names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of error of a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErrorKind {
    /// The connection could not be made.
    Connect,
    /// The peer or the system reset the connection.
    Reset,
    /// The peer closed the connection before all bytes had returned.
    Closed,
    /// Bytes were missing, and none arrived within the time limit.
    Timeout,
    /// The bytes that returned differ from those sent.
    WrongBytes,
    /// The TLS handshake failed, or the peer broke the protocol.
    Tls,
    /// The peer ended the stream without a `close_notify` of TLS before all bytes had returned.
    Truncated,
    /// The WebSocket handshake failed, or the peer broke the protocol, or closed with a code that tells a failure.
    Websocket,
    /// The login failed.
    Login,
    /// The server is not a room, or refused what a member sent.
    Room,
    /// The bytes that returned are right, and the peer split or joined messages.
    MessageBoundary,
    /// The bytes that returned are right, and the peer changed the type of a WebSocket message.
    MessageType,
    /// The receipt of the server is missing, or shows bytes that did not arrive unchanged.
    Receipt,
    /// Datagrams are not delivered: no process listens, or there is no route (ICMP, RFC 792).
    Unreachable,
}

impl ErrorKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 14] = [
        Self::Connect,
        Self::Reset,
        Self::Closed,
        Self::Timeout,
        Self::WrongBytes,
        Self::Tls,
        Self::Truncated,
        Self::Websocket,
        Self::Login,
        Self::Room,
        Self::MessageBoundary,
        Self::MessageType,
        Self::Receipt,
        Self::Unreachable,
    ];
}

impl fmt::Display for ErrorKind {
    /// Writes the name, which is the same in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::WrongBytes => "wrong-bytes",
            Self::Tls => "tls",
            Self::Truncated => "truncated",
            Self::Websocket => "websocket",
            Self::Login => "login",
            Self::Room => "room",
            Self::MessageBoundary => "message-boundary",
            Self::MessageType => "message-type",
            Self::Receipt => "receipt",
            Self::Unreachable => "unreachable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_the_same_name_in_json_and_in_text() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
        }
    }
}

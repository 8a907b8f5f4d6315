//! The limit that refuses a connection, and the reply that its client receives.

use std::fmt;

use common::{
    count::Count,
    frame,
    protocol::{FULL, Protocol},
};

use crate::{config::ListenerOptions, metrics::LIMITS};

/// The limit that refuses a connection, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// Connections of the server.
    Server(usize),
    /// Connections of the listener.
    Listener(usize),
    /// Connections of the source.
    Source(usize),
    /// Handshakes under way of the server.
    Handshakes(usize),
    /// Handshakes under way of the source.
    SourceHandshakes(usize),
}

impl LimitReached {
    /// The setting or option of each kind, at its index: the name of the reason in the metrics.
    #[cfg_attr(not(feature = "admin"), expect(dead_code, reason = "nothing lists them"))]
    pub(crate) const NAMES: [&str; LIMITS] = [
        "max-connections",
        "listener-max-connections",
        "max-connections-per-ip",
        "max-handshakes",
        "max-handshakes-per-ip",
    ];

    /// Returns the index of the counter of the kind.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::Server(_) => 0,
            Self::Listener(_) => 1,
            Self::Source(_) => 2,
            Self::Handshakes(_) => 3,
            Self::SourceHandshakes(_) => 4,
        }
    }
}

/// Returns the bytes that a refused client receives before its connection is closed.
pub(crate) fn rejection_reply(options: &ListenerOptions, limit: LimitReached) -> Vec<u8> {
    let line = format!("{FULL}: it serves {limit} at most. Try again later.\r\n");
    if options.is_http() {
        let head = "HTTP/1.1 503 Service Unavailable\r\nServer: echo-server\r\nConnection: close\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nContent-Length: ";
        return format!("{head}{}\r\n\r\n{line}", line.len()).into_bytes();
    }
    match options.protocol {
        Protocol::Text | Protocol::Raw => line.into_bytes(),
        Protocol::Length => frame::encode(line.trim_end().as_bytes()).unwrap_or_default(),
    }
}

impl fmt::Display for LimitReached {
    /// Writes the limit, as in `2 connections from one address`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (max, counted, scope) = match self {
            Self::Server(max) => (max, "connection", ""),
            Self::Listener(max) => (max, "connection", " on this listener"),
            Self::Source(max) => (max, "connection", " from one address"),
            Self::Handshakes(max) => (max, "handshake", " in progress"),
            Self::SourceHandshakes(max) => (max, "handshake", " in progress from one address"),
        };
        write!(f, "{}{scope}", Count(*max as u64, counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_names_the_limit_in_the_format_of_the_protocol() {
        let line =
            "Server is full: it serves 1 connection from one address at most. Try again later.";
        let limit = LimitReached::Source(1);
        let with = |protocol| ListenerOptions { protocol, ..ListenerOptions::default() };
        assert_eq!(
            rejection_reply(&with(Protocol::Text), limit),
            format!("{line}\r\n").into_bytes()
        );
        assert_eq!(
            rejection_reply(&with(Protocol::Length), limit),
            frame::encode(line.as_bytes()).unwrap()
        );
        assert_eq!(LimitReached::Listener(2).to_string(), "2 connections on this listener");
        assert_eq!(LimitReached::Server(3).to_string(), "3 connections");
        assert_eq!(
            LimitReached::SourceHandshakes(1).to_string(),
            "1 handshake in progress from one address"
        );
    }
}

//! What is said to a peer for whom there is no room.

use std::fmt;

use common::{
    frame,
    protocol::{FULL, Protocol},
};

use crate::open::Full;

/// What it gets before it is closed on.
pub(crate) fn reply(protocol: Protocol, full: Full) -> Vec<u8> {
    let line = format!("{FULL}: it serves {full} at most. Try again later.\r\n");
    match protocol {
        Protocol::Text | Protocol::Raw => line.into_bytes(),
        Protocol::Length => frame::encode(line.trim_end().as_bytes()).unwrap_or_default(),
    }
}

impl fmt::Display for Full {
    /// The limit, as `2 connections from one address`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (most, of_whom) = match self {
            Self::All(most) => (most, ""),
            Self::Listener(most) => (most, " on this listener"),
            Self::Source(most) => (most, " from one address"),
        };
        let connections = if *most == 1 { "connection" } else { "connections" };
        write!(f, "{most} {connections}{of_whom}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limit_in_the_words_of_the_protocol() {
        let line =
            "Server is full: it serves 1 connection from one address at most. Try again later.";
        let full = Full::Source(1);
        assert_eq!(reply(Protocol::Text, full), format!("{line}\r\n").into_bytes());
        assert_eq!(reply(Protocol::Length, full), frame::encode(line.as_bytes()).unwrap());
        assert_eq!(Full::Listener(2).to_string(), "2 connections on this listener");
        assert_eq!(Full::All(3).to_string(), "3 connections");
    }
}

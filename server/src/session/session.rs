//! The session of any protocol.

use common::protocol::Protocol;

use super::{length::Length, outcome::Outcome, text::Text};

/// The protocol state of one connection.
#[derive(Debug)]
pub(crate) enum Session {
    /// See [`Protocol::Text`].
    Text(Text),
    /// See [`Protocol::Raw`]; it has no state.
    Raw,
    /// See [`Protocol::Length`].
    Length(Length),
}

impl Session {
    /// Creates the session of a new connection.
    #[must_use]
    pub(crate) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Text => Self::Text(Text::default()),
            Protocol::Raw => Self::Raw,
            Protocol::Length => Self::Length(Length::default()),
        }
    }

    /// Receives one read: the bytes that the last call did not consume, and new ones.
    pub(crate) fn receive(&mut self, input: &[u8]) -> Outcome {
        match self {
            Self::Text(text) => text.receive(input),
            Self::Raw => Outcome::echo(input.len()),
            Self::Length(length) => length.receive(input),
        }
    }
}

//! The session of any protocol.

use std::time::Instant;

use common::{message::Splitter, protocol::Protocol};

use super::{
    length::Length,
    step::{ProtocolHandler, Step},
    text::Text,
};
use crate::faults::{EchoPlace, Format};

/// The protocol state of one connection.
#[derive(Debug)]
pub(crate) enum Session {
    /// See [`Protocol::Text`].
    Text(Text),
    /// See [`Protocol::Raw`]; it has no state.
    Raw,
    /// See [`Protocol::Length`].
    Length(Length),
    /// A protocol that lives outside of this folder. Boxed twice, so that plain sessions stay small.
    Other(Box<Box<dyn ProtocolHandler>>),
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

    /// Receives one read: the bytes that the last step did not consume, and new ones. The session may change them.
    #[expect(
        clippy::inline_always,
        reason = "the path of a message is one function; see `connection::Socket`"
    )]
    #[inline(always)]
    pub(crate) fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        match self {
            Self::Text(text) => text.receive(input),
            Self::Raw => Step::echo(input.len(), 1),
            Self::Length(length) => length.receive(input),
            Self::Other(handler) => handler.receive(input, now),
        }
    }

    /// Returns the handler of a protocol that lives outside of this folder.
    pub(crate) fn handler(&mut self) -> Option<&mut dyn ProtocolHandler> {
        match self {
            Self::Other(handler) => Some(&mut ***handler),
            Self::Text(_) | Self::Raw | Self::Length(_) => None,
        }
    }

    /// Returns the protocol under which the history has its messages. `None`: it does not have them from here.
    pub(crate) fn recorded_as(&self) -> Option<&'static str> {
        match self {
            Self::Text(_) => Some("text"),
            Self::Raw => Some("raw"),
            Self::Length(_) => Some("length"),
            Self::Other(handler) => handler.recorded_as(),
        }
    }

    /// Returns whether it is a WebSocket.
    pub(crate) fn is_websocket(&self) -> bool {
        match self {
            Self::Text(_) | Self::Raw | Self::Length(_) => false,
            Self::Other(handler) => handler.is_websocket(),
        }
    }

    /// Returns what separates the messages of its echo, and the place in it behind the last step, of a handler that counts them.
    pub(crate) fn echo(&self) -> Option<(Format, EchoPlace)> {
        match self {
            Self::Text(_) | Self::Raw | Self::Length(_) => None,
            Self::Other(handler) => handler.echo(),
        }
    }

    /// Returns the splitter of its messages, for the log.
    pub(crate) fn splitter(&self) -> Splitter {
        match self {
            Self::Text(_) => Splitter::new(Protocol::Text),
            Self::Raw => Splitter::new(Protocol::Raw),
            Self::Length(_) => Splitter::new(Protocol::Length),
            Self::Other(handler) => handler.splitter(),
        }
    }

    /// Returns the number of messages of which only a part was received.
    pub(crate) fn unfinished_messages(&self) -> isize {
        match self {
            Self::Text(text) => text.unfinished_messages(),
            Self::Raw => 0,
            Self::Length(length) => length.unfinished_messages(),
            Self::Other(handler) => handler.unfinished_messages(),
        }
    }
}

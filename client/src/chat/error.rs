//! Errors of a chat, with the text that the user reads.

use std::io;

use common::{escape::Escaped, reason::reason};

use super::framing::error::NotAnEvent;
use crate::{
    net::{self, sign::Sign},
    stdio,
};

/// Failure of a chat.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server cannot be reached, or the connection failed.
    #[error(transparent)]
    Net(#[from] net::Error),

    /// Standard input or standard output failed.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),

    /// The terminal cannot be drawn on.
    #[error("Could not use the terminal: {}; --plain does without", reason(.0))]
    Terminal(io::Error),

    /// The server sent something that is no event of a room.
    #[error(transparent)]
    NotAnEvent(#[from] NotAnEvent),

    /// The server ended the connection.
    #[error("The server has closed the connection")]
    Closed,

    /// The server ended the connection in place of an answer to an exit.
    #[error("The server closed the connection without a goodbye")]
    NoGoodbye,

    /// The server refused the client.
    #[error("The server refused the client: {}", Escaped(.0.as_bytes()))]
    Refused(String),

    /// The server refused to let the client into the room.
    #[error("Could not join the room {room}: {}", Escaped(.text.as_bytes()))]
    Room {
        /// Room of the arguments.
        room: String,
        /// Reason of the server.
        text: String,
    },

    /// The server refused the name.
    #[error(
        "Could not take the name {name}: {}; choose another with --name, or omit it",
        Escaped(.text.as_bytes())
    )]
    Name {
        /// Name of the arguments.
        name: String,
        /// Reason of the server.
        text: String,
    },

    /// Lines or events did not arrive.
    #[error("{}", losses(*.not_sent, *.not_returned, .events))]
    Lost {
        /// Lines of the input that no room takes.
        not_sent: u64,
        /// Messages that did not return.
        not_returned: u64,
        /// Faults of the numbers of events, or nothing.
        events: String,
    },
}

impl Error {
    /// Returns the sign that the server expects another protocol, if there is one.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self {
            Self::Net(error) => error.sign(),
            Self::NotAnEvent(error) => error.sign(),
            _ => None,
        }
    }
}

fn losses(not_sent: u64, not_returned: u64, events: &str) -> String {
    let mut parts = Vec::new();
    match not_sent {
        0 => {}
        1 => parts.push("1 line was not sent".to_owned()),
        lines => parts.push(format!("{lines} lines were not sent")),
    }
    match not_returned {
        0 => {}
        1 => parts.push("1 message did not return from the room".to_owned()),
        messages => parts.push(format!("{messages} messages did not return from the room")),
    }
    if !events.is_empty() {
        parts.push(format!("events of the room: {events}"));
    }
    parts.join("; ")
}

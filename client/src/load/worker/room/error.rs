//! Reasons why a connection is not a member of a room.

use std::{io, time::Duration};

use common::escape::Escaped;
use thiserror::Error as ThisError;

use super::events::Form;

/// Failure of the protocol of rooms.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub(crate) enum Error {
    /// The server has not welcomed the member in time.
    #[error("the server did not welcome a member to a room within {0:?}")]
    NoWelcome(Duration, Form),
    /// The server sends what no room sends.
    #[error("the server sends what is not {} of a room", .0.name())]
    Malformed(Form),
    /// The server ended the connection before it welcomed the member.
    #[error("the server ended the connection before it welcomed the member")]
    NotWelcomed,
    /// The server ended the connection of a member.
    #[error("the server ended the connection of a member")]
    Closed,
    /// The server refuses something.
    #[error("the server refused a member: {}", Escaped(.0.as_bytes()))]
    Refused(String),
}

impl Error {
    /// Returns the error inside an error of the connection.
    pub(crate) fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns the text, with advice on a line of its own.
    pub(crate) fn with_advice(&self) -> String {
        let (Self::NoWelcome(_, form) | Self::Malformed(form)) = self else {
            return self.to_string();
        };
        let advice = match form {
            Form::Frames => {
                "The listener needs the options protocol=room&framing=length; without the second one, use --framing text"
            }
            Form::Lines => {
                "The listener needs the option protocol=room; with framing=length, leave --framing text away"
            }
            Form::Objects => "The listener needs the option protocol=room",
        };
        format!("{self}\n{advice}")
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

//! Errors of connections, with the text that the user reads.

use std::{io, time::Duration};

use common::reason::reason;

use super::{sign::Sign, unreachable::Unreachable};
use crate::{tls, websocket};

/// Failure to connect, to receive or to wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server cannot be reached. The only error of two lines: a new user meets it first, and the second
    /// line says what to do.
    #[error("Could not connect to server at {target}{}", .reason.explanation())]
    Connect {
        /// The server as the user named it: `HOST:PORT`, or a URL.
        target: String,
        /// Why it cannot be reached.
        reason: Unreachable,
    },

    /// The server refused the login, or cannot be trusted with it. A second line has advice if there is any.
    #[error("Could not log in to server at {target}: {text}")]
    Login {
        /// The server as the user named it: `HOST:PORT`, or a URL.
        target: String,
        /// Text of the failure; the lines after the first are advice.
        text: String,
    },

    /// The connection broke: a reset, or a failure of the network.
    #[error("The connection to the server was lost: {}", reason(.error))]
    Lost {
        /// The system's error.
        error: io::Error,
        /// Bytes had arrived before.
        has_answered: bool,
    },

    /// The server ended the TLS session with an alert or without a `close_notify`, or broke the protocol. A second line
    /// has advice if there is any.
    #[error("The connection to the server was lost: {}", .0.with_advice())]
    Tls(tls::Error),

    /// The server broke the protocol of WebSocket, split or joined messages, or ended with a code that tells a failure. A
    /// second line has advice if there is any.
    #[error("{}", capitalized(&.0.with_advice()))]
    WebSocket(websocket::Error),

    /// The server sent nothing for this long while a reply was due.
    #[error("No reply from the server within {0:?}")]
    NoReply(Duration),

    /// The user pressed Ctrl+C while the client was waiting.
    #[error("Interrupted")]
    Interrupted,

    /// The system refused an operation that the client cannot do without.
    #[error("Could not {what}: {}", reason(.error))]
    System {
        /// The operation, as a verb phrase.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

impl Error {
    /// Returns the function that turns a system error of this operation into an [`Error`].
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }

    /// Returns the advice for a failure of TLS or of a login.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Login { text, .. } => text.split_once('\n').map(|(_, advice)| advice.to_owned()),
            Self::Tls(error) | Self::Connect { reason: Unreachable::Tls(error), .. } => {
                error.advice()
            }
            _ => None,
        }
    }

    /// Returns the sign that the server expects another protocol, if there is one.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self {
            Self::Lost { error, has_answered: false } => {
                (error.kind() == io::ErrorKind::ConnectionReset).then_some(Sign::NoAnswer)
            }
            _ => None,
        }
    }
}

/// Returns a text as a sentence.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_has_the_two_lines_of_the_original() {
        let error =
            Error::Connect { target: "127.0.0.1:65432".to_owned(), reason: Unreachable::Refused };
        assert_eq!(
            error.to_string(),
            "Could not connect to server at 127.0.0.1:65432\nMake sure the server is running."
        );
    }

    #[test]
    fn a_system_error_has_words_and_no_number() {
        let error = Error::Lost { error: io::Error::from_raw_os_error(104), has_answered: true };
        assert_eq!(
            error.to_string(),
            "The connection to the server was lost: connection reset by peer"
        );
    }
}

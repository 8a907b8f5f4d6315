//! Errors of a WebSocket, with the text that the user reads.

use std::{io, time::Duration};

use common::{
    escape::{Escaped, Quoted},
    reason::reason,
};

use super::close::{Close, Violation};

/// Number of bytes of a wrong answer that are shown.
pub(super) const SHOWN: usize = 48;

/// Failure of a WebSocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The answer to the handshake is something else.
    #[error("the server does not speak HTTP: it sent {}", Quoted(.0))]
    NotHttp(Vec<u8>),
    /// The answer to the handshake is an alert of TLS.
    #[error("the server answered with a TLS alert")]
    TlsAlert,
    /// The server ended the connection before its answer was complete.
    #[error("the server ended the connection without an answer to the WebSocket handshake")]
    NoAnswer {
        /// URL of the same server with TLS, unless it is with TLS already.
        with_tls: Option<String>,
    },
    /// Nothing came back in time.
    #[error("no answer to the WebSocket handshake within {0:?}")]
    Late(Duration),
    /// The answer is not 101.
    #[error("the server refused the WebSocket: {}", .0.text())]
    Status(Refusal),
    /// The answer is 101, and not one to this handshake.
    #[error("the server's answer to the WebSocket handshake is invalid: {0}")]
    Invalid(String),
    /// The server has selected no subprotocol, and the client cannot do without.
    #[error("the server does not speak the subprotocol {0} at this path")]
    NoSubprotocol(String),
    /// The server broke the protocol after the handshake.
    #[error("the server broke the WebSocket protocol: {0}")]
    Protocol(Violation),
    /// The server has closed the WebSocket with a code that tells a failure.
    #[error("the server closed the WebSocket with {0}")]
    Closed(Close),
    /// The end of the stream was not announced.
    #[error("the server ended the connection without a close frame (code 1006, abnormal closure)")]
    NoClose,
    /// The bytes of a message are right so far, and the message is not.
    #[error(transparent)]
    Message(#[from] MessageFault),
    /// The connection failed.
    #[error("{}", reason(.0))]
    Io(io::Error),
}

/// Message that does not return as it was sent, apart from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageFault {
    /// It ended too early.
    #[error("the server split a message: its bytes are right, but it returned in several messages")]
    Split,
    /// It continued after its end, and another message is due.
    #[error(
        "the server joined messages, or added bytes to one: a message returned longer than it was sent"
    )]
    Joined,
    /// It continued after its end, and no other message is due.
    #[error("the server added bytes to a message: it returned longer than it was sent")]
    Longer,
    /// It was a text.
    #[error("the server changed the type of a message: it returned a text as a binary message")]
    TextAsBinary,
    /// It was binary.
    #[error("the server changed the type of a message: it returned a binary message as text")]
    BinaryAsText,
}

impl MessageFault {
    /// Returns the fault of a message of the other type, which returned as text or not.
    #[inline]
    pub(crate) fn returned_as(is_text: bool) -> Self {
        if is_text { Self::BinaryAsText } else { Self::TextAsBinary }
    }
}

/// Answer of the server in place of 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) status: u16,
    pub(super) phrase: Vec<u8>,
    /// Value of `Location`, of a redirect.
    pub(super) location: Option<Vec<u8>>,
    /// Value of `Sec-WebSocket-Version` or `Upgrade`, of 426.
    pub(super) wanted: Option<Vec<u8>>,
    pub(super) has_origin: bool,
    /// The request had a password or a token.
    pub(super) has_login: bool,
}

impl Refusal {
    fn text(&self) -> String {
        let mut text = format!("status {}", self.status);
        if !self.phrase.is_empty() {
            text = format!("{text} ({})", Escaped(&self.phrase));
        }
        match (&self.location, &self.wanted) {
            (Some(location), _) => format!("{text}, a redirect to {}", Quoted(location)),
            (None, Some(wanted)) => format!("{text}, it requires {}", Quoted(wanted)),
            (None, None) => text,
        }
    }

    fn advice(&self) -> Option<&'static str> {
        Some(match self.status {
            300..400 => "Redirects are not followed: use the URL of the WebSocket itself.",
            401 if self.has_login => {
                "Check the name and the password, or the token; the log of the server has the reason."
            }
            401 => "The server requires a login: use --user NAME or --token-file FILE.",
            403 if self.has_origin => {
                "The server may accept other values of --ws-origin, such as the URL of its own page."
            }
            403 => {
                "The server may require an Origin: try --ws-origin with the URL of its page, as in https://HOST."
            }
            404 => "Check the path of the URL: ws://HOST:PORT/PATH.",
            400 => "If the server speaks TLS, use wss://HOST:PORT.",
            200..300 | 405 | 426 | 501 => {
                "The server speaks HTTP, but no WebSocket version 13 at this path: check the path of the URL."
            }
            503 => "The server may be full: try again later.",
            _ => return None,
        })
    }
}

impl Error {
    /// Returns the advice, as a sentence.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::NotHttp(_) => {
                Some("Use tcp://HOST:PORT for an echo server without WebSocket.".to_owned())
            }
            Self::TlsAlert => {
                Some("The server seems to speak TLS: use wss://HOST:PORT.".to_owned())
            }
            Self::NoAnswer { with_tls: Some(url) } => {
                Some(format!("If the server speaks TLS, use {url}"))
            }
            Self::NoSubprotocol(_) => Some(
                "An echo server speaks it on a listener with protocol=room; check the port and the path of the URL."
                    .to_owned(),
            ),
            Self::Status(refusal) => refusal.advice().map(ToOwned::to_owned),
            _ => None,
        }
    }

    /// Returns the error of WebSocket in an error of the connection, if it is one.
    pub(crate) fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns the text, and the advice on a second line.
    pub(crate) fn with_advice(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}\n{advice}"),
            None => self.to_string(),
        }
    }
}

impl From<Error> for io::Error {
    /// The error of the connection, or one in which `Error::inside` finds this error.
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::other(error),
        }
    }
}

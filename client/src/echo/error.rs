//! Errors of an exchange, with the text that the user reads.

use common::{
    count::Count,
    escape::Quoted,
    protocol::FULL,
    receipt::{Comparison, NoReceipt},
};

use crate::net::{
    self,
    sign::{LOGIN_FIRST, Sign, begins, is_alert, is_http, is_login_required},
};

/// Failure of an exchange with the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection failed, or a wait ended.
    #[error(transparent)]
    Net(#[from] net::Error),

    /// The server ended the connection after it had returned every byte.
    #[error("The server has closed the connection")]
    Closed,

    /// The server ended the connection before it had returned every byte.
    #[error("The server closed the connection with {} of the echo missing", Count(*missing as u64, "byte"))]
    ClosedEarly {
        /// Bytes that were accepted for sending and did not return.
        missing: usize,
        /// Bytes had arrived on the connection.
        has_answered: bool,
    },

    /// The server ended the connection instead of answering an exit.
    #[error("The server closed the connection without a goodbye")]
    NoGoodbye {
        /// Bytes had arrived on the connection.
        has_answered: bool,
    },

    /// The server answered with an alert of TLS.
    #[error("The server answered with a TLS alert")]
    TlsAlert,

    /// The server answered with a response of HTTP.
    #[error("The server answered with HTTP instead of an echo")]
    Http,

    /// The echo differs from what was sent.
    #[error(transparent)]
    WrongEcho(#[from] WrongEcho),

    /// The server is at its limit of connections, and has sent its refusal instead of an echo.
    #[error("The server refused the connection: {}", Quoted(.0.trim_ascii_end()))]
    Full(Vec<u8>),

    /// The server wants a login, and has said so instead of an echo.
    #[error("The server requires a login: it answered {}", Quoted(.0.trim_ascii_end()))]
    LoginRequired(Vec<u8>),

    /// The server sent bytes while no echo was due.
    #[error("The server sent unexpected data: {}", Quoted(.0))]
    Unexpected(Vec<u8>),

    /// The server answered an exit with neither a goodbye nor an echo.
    #[error("The server answered 'exit' with {}", Quoted(.0))]
    WrongGoodbye(Vec<u8>),

    /// The server's receipt shows a difference, or is missing.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

/// Failure of a connection whose server is to send a receipt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiptError {
    /// Bytes did not arrive unchanged.
    #[error("{0}")]
    Different(Comparison),
    /// Bytes did not arrive unchanged, and the exchange failed before.
    #[error("{0}\n{1}")]
    DifferentAfter(Box<Error>, Comparison),
    /// All bytes arrived unchanged, and the exchange failed.
    #[error("{0}\n{1}; the network changed nothing: the server sent a wrong echo")]
    IntactAfter(Box<Error>, Comparison),
    /// All bytes arrived unchanged, and the server sent more than the echo.
    #[error("The server sent {} that are no echo, before its receipt\n{comparison}", Count(*.extra, "byte"))]
    Extra {
        /// Number of bytes beyond the echo.
        extra: u64,
        /// Both ends.
        comparison: Comparison,
    },
    /// There is no receipt.
    #[error("{0}")]
    None(NoReceipt),
    /// There is no receipt, and the exchange failed before.
    #[error("{0}\n{1}")]
    NoneAfter(Box<Error>, NoReceipt),
}

/// First difference between the echo and what was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Wrong echo at byte {position}: expected {}, received {}",
    Quoted(.expected),
    Quoted(.received)
)]
pub(crate) struct WrongEcho {
    /// Position of the first wrong byte, from 1, in the stream (in the message, if messages are exchanged
    /// one by one).
    position: u64,
    /// Expected bytes from there on, at most [`WrongEcho::CONTEXT`].
    expected: Vec<u8>,
    /// Received bytes from there on, at most [`WrongEcho::CONTEXT`].
    received: Vec<u8>,
}

impl WrongEcho {
    /// Number of bytes that are shown of either side: they fit on one line of a terminal.
    pub(crate) const CONTEXT: usize = 32;

    /// Describes bytes that differ from the first on, after `returned` right ones.
    pub(crate) fn new(returned: u64, expected: &[u8], received: &[u8]) -> Self {
        let head = |bytes: &[u8]| bytes[..bytes.len().min(Self::CONTEXT)].to_vec();
        Self { position: returned + 1, expected: head(expected), received: head(received) }
    }
}

impl Error {
    /// Returns the error for bytes that arrived instead of `expected`, which may be empty, after `returned`
    /// right ones.
    pub(crate) fn mismatch(returned: u64, expected: &[u8], received: &[u8]) -> Self {
        if returned == 0 && is_alert(received) {
            Self::TlsAlert
        } else if is_http(returned, received) {
            Self::Http
        } else if begins(FULL.as_bytes(), returned, received) {
            Self::Full(whole(FULL.as_bytes(), returned, received))
        } else if is_login_required(returned, received) {
            Self::LoginRequired(whole(LOGIN_FIRST, returned, received))
        } else if expected.is_empty() {
            Self::Unexpected(received.to_vec())
        } else {
            WrongEcho::new(returned, expected, received).into()
        }
    }

    /// Returns the error for an answer to an exit that is neither a goodbye nor an echo.
    pub(super) fn wrong_goodbye(answer: &[u8]) -> Self {
        if is_alert(answer) {
            Self::TlsAlert
        } else if is_http(0, answer) {
            Self::Http
        } else {
            Self::WrongGoodbye(answer.to_vec())
        }
    }

    /// Returns the sign that the server expects another protocol, if there is one.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self {
            Self::Net(error) => error.sign(),
            Self::TlsAlert => Some(Sign::TlsAlert),
            Self::Http => Some(Sign::Http),
            Self::LoginRequired(_) => Some(Sign::Login),
            Self::ClosedEarly { has_answered: false, .. }
            | Self::NoGoodbye { has_answered: false } => Some(Sign::NoAnswer),
            Self::Receipt(ReceiptError::NoneAfter(error, _)) => error.sign(),
            _ => None,
        }
    }

    /// Returns `true` if Ctrl+C ended the exchange.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Net(net::Error::Interrupted))
    }
}

/// Returns a refusal whose first `returned` bytes seemed to be those of the echo.
fn whole(text: &[u8], returned: u64, rest: &[u8]) -> Vec<u8> {
    let returned = usize::try_from(returned).unwrap_or(usize::MAX);
    [text.get(..returned).unwrap_or_default(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_wrong_byte_from_1() {
        let wrong = WrongEcho::new(2, b"llo\n", b"xlo\n");
        assert_eq!(wrong.to_string(), r"Wrong echo at byte 3: expected 'llo\n', received 'xlo\n'");
    }

    #[test]
    fn tells_a_full_server_from_a_wrong_echo() {
        let full = Error::mismatch(0, b"hello\n", b"Server is full: try later\r\n").to_string();
        assert_eq!(full, "The server refused the connection: 'Server is full: try later'");
        let full = Error::mismatch(2, b"veral\n", b"rver is full: try later\r\n").to_string();
        assert_eq!(full, "The server refused the connection: 'Server is full: try later'");
        assert!(matches!(Error::mismatch(1, b"hello\n", b"Server is full"), Error::WrongEcho(_)));
        assert!(matches!(Error::mismatch(1, b"", b"Server is full"), Error::Unexpected(_)));
    }

    #[test]
    fn tells_a_server_that_requires_a_login_from_a_wrong_echo() {
        let answer = b"-ERR Log in first: AUTH MECHANISM\r\n";
        // Messages that begin like the answer.
        for (returned, expected) in [(0_usize, &b"hello\n"[..]), (1, b"1\n"), (4, b"\n")] {
            let error = Error::mismatch(returned as u64, expected, &answer[returned..]);
            assert_eq!(
                error.to_string(),
                "The server requires a login: it answered '-ERR Log in first: AUTH MECHANISM'"
            );
            assert_eq!(error.sign(), Some(Sign::Login));
        }
        assert!(matches!(Error::mismatch(1, b"ello\n", answer), Error::WrongEcho(_)));
        assert!(matches!(Error::mismatch(0, b"hello\n", b"-ERR no"), Error::WrongEcho(_)));
    }

    #[test]
    fn tells_a_tls_alert_from_a_wrong_echo() {
        let alert = [21, 3, 3, 0, 2, 2, 50];
        let error = Error::mismatch(0, b"hello\n", &alert);
        assert_eq!(error.to_string(), "The server answered with a TLS alert");
        assert_eq!(error.sign(), Some(Sign::TlsAlert));
        // A stream of TLS does not begin with an echo.
        let error = Error::mismatch(1, b"ello\n", &alert);
        assert!(matches!(error, Error::WrongEcho(_)) && error.sign().is_none());
    }

    #[test]
    fn escapes_and_cuts_a_hostile_echo() {
        let wrong = WrongEcho::new(0, b"hi\n", &[0x1b; 1000]).to_string();
        assert!(wrong.starts_with(r"Wrong echo at byte 1: expected 'hi\n', received '\x1b\x1b"));
        assert!(wrong.len() < 250, "{wrong}");
    }
}

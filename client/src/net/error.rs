//! What can go wrong, whose fault it is, and the one sentence that the user reads about it.
//!
//! Must not know where the sentence is printed: `main` does that, once.

use std::{io, time::Duration};

use common::{escape::Quoted, protocol::FULL, reason::reason};

use crate::load::error::Failure;

/// Why the client could not do what it was asked to.
///
/// The text is for the user: it names the cause without a stack of causes behind it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody to talk to. The one error of two lines: it is what a newcomer meets first, and the
    /// second line is what to do about it, where that is known.
    #[error("Could not connect to server at {target}{}", explain(.reason))]
    Connect {
        /// The server as it was asked for: `HOST:PORT`, or a URL.
        target: String,
        /// What was in the way.
        reason: Unreachable,
    },

    /// The server ended the connection, and owed nothing.
    #[error("The server has closed the connection")]
    Closed,

    /// The server ended the connection while it owed us bytes.
    #[error("The server closed the connection with {} of the echo still to come", bytes(*owed))]
    ClosedEarly {
        /// How many bytes had been given to the client and had not come back.
        owed: usize,
    },

    /// The server ended the connection where it owed the answer to an exit.
    #[error("The server closed the connection without a goodbye")]
    NoGoodbye,

    /// The connection broke: a reset, or the network.
    #[error("The connection to the server was lost: {}", reason(.0))]
    Lost(io::Error),

    /// A datagram did not get there, as far as the network tells.
    #[error("{}", undelivered(.0))]
    Undelivered(io::Error),

    /// Something was owed, and nothing came for this long.
    #[error("No reply from the server within {0:?}")]
    NoReply(Duration),

    /// Something else came back than what was sent.
    #[error(transparent)]
    WrongEcho(#[from] WrongEcho),

    /// The server serves as many as it may, and has said so instead of an echo.
    #[error("The server has no room for another connection: {}", Quoted(.0.trim_ascii_end()))]
    Full(Vec<u8>),

    /// A line in the input read as an exit, and there was more behind it.
    #[error("A line that reads 'exit' ended the session: what follows it was not sent")]
    ExitInInput,

    /// The server said something although nothing was owed.
    #[error("The server sent something unasked: {}", Quoted(.0))]
    Unasked(Vec<u8>),

    /// An exit was answered by neither a goodbye nor its echo.
    #[error("The server answered 'exit' with {}", Quoted(.0))]
    WrongGoodbye(Vec<u8>),

    /// The user pressed Ctrl+C while the client was waiting.
    #[error("Interrupted")]
    Interrupted,

    /// Standard input, or the keyboard.
    #[error("Could not read the input: {}", reason(.0))]
    Input(io::Error),

    /// Standard output.
    #[error("Could not write the output: {}", reason(.0))]
    Output(io::Error),

    /// Whoever read our output has left (`| head -1`): not a failure, but the end.
    #[error("Nobody reads the output any more")]
    OutputClosed,

    /// A load did not take place, or its figures could not be kept.
    #[error(transparent)]
    Load(#[from] Failure),

    /// The system refused something that the client cannot work without.
    #[error("Could not {what}: {}", reason(.error))]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Why a connection did not come about.
#[derive(Debug)]
pub enum Unreachable {
    /// Nothing listens there.
    Refused,
    /// There is a file, and nothing listens on it.
    NoListener,
    /// There is no such file.
    NoFile,
    /// The file, or a directory on the way, is not for this user.
    Denied,
    /// The path does not fit into an address.
    LongPath,
    /// The name has no address.
    UnknownHost,
    /// Neither yes nor no within the time limit.
    NoAnswer(Duration),
    /// Anything else, as the system says it.
    Io(io::Error),
    /// Each of several addresses, and what was the matter with it.
    Each(Vec<(String, Unreachable)>),
}

impl Unreachable {
    /// Of addresses that have all failed: what they have in common, where it is one reason.
    #[must_use]
    pub fn all(mut reasons: Vec<(String, Self)>) -> Self {
        if reasons.iter().all(|(_, reason)| matches!(reason, Self::Refused)) {
            return Self::Refused;
        }
        match reasons.pop() {
            Some((_, only)) if reasons.is_empty() => only,
            last => Self::Each(reasons.into_iter().chain(last).collect()),
        }
    }

    /// In a few words.
    fn words(&self) -> String {
        match self {
            Self::Refused => "connection refused".to_owned(),
            Self::NoListener => "nobody listens on it".to_owned(),
            Self::NoFile => "there is no such file".to_owned(),
            Self::Denied => "permission denied".to_owned(),
            Self::LongPath => "the path is too long: a socket's has at most 107 bytes".to_owned(),
            Self::UnknownHost => "unknown host".to_owned(),
            Self::NoAnswer(limit) => format!("no answer within {limit:?}"),
            Self::Io(error) => reason(error),
            Self::Each(reasons) => {
                let each = reasons.iter().map(|(at, reason)| format!("{at}: {}", reason.words()));
                each.collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// What to do about it, where that is known.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Refused | Self::NoListener => Some("Make sure the server is running."),
            Self::NoFile => Some("Make sure the server is running, and that this is its path."),
            Self::Denied => Some(
                "Connecting needs write permission on the socket: the server gives it, as with ?mode=666 in its URL.",
            ),
            _ => None,
        }
    }
}

/// Where the echo first differs from what was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Wrong echo at byte {at}: expected {}, received {}", Quoted(.expected), Quoted(.received))]
pub struct WrongEcho {
    /// Which byte of the stream (of the message, where messages go one by one); the first is 1.
    pub at: u64,
    /// What should have come, from that byte on; at most [`WrongEcho::CONTEXT`] bytes.
    pub expected: Vec<u8>,
    /// What came instead, from that byte on; at most [`WrongEcho::CONTEXT`] bytes.
    pub received: Vec<u8>,
}

impl WrongEcho {
    /// How many bytes are shown of either side: enough to recognise them, and one line of a terminal.
    pub const CONTEXT: usize = 32;

    /// For bytes that differ from the first on, where `returned` bytes had come back rightly before.
    ///
    /// ```
    /// use client::net::error::WrongEcho;
    /// let wrong = WrongEcho::new(2, b"llo\n", b"xlo\n");
    /// assert_eq!(wrong.to_string(), r"Wrong echo at byte 3: expected 'llo\n', received 'xlo\n'");
    /// ```
    #[must_use]
    pub fn new(returned: u64, expected: &[u8], received: &[u8]) -> Self {
        let head = |bytes: &[u8]| bytes[..bytes.len().min(Self::CONTEXT)].to_vec();
        Self { at: returned + 1, expected: head(expected), received: head(received) }
    }
}

impl Error {
    /// For bytes that came where `expected` was owed, or nothing; `returned` bytes had come back before.
    #[must_use]
    pub fn wrong(returned: u64, expected: &[u8], received: &[u8]) -> Self {
        if returned == 0 && received.starts_with(FULL.as_bytes()) {
            Self::Full(received.to_vec())
        } else if expected.is_empty() {
            Self::Unasked(received.to_vec())
        } else {
            WrongEcho::new(returned, expected, received).into()
        }
    }

    /// For a failed write to standard output.
    #[must_use]
    pub fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Output(error),
        }
    }
}

fn explain(unreachable: &Unreachable) -> String {
    let words = match unreachable {
        // It says no more than that there is no connection.
        Unreachable::Refused => String::new(),
        other => format!(" ({})", other.words()),
    };
    unreachable.advice().map_or(words.clone(), |advice| format!("{words}\n{advice}"))
}

fn undelivered(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Nobody listens: port unreachable".to_owned(),
        _ => format!("The datagram was not delivered: {}", reason(error)),
    }
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

#[cfg(test)]
mod tests;

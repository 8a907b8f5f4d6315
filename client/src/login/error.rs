//! Errors of a login, with the text that the user reads.

use std::{io, path::PathBuf, time::Duration};

use common::{escape::Quoted, reason::reason};

use super::{mechanism::Mechanism, options::PASSWORD_VARIABLE};

/// Reason for which no login can begin, before any connection.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    not(feature = "login"),
    expect(dead_code, reason = "a build without login has no other failure")
)]
pub(crate) enum Unusable {
    /// A file cannot be read.
    #[error("Could not use {}: {reason}", file.display())]
    File {
        /// Path of the file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The password cannot be one.
    #[error("Could not use the password {0}: {1}")]
    Password(Source, String),
    /// There is no terminal to ask on.
    #[error(
        "Could not ask for the password on the terminal: {}; use --password-file FILE, or the environment variable {PASSWORD_VARIABLE}",
        reason(.0)
    )]
    Terminal(io::Error),
    /// The program was built without login.
    #[cfg_attr(
        feature = "login",
        expect(dead_code, reason = "only a build without login fails so")
    )]
    #[error("This program was built without login; build it with the feature 'login'")]
    NoLogin,
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "login"), expect(dead_code, reason = "no password is read"))]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// The environment.
    Variable,
    /// The terminal.
    Terminal,
    /// Another process.
    Given,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "in {}", file.display()),
            Self::Variable => write!(f, "in the environment variable {PASSWORD_VARIABLE}"),
            Self::Terminal => f.write_str("from the terminal"),
            Self::Given => f.write_str("that was given"),
        }
    }
}

/// Failure of the login of one connection.
///
/// Its text continues a sentence, so it begins in lower case. [`Error::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "login"), expect(dead_code, reason = "nobody logs in"))]
pub(crate) enum Error {
    /// The server refuses the user, or the password.
    #[error("the server refused it: {}", Quoted(.0))]
    Refused(Vec<u8>),
    /// The server cannot prove that it knows the password.
    #[error("the server does not know the password: its signature is wrong")]
    WrongServer,
    /// The server accepts the login before it has proved that it knows the password.
    #[error("the server accepted it without proof that it knows the password")]
    NoProof,
    /// The server breaks the exchange of SCRAM, or asks for what is not safe.
    #[cfg(feature = "login")]
    #[error("{}", of_scram(.0))]
    Scram(common::login::ScramError),
    /// None of the mechanisms of the server can be used.
    #[error("the server offers no mechanism that can be used on this connection: {}", list(.0))]
    NoMechanism(Vec<Mechanism>),
    /// The server does not offer the forced mechanism.
    #[error("the server does not offer {forced}: {}", list(offered))]
    NotOffered {
        /// Mechanism of `--mechanism`.
        forced: Mechanism,
        /// Mechanisms of the server that the client knows.
        offered: Vec<Mechanism>,
    },
    /// The connection does not allow the forced mechanism.
    #[error("{0} cannot be used on this connection")]
    Unfit(Mechanism),
    /// The server wants the password itself, and may be another server.
    #[error("the server offers only PLAIN, and --insecure does not verify who gets the password")]
    Unverified,
    /// The server returned the command, as an echo server without a login does.
    #[error("the server has no login: it echoed the command")]
    Echo,
    /// The server is at its limit of connections.
    #[error("the server refused the connection: {}", Quoted(.0))]
    Full(Vec<u8>),
    /// The answer is not one to a login.
    #[error("the server broke the protocol of the login: it sent {}", Quoted(.0))]
    Unexpected(Vec<u8>),
    /// An answer is too long.
    #[error("the server broke the protocol of the login: its answer is longer than {0} bytes")]
    TooLong(usize),
    /// The server ended the connection.
    #[error("the server ended the connection during the login")]
    Ended,
    /// The login was not complete within the time limit.
    #[error("no login within {0:?}")]
    Late(Duration),
    /// The connection failed.
    #[error("{}", reason(.0))]
    Io(io::Error),
}

impl Error {
    /// Returns what the user can do about it.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused(_) => {
                "Check the name and the password; the log of the server has the reason. After several failures a server refuses \
                 for a while."
            }
            Self::WrongServer | Self::NoProof => {
                "Another server may have answered: check the address, and use tls:// with its certificate."
            }
            Self::NoMechanism(_) => {
                "PLAIN and SCRAM-SHA-256-PLUS need TLS: tls://HOST:PORT; EXTERNAL needs --tls-cert FILE."
            }
            Self::NotOffered { .. } => "Leave out --mechanism, or use one that the server offers.",
            Self::Unfit(_) => {
                "SCRAM-SHA-256-PLUS needs TLS 1.3, PLAIN needs TLS, and EXTERNAL needs --tls-cert FILE."
            }
            Self::Unverified => {
                "Trust its certificate with --tls-ca FILE or --tls-pin SHA256, or insist with --mechanism plain."
            }
            Self::Echo => "Leave out --user for this server.",
            Self::Full(_) => "Try again later.",
            Self::Unexpected(_) | Self::TooLong(_) => {
                "Make sure that the address is that of an echo server with a login."
            }
            Self::Ended => "If the server speaks TLS, use tls://HOST:PORT. Its log has the reason.",
            _ => return None,
        })
    }

    /// Returns its text and, in a second line, the advice.
    pub(crate) fn with_advice(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}\n{advice}"),
            None => self.to_string(),
        }
    }

    /// Returns whether a later attempt would fail too.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Self::Full(_) | Self::Ended | Self::Late(_) | Self::Io(_))
    }

    /// Returns the error of a login in an error of the connection, if it is one.
    pub(crate) fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

#[cfg(feature = "login")]
impl From<common::login::ScramError> for Error {
    fn from(error: common::login::ScramError) -> Self {
        match error {
            common::login::ScramError::ServerSignature => Self::WrongServer,
            common::login::ScramError::Refused(text) => Self::Refused(text.into()),
            error => Self::Scram(error),
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

#[cfg(feature = "login")]
fn of_scram(error: &common::login::ScramError) -> String {
    match error {
        common::login::ScramError::Iterations(_) => error.to_string(),
        error => format!("the server broke the protocol of the login: {error}"),
    }
}

/// Returns the names of mechanisms. They are those that this client knows, so the server has no influence on the text.
fn list(mechanisms: &[Mechanism]) -> String {
    let names: Vec<_> = mechanisms.iter().map(ToString::to_string).collect();
    match &names[..] {
        [] => "it offers none that this client knows".to_owned(),
        names => format!("it offers {}", names.join(", ")),
    }
}

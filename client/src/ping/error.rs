//! Errors of a round trip, with the text that the user reads.

use std::io;

use common::reason::reason;

use crate::{
    echo,
    net::{self, sign::Sign},
    stdio,
};

/// Failure of a round trip, or of the output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection failed, or a wait ended.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The echo was wrong or missing.
    #[error(transparent)]
    Echo(#[from] echo::Error),
    /// The output failed.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),
    /// The network reported that a datagram was not delivered.
    #[error("{}", undelivered(.0))]
    Undelivered(io::Error),
}

impl Error {
    /// Returns the sign that the server expects another protocol, if there is one.
    pub(super) fn sign(&self) -> Option<Sign> {
        match self {
            Self::Net(error) => error.sign(),
            Self::Echo(error) => error.sign(),
            Self::Stdio(_) | Self::Undelivered(_) => None,
        }
    }

    /// Returns the advice for a failure of TLS or of a login.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::Net(error) | Self::Echo(echo::Error::Net(error)) => error.advice(),
            _ => None,
        }
    }

    /// Returns `true` if Ctrl+C ended the round trip.
    pub(super) fn is_interrupted(&self) -> bool {
        match self {
            Self::Net(error) => matches!(error, net::Error::Interrupted),
            Self::Echo(error) => error.is_interrupted(),
            Self::Stdio(_) | Self::Undelivered(_) => false,
        }
    }
}

fn undelivered(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Port unreachable: no process listens on it".to_owned(),
        _ => format!("The datagram was not delivered: {}", reason(error)),
    }
}

//! Reasons why a server cannot be reached, and what to do about each.

use std::{io, time::Duration};

use common::reason::reason;

use crate::{tls, websocket};

/// Reason why no connection was made.
#[derive(Debug)]
pub(crate) enum Unreachable {
    /// No process listens on the port.
    Refused,
    /// The socket file exists, and no process listens on it.
    NoListener,
    /// The socket file does not exist.
    NoFile,
    /// The user may not use the socket file, or may not enter a directory on its path.
    Denied,
    /// The path does not fit into a socket address.
    LongPath,
    /// The name has no address.
    UnknownHost,
    /// No network interface has the name in a link-local address.
    UnknownInterface(String),
    /// Nothing came back within the time limit.
    NoAnswer(Duration),
    /// The TLS handshake failed.
    Tls(tls::Error),
    /// The handshake of the WebSocket failed.
    WebSocket(websocket::Error),
    /// A worker process of a load reports this reason; the lines after the first are advice.
    Reported(String),
    /// Any other error of the system.
    Io(io::Error),
    /// Several addresses failed, each for its own reason.
    Each(Vec<(String, Unreachable)>),
}

impl Unreachable {
    /// Combines the reasons of several addresses: one reason if they share it.
    pub(crate) fn combine(mut reasons: Vec<(String, Self)>) -> Self {
        if reasons.iter().all(|(_, reason)| matches!(reason, Self::Refused)) {
            return Self::Refused;
        }
        match reasons.pop() {
            Some((_, only)) if reasons.is_empty() => only,
            last => Self::Each(reasons.into_iter().chain(last).collect()),
        }
    }

    /// Returns the text after "Could not connect to server at ...": the reason, then a line of advice.
    pub(super) fn explanation(&self) -> String {
        let reason = match self {
            // "Could not connect" says all that is known.
            Self::Refused => String::new(),
            other => format!(" ({})", other.description()),
        };
        match self.advice() {
            Some(advice) => format!("{reason}\n{advice}"),
            None => reason,
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Refused => "connection refused".to_owned(),
            Self::NoListener => "no process listens on it".to_owned(),
            Self::NoFile => "there is no such file".to_owned(),
            Self::Denied => "permission denied".to_owned(),
            Self::LongPath => {
                "the path is too long: the path of a socket has at most 107 bytes".to_owned()
            }
            Self::UnknownHost => "unknown host".to_owned(),
            Self::UnknownInterface(name) => format!("there is no network interface '{name}'"),
            Self::NoAnswer(limit) => format!("no answer within {limit:?}"),
            Self::Tls(error) => error.to_string(),
            Self::WebSocket(error) => error.to_string(),
            Self::Reported(text) => text.lines().next().unwrap_or_default().to_owned(),
            Self::Io(error) => reason(error),
            Self::Each(reasons) => {
                let each = reasons
                    .iter()
                    .map(|(address, reason)| format!("{address}: {}", reason.description()));
                each.collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Tls(error) => return error.advice(),
            Self::WebSocket(error) => return error.advice(),
            Self::Reported(text) => return Some(text.split_once('\n')?.1.to_owned()),
            Self::Refused | Self::NoListener => "Make sure the server is running.",
            Self::NoFile => "Make sure the server is running, and that this is its path.",
            Self::Denied => {
                "Connecting needs write permission on the socket; the server can grant it with ?mode=666 in its URL."
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

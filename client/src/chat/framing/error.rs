//! Bytes that no room sends.

use common::{escape::Quoted, protocol::FULL};

use super::kind::Framing;
use crate::net::sign::{Sign, is_alert, is_http, is_login_required};

/// Number of bytes of a wrong answer that are shown.
const SHOWN: usize = 64;

/// What a server sent that is no event of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAnEvent {
    framing: Framing,
    received: Vec<u8>,
    /// Nothing else was received before.
    is_first: bool,
    is_too_long: bool,
}

impl NotAnEvent {
    pub(super) fn new(framing: Framing, received: &[u8], is_first: bool) -> Self {
        let received = received[..received.len().min(SHOWN)].to_vec();
        Self { framing, received, is_first, is_too_long: false }
    }

    pub(super) fn too_long(self) -> Self {
        Self { is_too_long: true, ..self }
    }

    /// Returns the sign that the server expects another protocol, if there is one.
    pub(crate) fn sign(&self) -> Option<Sign> {
        if !self.is_first {
            None
        } else if is_alert(&self.received) {
            Some(Sign::TlsAlert)
        } else if is_http(0, &self.received) {
            Some(Sign::Http)
        } else if is_login_required(0, &self.received) {
            Some(Sign::Login)
        } else {
            None
        }
    }

    fn is_full(&self) -> bool {
        self.is_first && self.received.starts_with(FULL.as_bytes())
    }

    /// Returns what to do, as a sentence.
    fn advice(&self) -> Option<&'static str> {
        if !self.is_first || self.sign().is_some() || self.is_full() {
            return None;
        }
        Some(match self.framing {
            // The length of a frame: a line does not begin with a zero byte.
            Framing::Text if self.received.first() == Some(&0) => {
                "The server seems to send frames: use --protocol length."
            }
            Framing::Length if self.received.starts_with(b"* ") => {
                "The server seems to send lines: omit --protocol."
            }
            _ => "Chat needs a listener with protocol=room in its URL.",
        })
    }
}

impl std::fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let received = Quoted(self.received.trim_ascii_end());
        match self.sign() {
            Some(Sign::Login) => write!(f, "The server requires a login: it answered {received}")?,
            Some(Sign::TlsAlert) => f.write_str("The server answered with a TLS alert")?,
            Some(Sign::Http) => f.write_str("The server answered with HTTP instead of a room")?,
            _ if self.is_full() => write!(f, "The server refused the connection: {received}")?,
            _ if self.is_too_long => {
                write!(f, "The server sent an event that is too long; it begins with {received}")?;
            }
            _ if self.is_first => write!(f, "The server has no room here: it sent {received}")?,
            _ => write!(f, "The server sent something that is no event of a room: {received}")?,
        }
        self.advice().map_or(Ok(()), |advice| write!(f, "\n{advice}"))
    }
}

impl std::error::Error for NotAnEvent {}

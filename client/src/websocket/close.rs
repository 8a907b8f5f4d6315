//! Close frames and their codes (RFC 6455, section 7.4), and the violations that they answer.

use std::fmt;

use common::{
    escape::Quoted,
    websocket::{CloseError, parse_close},
};

/// The purpose of the connection is fulfilled.
pub(crate) const NORMAL: u16 = 1000;

/// The peer broke the protocol.
const PROTOCOL_ERROR: u16 = 1002;

/// The peer sent a text that is not UTF-8.
const INVALID_DATA: u16 = 1007;

/// Close frames of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CloseFrames {
    /// The client has sent one, and not as an answer.
    pub(crate) is_ours: bool,
    /// The server has sent one.
    pub(crate) is_received: bool,
}

/// What a server did that the protocol does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Violation {
    reason: &'static str,
    /// Code of the close frame that answers it.
    pub(crate) code: u16,
}

impl Violation {
    /// Returns the violation by a text that is not UTF-8.
    pub(super) const fn not_utf8(reason: &'static str) -> Self {
        Self { reason, code: INVALID_DATA }
    }
}

impl From<&'static str> for Violation {
    /// A violation of the rules for frames.
    fn from(reason: &'static str) -> Self {
        Self { reason, code: PROTOCOL_ERROR }
    }
}

impl From<CloseError> for Violation {
    fn from(error: CloseError) -> Self {
        let reason = error.text();
        match error {
            CloseError::Reason => Self::not_utf8(reason),
            CloseError::OneByte | CloseError::Code => reason.into(),
        }
    }
}

/// Close frame of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Close {
    /// Code, if there is one.
    pub(crate) code: Option<u16>,
    /// Reason in words, which may be empty and is not checked to be UTF-8.
    reason: Vec<u8>,
}

impl Close {
    /// Parses the payload of a close frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Violation> {
        let (code, reason) = parse_close(payload)?.unzip();
        Ok(Self { code, reason: reason.unwrap_or_default().into() })
    }

    /// Returns `true` for an end that has no failure as its cause: code 1000, or none.
    pub(crate) fn is_normal(&self) -> bool {
        matches!(self.code, None | Some(NORMAL))
    }

    /// Returns `true` also for an end that a shutdown or a restart of the server causes: codes 1001 and 1012.
    pub(crate) fn is_orderly(&self) -> bool {
        self.is_normal() || matches!(self.code, Some(1001 | 1012))
    }
}

impl fmt::Display for Close {
    /// Writes the code, its meaning, and the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => f.write_str("no code")?,
            Some(code) => write!(f, "code {code} ({})", meaning(code))?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", Quoted(&self.reason)) }
    }
}

fn meaning(code: u16) -> &'static str {
    match code {
        NORMAL => "normal closure",
        1001 => "going away: the server shuts down, or moves",
        PROTOCOL_ERROR => "protocol error",
        1003 => "unsupported data: the server does not accept messages of this type",
        INVALID_DATA => "invalid data, such as a text that is not UTF-8",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "missing extension",
        1011 => "internal error of the server",
        1012 => "the server restarts",
        1013 => "try again later",
        1014 => "bad gateway",
        3000..=3999 => "a code of a library or framework",
        _ => "a code of this application",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_shows_its_code_in_words_and_its_reason_without_control_characters() {
        let close = |payload: &[u8]| Close::parse(payload).unwrap().to_string();
        assert_eq!(close(b""), "no code");
        assert_eq!(close(b"\x03\xf1"), "code 1009 (message too big)");
        assert_eq!(close(b"\x03\xf0no\x1b"), r"code 1008 (policy violation): 'no\x1b'");
    }
}

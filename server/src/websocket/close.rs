//! Close frames and their codes (RFC 6455, section 7.4).

use common::websocket::{CloseError, parse_close};

use super::frame::{Opcode, short_frame};
use crate::session::Reason;

/// The code of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Normal,
    /// The server shuts down.
    GoingAway,
    ProtocolError,
    /// A text that is not UTF-8.
    InvalidPayload,
    MessageTooBig,
    /// The user may no longer be served.
    #[cfg(feature = "login")]
    Policy,
}

impl Code {
    fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidPayload => 1007,
            Self::MessageTooBig => 1009,
            #[cfg(feature = "login")]
            Self::Policy => 1008,
        }
    }
}

/// Reason for which the server closes. [`Reason`] takes more memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Closing {
    Exit,
    Drain,
    Fault,
}

impl From<Closing> for Reason {
    fn from(closing: Closing) -> Self {
        match closing {
            Closing::Exit => Self::Exit,
            Closing::Drain => Self::Drain,
            Closing::Fault => Self::Fault,
        }
    }
}

/// Returns a close frame.
pub(super) fn close_frame(code: Code, reason: &str) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(123)];
    short_frame(Opcode::Close, &[&code.number().to_be_bytes(), reason].concat())
}

/// Returns a close frame with any code, valid or not.
pub(super) fn faulty_close_frame(code: u16) -> Vec<u8> {
    short_frame(Opcode::Close, &code.to_be_bytes())
}

/// Checks the payload of a peer's close frame.
///
/// # Errors
///
/// The code of the answer, and why the payload is invalid.
pub(super) fn check_close(payload: &[u8]) -> Result<(), (Code, &'static str)> {
    match parse_close(payload) {
        Ok(_) => Ok(()),
        Err(error @ CloseError::Reason) => Err((Code::InvalidPayload, error.text())),
        Err(error) => Err((Code::ProtocolError, error.text())),
    }
}

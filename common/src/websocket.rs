//! What both sides of a WebSocket check (RFC 6455).

use thiserror::Error;

/// Why the payload of a close frame is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.text())]
pub enum CloseError {
    /// Its only byte is half of a code.
    OneByte,
    /// No rule allows its code in a frame.
    Code,
    /// Its reason is not UTF-8.
    Reason,
}

impl CloseError {
    /// Returns the frame in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OneByte => "a close frame with one byte",
            Self::Code => "a close frame with an invalid code",
            Self::Reason => "a close frame whose reason is not UTF-8",
        }
    }
}

/// Returns the value of `Sec-WebSocket-Accept` that answers this `Sec-WebSocket-Key` (section 4.2.2).
///
/// ```
/// // The example of section 1.3.
/// let accept = common::websocket::accept("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[cfg(feature = "websocket")]
pub fn accept(key: impl AsRef<[u8]>) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use sha1::{Digest as _, Sha1};
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Returns whether the text is a token of HTTP (RFC 9110, section 5.6.2), such as the name of a subprotocol.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Appends a text message of a server: one frame without a mask (section 5.2).
///
/// ```
/// let mut frames = Vec::new();
/// common::websocket::text_frame(b"hi", &mut frames);
/// assert_eq!(frames, b"\x81\x02hi");
/// ```
pub fn text_frame(payload: &[u8], frames: &mut Vec<u8>) {
    const FINAL_TEXT: u8 = 0x81;
    let len = payload.len();
    frames.push(FINAL_TEXT);
    if let Ok(short @ ..126) = u8::try_from(len) {
        frames.push(short);
    } else if let Ok(medium) = u16::try_from(len) {
        frames.push(126);
        frames.extend_from_slice(&medium.to_be_bytes());
    } else {
        frames.push(127);
        frames.extend_from_slice(&(len as u64).to_be_bytes());
    }
    frames.extend_from_slice(payload);
}

/// Parses the payload of a close frame: its code and its reason, or `None` if it is empty (section 5.5.1).
///
/// # Errors
///
/// If no peer may send it.
pub fn parse_close(payload: &[u8]) -> Result<Option<(u16, &str)>, CloseError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseError::OneByte) };
    };
    let code = u16::from_be_bytes(*code);
    // 1004 to 1006 and 1015 never appear in a frame, and 1016 to 2999 are unassigned (section 7.4).
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(CloseError::Code);
    }
    let reason = str::from_utf8(reason).map_err(|_| CloseError::Reason)?;
    Ok(Some((code, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_has_a_code_of_the_standard_and_a_reason_in_utf_8() {
        assert_eq!(parse_close(b""), Ok(None));
        assert_eq!(parse_close(b"\x03\xe8"), Ok(Some((1000, ""))));
        assert_eq!(parse_close(b"\x13\x87bye"), Ok(Some((4999, "bye"))));
        assert_eq!(parse_close(b"\x03"), Err(CloseError::OneByte));
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(parse_close(&code.to_be_bytes()), Err(CloseError::Code), "{code}");
        }
        assert_eq!(parse_close(b"\x03\xe8\xff"), Err(CloseError::Reason));
    }

    #[test]
    fn a_token_has_no_separators() {
        for token in ["chat", "v1.json", "a!b"] {
            assert!(is_token(token), "{token}");
        }
        for other in ["", "a b", "a,b", "a/b", "\u{e9}"] {
            assert!(!is_token(other), "{other}");
        }
    }
}

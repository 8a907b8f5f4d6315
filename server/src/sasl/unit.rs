//! The units of a login: a line of the `text` protocol, or a frame of `length`.

use common::{
    exit::Newline,
    frame::{PREFIX_LEN, encode, payload_len},
    protocol::Protocol,
};

use crate::config::limits;

/// What a client sends at a time, and what the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Units {
    Lines,
    Frames,
}

/// A complete unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    /// What it says, without what surrounds it.
    pub(super) text: &'a [u8],
    /// Number of bytes that it takes.
    pub(super) len: usize,
    /// How it ends.
    pub(super) newline: Newline,
}

/// The unit is longer than a login may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Units {
    pub(super) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Length => Self::Frames,
            Protocol::Text | Protocol::Raw => Self::Lines,
        }
    }

    /// Returns the unit at the beginning of `input`. `None`: it is not complete.
    pub(super) fn first(self, input: &[u8]) -> Result<Option<Unit<'_>>, TooLong> {
        let unit = match self {
            Self::Lines => memchr::memchr(b'\n', input).map(|end| {
                let line = &input[..end];
                let (text, newline) = match line.strip_suffix(b"\r") {
                    Some(text) => (text, Newline::CrLf),
                    None => (line, Newline::Lf),
                };
                Unit { text, len: end + 1, newline }
            }),
            Self::Frames => {
                let Some(payload) = payload_len(input) else { return Ok(None) };
                let payload = usize::try_from(payload).unwrap_or(usize::MAX);
                if payload > limits::LOGIN_UNIT {
                    return Err(TooLong);
                }
                let len = PREFIX_LEN + payload;
                let text = input.get(PREFIX_LEN..len);
                text.map(|text| Unit { text, len, newline: Newline::None })
            }
        };
        match unit {
            Some(unit) if unit.text.len() <= limits::LOGIN_UNIT => Ok(Some(unit)),
            None if input.len() <= limits::LOGIN_UNIT => Ok(None),
            _ => Err(TooLong),
        }
    }

    /// Returns answers, each a line or a frame.
    pub(super) fn write<'a>(self, answers: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for answer in answers {
            match self {
                Self::Lines => bytes.extend([answer.as_bytes(), b"\r\n"].concat()),
                Self::Frames => {
                    bytes.extend(encode(answer.as_bytes()).expect("an answer is far below 4 GiB"));
                }
            }
        }
        bytes
    }
}

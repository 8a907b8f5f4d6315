//! The outcome of a read: the bytes to echo, the bytes consumed, and the end of the session.

use std::borrow::Cow;

/// Decision of a session about the bytes that it received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Number of bytes, from the first, to echo.
    pub(crate) echo: usize,
    /// Number of bytes, from the first, that are consumed. The session receives the others again, before
    /// the next bytes. At least `echo`; the difference is an exit, which is not echoed.
    pub(crate) consumed: usize,
    /// The end of the session, after which it receives nothing more.
    pub(crate) end: Option<End>,
}

/// The end of a session by its protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// The last bytes to send, after the echo.
    pub(crate) reply: Cow<'static, [u8]>,
}

/// Reason for the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The peer sent `exit`.
    Exit,
    /// The peer announced a frame with a payload of this many bytes, which is over the limit.
    FrameTooLong(u32),
}

impl Outcome {
    /// Echoes and consumes this many bytes.
    pub(super) fn echo(bytes: usize) -> Self {
        Self { echo: bytes, consumed: bytes, end: None }
    }
}

//! The server's goodbye, recognised in whatever pieces it comes.
//!
//! Must not know what it answers.

use common::{
    exit::{Newline, goodbye},
    protocol::GOODBYE,
};

/// A goodbye in the making: `Goodbye!`, then a newline, a CRLF, or nothing.
///
/// ```
/// use client::echo::goodbye::Goodbye;
/// let mut goodbye = Goodbye::default();
/// assert!(goodbye.takes(b"Good") && !goodbye.is_said());
/// assert!(goodbye.takes(b"bye!") && goodbye.is_said());
/// assert!(goodbye.takes(b"\r\n"));
/// assert!(!goodbye.takes(b"\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Goodbye {
    so_far: Vec<u8>,
}

impl Goodbye {
    /// Takes more bytes; `false` if with them it is no goodbye.
    #[must_use]
    pub fn takes(&mut self, bytes: &[u8]) -> bool {
        const WITH_CRLF: &[u8] = goodbye(Newline::CrLf);
        const WITH_LF: &[u8] = goodbye(Newline::Lf);
        if bytes.len() > WITH_CRLF.len() {
            return false;
        }
        self.so_far.extend_from_slice(bytes);
        WITH_CRLF.starts_with(&self.so_far) || WITH_LF.starts_with(&self.so_far)
    }

    /// Whether any of it has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.so_far.is_empty()
    }

    /// Whether the word has come; its newline may not have.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.so_far.len() >= GOODBYE.len()
    }
}

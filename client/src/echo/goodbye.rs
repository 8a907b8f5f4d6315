//! Recognition of the server's goodbye, in any number of pieces.

use common::{
    exit::{Newline, goodbye},
    protocol::GOODBYE,
};

/// Matcher for `Goodbye!` and a newline, a CRLF, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Goodbye {
    received: Vec<u8>,
}

impl Goodbye {
    /// Adds bytes; returns `false` if the result is not a goodbye, nor the start of one.
    #[must_use]
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        const WITH_CRLF: &[u8] = goodbye(Newline::CrLf);
        const WITH_LF: &[u8] = goodbye(Newline::Lf);
        if bytes.len() > WITH_CRLF.len() {
            return false;
        }
        self.received.extend_from_slice(bytes);
        WITH_CRLF.starts_with(&self.received) || WITH_LF.starts_with(&self.received)
    }

    /// Returns `true` if any byte of it has arrived.
    pub(super) fn has_started(&self) -> bool {
        !self.received.is_empty()
    }

    /// Returns `true` if `Goodbye!` has arrived; its newline may be missing.
    pub(super) fn is_complete(&self) -> bool {
        self.received.len() >= GOODBYE.len()
    }
}

/// Returns what precedes a receipt in an answer to an exit. No such answer has a bracket.
pub(super) fn before_receipt(answer: &[u8]) -> &[u8] {
    let end = answer.iter().position(|&byte| byte == b'{').unwrap_or(answer.len());
    &answer[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_may_arrive_in_pieces() {
        let mut goodbye = Goodbye::default();
        assert!(goodbye.push(b"Good") && !goodbye.is_complete());
        assert!(goodbye.push(b"bye!") && goodbye.is_complete());
        assert!(goodbye.push(b"\r\n"));
        assert!(!goodbye.push(b"\n"));
    }
}

//! Lines of a stream that arrives in pieces.

use super::kind::MAX_EVENT;

/// The part of a line that has arrived.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

/// A line that is longer than any event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    /// Takes bytes; calls `take` for each complete line, without its newline. The first error ends it.
    pub(super) fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), TooLong>, E> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else {
                self.partial.extend_from_slice(piece);
                break;
            };
            if self.partial.is_empty() {
                take(end)?;
            } else {
                self.partial.extend_from_slice(end);
                take(&std::mem::take(&mut self.partial))?;
            }
        }
        Ok(if self.partial.len() > MAX_EVENT { Err(TooLong) } else { Ok(()) })
    }

    /// Returns the part of a line that has arrived.
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }
}

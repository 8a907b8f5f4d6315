//! Bytes that have arrived, and the end after them.

use crate::websocket::error::Error;

/// Result of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes.
    Bytes(usize),
    /// The server sends nothing more.
    End,
    /// No bytes have arrived.
    Nothing,
}

/// Bytes to be received by the user.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Number of them that were received.
    taken: usize,
    end: Option<Result<(), Error>>,
}

impl Inbox {
    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a part of a message that is a line.
    pub(super) fn push_line(&mut self, part: &[u8], is_end: bool) {
        self.bytes.extend(part.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
        if is_end {
            self.bytes.push(b'\n');
        }
    }

    /// Adds the end, unless there is one.
    pub(super) fn push_end(&mut self, end: Result<(), Error>) {
        self.end.get_or_insert(end);
    }

    /// Returns `true` if nothing more arrives.
    pub(super) fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// Returns `true` if there is something to receive: bytes, the end, or a failure.
    pub(super) fn is_readable(&self) -> bool {
        self.taken < self.bytes.len() || self.has_end()
    }

    /// Receives bytes.
    ///
    /// # Errors
    ///
    /// The end is a failure.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let received = self.peek(buffer)?;
        if let Received::Bytes(count) = received {
            self.taken += count;
            if self.taken == self.bytes.len() {
                self.bytes.clear();
                self.taken = 0;
            }
        }
        Ok(received)
    }

    /// Does the same, and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`Inbox::receive`].
    pub(super) fn peek(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let bytes = &self.bytes[self.taken..];
        if !bytes.is_empty() {
            let count = bytes.len().min(buffer.len());
            buffer[..count].copy_from_slice(&bytes[..count]);
            return Ok(Received::Bytes(count));
        }
        match &mut self.end {
            None => Ok(Received::Nothing),
            Some(Ok(())) => Ok(Received::End),
            // The error is returned once.
            Some(end) => std::mem::replace(end, Ok(())).map(|()| Received::End),
        }
    }
}

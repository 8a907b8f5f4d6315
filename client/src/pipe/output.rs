//! Output of echoes: unchanged into a pipe or a file, escaped onto a terminal.
//!
//! Must not know the server. The bytes have been checked.

use std::{fmt::Write as _, io::Write};

use common::escape::Escaped;

use crate::stdio::Error;

/// Standard output for echoes.
#[derive(Debug)]
pub(crate) struct Output<W> {
    sink: W,
    /// The sink is a terminal, and control characters must not reach it.
    is_terminal: bool,
    /// First bytes of a character whose last bytes have not arrived, at most three.
    partial: Vec<u8>,
}

impl<W: Write> Output<W> {
    /// Creates an output into `sink`, which may be a terminal.
    pub(crate) fn new(sink: W, is_terminal: bool) -> Self {
        Self { sink, is_terminal, partial: Vec::new() }
    }

    /// Writes bytes of the echo. Newlines stay newlines.
    ///
    /// # Errors
    ///
    /// [`Error::OutputClosed`], [`Error::Output`]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.is_terminal {
            return self.sink.write_all(bytes).map_err(Error::from_write);
        }
        let mut text = std::mem::take(&mut self.partial);
        text.extend_from_slice(bytes);
        self.partial = text.split_off(text.len() - incomplete_tail(&text));
        self.write_escaped(&text)
    }

    /// Writes the bytes of an incomplete character: no more will arrive.
    ///
    /// # Errors
    ///
    /// As [`Output::write`].
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let partial = std::mem::take(&mut self.partial);
        self.write_escaped(&partial)
    }

    fn write_escaped(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut text = String::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, newline) = match line.strip_suffix(b"\n") {
                Some(line) => (line, "\n"),
                None => (line, ""),
            };
            let _ = write!(text, "{}{newline}", Escaped(line));
        }
        self.sink.write_all(text.as_bytes()).map_err(Error::from_write)
    }
}

/// Returns the length of an incomplete UTF-8 character at the end.
fn incomplete_tail(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&len| {
            let tail = &bytes[bytes.len() - len..];
            matches!(str::from_utf8(tail), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&[u8]], is_terminal: bool) -> Vec<u8> {
        let mut sink = Vec::new();
        let mut output = Output::new(&mut sink, is_terminal);
        for piece in pieces {
            output.write(piece).unwrap();
        }
        output.finish().unwrap();
        sink
    }

    #[test]
    fn writes_bytes_unchanged_into_a_pipe() {
        assert_eq!(written(&[b"\x1b[2J\xff\r\n", b"x"], false), b"\x1b[2J\xff\r\nx");
    }

    #[test]
    fn writes_escaped_text_and_newlines_onto_a_terminal() {
        assert_eq!(written(&[b"\x1b[2J\xff\r\nx\ny"], true), b"\\x1b[2J\\xff\\r\nx\ny");
    }

    #[test]
    fn joins_a_character_that_arrives_in_two_pieces() {
        let text = "\u{e9}\u{4f60}\u{1f600}\n".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(written(&[&text[..at], &text[at..]], true), text, "split at {at}");
        }
        assert_eq!(written(&[b"\xe4\xbd"], true), b"\\xe4\\xbd");
    }
}

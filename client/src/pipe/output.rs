//! Where echoes go when nobody types: as they came into a pipe, escaped onto a terminal.
//!
//! Must not know the server; what it is given is right.

use std::{
    fmt::Write as _,
    fs::File,
    io::{IsTerminal as _, Stdout, Write},
    os::fd::AsFd as _,
};

use common::escape::Escaped;

use crate::net::error::Error;

/// Standard output for echoes.
#[derive(Debug)]
pub struct Output<W> {
    sink: W,
    /// Whether the sink shows what it is given, and so must not be given everything.
    escape: bool,
    /// The first bytes of a character whose last have not come yet; at most three.
    held: Vec<u8>,
}

impl Output<File> {
    /// Standard output without the buffer that std puts before it: echoes come in large pieces, and
    /// each is to be seen at once.
    ///
    /// # Errors
    ///
    /// [`Error::Output`]: no descriptor is left.
    pub fn standard(stdout: &Stdout) -> Result<Self, Error> {
        let sink = stdout.as_fd().try_clone_to_owned().map_err(Error::Output)?;
        Ok(Self::new(File::from(sink), stdout.is_terminal()))
    }
}

impl<W: Write> Output<W> {
    /// Onto `sink`; `escape` if it is a terminal.
    pub fn new(sink: W, escape: bool) -> Self {
        Self { sink, escape, held: Vec::new() }
    }

    /// Writes bytes of the echo; their newlines stay newlines.
    ///
    /// # Errors
    ///
    /// [`Error::OutputClosed`], [`Error::Output`]
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.escape {
            return self.sink.write_all(bytes).map_err(Error::output);
        }
        let mut shown = std::mem::take(&mut self.held);
        shown.extend_from_slice(bytes);
        self.held = shown.split_off(shown.len() - incomplete_tail(&shown));
        self.show(&shown)
    }

    /// Nothing more will come: what was held back is shown.
    ///
    /// # Errors
    ///
    /// As [`Output::write`].
    pub fn finish(&mut self) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        self.show(&held)
    }

    fn show(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut text = String::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, newline) = match line.strip_suffix(b"\n") {
                Some(line) => (line, "\n"),
                None => (line, ""),
            };
            let _ = write!(text, "{}{newline}", Escaped(line));
        }
        self.sink.write_all(text.as_bytes()).map_err(Error::output)
    }
}

/// How many bytes at the end begin a character of UTF-8 that more bytes could complete.
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

    fn shown(pieces: &[&[u8]], escape: bool) -> Vec<u8> {
        let mut sink = Vec::new();
        let mut output = Output::new(&mut sink, escape);
        for piece in pieces {
            output.write(piece).unwrap();
        }
        output.finish().unwrap();
        sink
    }

    #[test]
    fn a_pipe_gets_the_bytes_as_they_are() {
        assert_eq!(shown(&[b"\x1b[2J\xff\r\n", b"x"], false), b"\x1b[2J\xff\r\nx");
    }

    #[test]
    fn a_terminal_gets_text_and_newlines() {
        assert_eq!(shown(&[b"\x1b[2J\xff\r\nx\ny"], true), b"\\x1b[2J\\xff\\r\nx\ny");
    }

    #[test]
    fn a_character_in_two_pieces_is_one_on_a_terminal() {
        let text = "\u{e9}\u{4f60}\u{1f600}\n".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(shown(&[&text[..at], &text[at..]], true), text, "split at {at}");
        }
        assert_eq!(shown(&[b"\xe4\xbd"], true), b"\\xe4\\xbd");
    }
}

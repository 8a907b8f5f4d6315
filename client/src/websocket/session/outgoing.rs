//! Bytes of a user, which become messages.

use common::exit::is_exit;

use super::in_flight::Kind;
use crate::websocket::{encoder::Opcode, options::Format};

/// Length from which a line is sent in fragments, of a binary message: it is not known yet whether its rest is UTF-8.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// State between two parts of the bytes.
#[derive(Debug)]
pub(super) struct Outgoing {
    format: Format,
    /// Line that is not complete.
    line: Vec<u8>,
    /// Fragments of the line have been sent.
    is_in_fragments: bool,
    /// The bytes have ended within a line, which is the last message.
    is_unterminated: bool,
}

impl Outgoing {
    pub(super) fn new(format: Format) -> Self {
        Self { format, line: Vec::new(), is_in_fragments: false, is_unterminated: false }
    }

    /// Returns `true` if no newline belongs to the last message.
    pub(super) fn is_unterminated(&self) -> bool {
        self.is_unterminated
    }

    /// Takes bytes. Calls `send` for each message, and for each fragment of a long one.
    pub(super) fn push(&mut self, bytes: &[u8], mut send: impl FnMut(Opcode, Kind, &[u8])) {
        match self.format {
            Format::Lines | Format::Texts | Format::Objects => self.push_lines(bytes, &mut send),
            Format::Chunks => push_chunk(bytes, send),
            Format::Mirror => {}
        }
    }

    fn push_lines(&mut self, bytes: &[u8], send: &mut impl FnMut(Opcode, Kind, &[u8])) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.line.extend_from_slice(rest);
                    self.end_line(send);
                }
                None => self.line.extend_from_slice(piece),
            }
            if self.line.len() >= MAX_LINE {
                let line = std::mem::take(&mut self.line);
                send(self.opcode(Opcode::Binary), Kind::Partial, &line);
                self.is_in_fragments = true;
            }
        }
    }

    fn end_line(&mut self, send: &mut impl FnMut(Opcode, Kind, &[u8])) {
        let line = std::mem::take(&mut self.line);
        let opcode = if str::from_utf8(&line).is_ok() { Opcode::Text } else { Opcode::Binary };
        let is_exit = !self.is_in_fragments && is_exit(&line);
        send(self.opcode(opcode), if is_exit { Kind::Exit } else { Kind::Whole }, &line);
        self.is_in_fragments = false;
    }

    fn opcode(&self, of_message: Opcode) -> Opcode {
        if self.is_in_fragments { Opcode::Continuation } else { of_message }
    }

    /// Ends the bytes: what is left of a line is the last message.
    pub(super) fn end(&mut self, mut send: impl FnMut(Opcode, Kind, &[u8])) {
        if !self.line.is_empty() || self.is_in_fragments {
            self.is_unterminated = true;
            self.end_line(&mut send);
        }
    }
}

/// Sends a chunk as one message. A chunk that reads as an exit is sent in two, since its boundaries have no meaning, and a
/// server would answer it with a goodbye.
fn push_chunk(chunk: &[u8], mut send: impl FnMut(Opcode, Kind, &[u8])) {
    let first = chunk.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0) + 1;
    let at = if is_exit(chunk) { first } else { chunk.len() };
    let (head, tail) = chunk.split_at(at);
    for part in [head, tail].into_iter().filter(|part| !part.is_empty()) {
        send(Opcode::Binary, Kind::Whole, part);
    }
}

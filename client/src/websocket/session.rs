//! Session after the handshake: the bytes of a user on one side, frames on the other.
//!
//! It keeps the message boundaries: a user sends and receives a stream of bytes, and the session turns lines, or chunks,
//! into messages and back. A boundary that is not where it was sent is a failure.

use std::collections::VecDeque;

use common::exit::is_exit;

use super::{
    close::{Close, NORMAL},
    decoder::{Decoder, Event},
    encoder::Opcode,
    error::{Boundary, Error},
    options::Format,
    output::Output,
};

/// Length from which a line is sent in fragments, of a binary message: it is not known yet whether its rest is UTF-8.
const MAX_LINE: usize = 64 * 1024;

/// Maximum number of bytes that one call takes.
const MAX_TAKEN: usize = 64 * 1024;

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

/// WebSocket of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    format: Format,
    decoder: Decoder,
    output: Output,
    /// Line that is not complete.
    line: Vec<u8>,
    /// Fragments of the line have been sent.
    is_in_fragments: bool,
    /// Messages that were sent at least in part, and have not returned.
    in_flight: VecDeque<Message>,
    /// The input has ended within a line, which is the last message.
    is_unterminated: bool,
    /// Bytes to be received by the user.
    inbox: Vec<u8>,
    /// Number of bytes of them that were received.
    taken: usize,
    ping: Ping,
    end: Option<Result<(), Error>>,
}

/// Ping of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ping {
    None,
    /// The pong has to have this payload.
    Sent(Vec<u8>),
    /// The pong has arrived.
    Answered,
}

/// Message in flight.
#[derive(Clone, Copy, Debug)]
struct Message {
    /// Bytes that were sent, and have not returned.
    left: u64,
    /// What may return in its place.
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is complete.
    Whole,
    /// Its last fragment has not been sent.
    Partial,
    /// It reads as an exit, whose answer has another length.
    Exit,
}

impl Session {
    /// Starts a session.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            decoder: Decoder::default(),
            output: Output::default(),
            line: Vec::new(),
            is_in_fragments: false,
            in_flight: VecDeque::new(),
            is_unterminated: false,
            inbox: Vec::new(),
            taken: 0,
            ping: Ping::None,
            end: None,
        }
    }

    /// Takes bytes to send; returns how many. Nothing is taken while earlier frames are to be sent.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        if !self.output().is_empty() {
            return 0;
        }
        let bytes = &bytes[..bytes.len().min(MAX_TAKEN)];
        // After a close frame nothing may be sent, and the end is to be received.
        if !self.output.has_close() {
            match self.format {
                Format::Lines | Format::Texts => self.push_lines(bytes),
                Format::Chunks => self.push_chunk(bytes),
                Format::Mirror => {}
            }
        }
        bytes.len()
    }

    fn push_lines(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.line.extend_from_slice(rest);
                    self.end_line();
                }
                None => self.line.extend_from_slice(piece),
            }
            if self.line.len() >= MAX_LINE {
                let line = std::mem::take(&mut self.line);
                let opcode = self.fragment_opcode(Opcode::Binary);
                self.send_part(opcode, Kind::Partial, &line);
                self.is_in_fragments = true;
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let opcode = if str::from_utf8(&line).is_ok() { Opcode::Text } else { Opcode::Binary };
        let opcode = self.fragment_opcode(opcode);
        let is_exit = !self.is_in_fragments && is_exit(&line);
        self.send_part(opcode, if is_exit { Kind::Exit } else { Kind::Whole }, &line);
        self.is_in_fragments = false;
    }

    fn fragment_opcode(&self, of_message: Opcode) -> Opcode {
        if self.is_in_fragments { Opcode::Continuation } else { of_message }
    }

    /// Sends a message, or a fragment of one.
    fn send_part(&mut self, opcode: Opcode, kind: Kind, payload: &[u8]) {
        self.output.push(opcode, kind != Kind::Partial, payload);
        let len = payload.len() as u64;
        match self.in_flight.back_mut() {
            Some(message) if message.kind == Kind::Partial => {
                message.left += len;
                message.kind = kind;
            }
            _ => self.in_flight.push_back(Message { left: len, kind }),
        }
    }

    /// Sends a chunk as one message. A chunk that reads as an exit is sent in two, since its boundaries have no meaning,
    /// and a server would answer it with a goodbye.
    fn push_chunk(&mut self, chunk: &[u8]) {
        let first = chunk.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0) + 1;
        let at = if is_exit(chunk) { first } else { chunk.len() };
        let (head, tail) = chunk.split_at(at);
        for part in [head, tail].into_iter().filter(|part| !part.is_empty()) {
            self.send_part(Opcode::Binary, Kind::Whole, part);
        }
    }

    /// Ends the input: what is left of a line is the last message.
    pub(crate) fn end_input(&mut self) {
        if !self.output.has_close() && (!self.line.is_empty() || self.is_in_fragments) {
            self.is_unterminated = true;
            self.end_line();
        }
    }

    /// Sends a close frame: the server is to end the connection. Further calls have no effect.
    pub(crate) fn close(&mut self) {
        self.output.close(Some(NORMAL));
    }

    /// Sends a ping.
    pub(crate) fn send_ping(&mut self, payload: &[u8]) {
        self.output.push(Opcode::Ping, true, payload);
        self.ping = Ping::Sent(payload.to_vec());
    }

    /// Returns `true` once if the pong to the last ping has arrived.
    pub(crate) fn take_pong(&mut self) -> bool {
        let is_answered = self.ping == Ping::Answered;
        if is_answered {
            self.ping = Ping::None;
        }
        is_answered
    }

    /// Returns the frames to send.
    pub(crate) fn output(&self) -> &[u8] {
        self.output.unsent()
    }

    /// Marks the first `count` bytes of the output as sent.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.output.mark_sent(count);
    }

    /// Drops the output: nothing can be sent any more.
    pub(crate) fn discard_output(&mut self) {
        self.output.discard();
    }

    /// Returns `true` if there is something to receive: bytes, the end, a failure, or a pong.
    pub(crate) fn is_readable(&self) -> bool {
        self.taken < self.inbox.len() || self.end.is_some() || self.ping == Ping::Answered
    }

    /// Returns `false` while nothing should be fed, since what it returns to the server waits to be sent.
    pub(crate) fn wants_input(&self) -> bool {
        self.format != Format::Mirror || self.output().is_empty() || self.end.is_some()
    }

    /// Takes bytes that have arrived.
    pub(crate) fn feed(&mut self, mut input: &[u8]) {
        while self.end.is_none() {
            match self.decoder.decode(input) {
                Ok((consumed, Some(event))) => {
                    self.handle(event, input);
                    input = &input[consumed..];
                }
                Ok((_, None)) => return,
                Err(violation) => {
                    self.output.close(Some(violation.code));
                    self.end = Some(Err(Error::Protocol(violation)));
                }
            }
        }
    }

    /// Takes the end of the stream. After a close frame of ours it is expected.
    pub(crate) fn feed_end(&mut self) {
        let is_expected = self.output.has_close();
        self.end.get_or_insert(if is_expected { Ok(()) } else { Err(Error::NoClose) });
    }

    fn handle(&mut self, event: Event, input: &[u8]) {
        match event {
            Event::Payload { range, is_text, is_end } if self.format == Format::Mirror => {
                self.mirror(&input[range], is_text, is_end);
            }
            Event::Payload { range, is_end, .. } => {
                if let Err(boundary) = self.deliver(&input[range], is_end) {
                    self.end = Some(Err(boundary.into()));
                }
            }
            Event::Ping(payload) => {
                self.output.push_pong(payload);
            }
            Event::Pong(payload) if self.ping == Ping::Sent(payload.clone()) => {
                self.ping = Ping::Answered;
            }
            Event::Pong(_) => {}
            Event::Close(close) => self.handle_close(close),
        }
    }

    /// Returns a part of a message to the server.
    fn mirror(&mut self, part: &[u8], is_text: bool, is_end: bool) {
        let opcode = self.fragment_opcode(if is_text { Opcode::Text } else { Opcode::Binary });
        self.output.push(opcode, is_end, part);
        self.is_in_fragments = !is_end;
    }

    fn handle_close(&mut self, close: Close) {
        let is_expected = self.output.has_close() || close.is_normal();
        self.output.close(close.code);
        self.end = Some(if is_expected { Ok(()) } else { Err(Error::Closed(close)) });
    }

    /// Puts the bytes of a message into the inbox, as far as they belong to the message that is due.
    fn deliver(&mut self, payload: &[u8], is_end: bool) -> Result<(), Boundary> {
        let Some(message) = self.in_flight.front_mut().filter(|it| it.kind != Kind::Exit) else {
            self.inbox.extend_from_slice(payload);
            if is_end {
                self.end_message();
            }
            return Ok(());
        };
        let len = payload.len() as u64;
        let valid = message.left.min(len);
        message.left -= valid;
        let is_whole = message.left == 0 && message.kind == Kind::Whole;
        self.inbox.extend_from_slice(&payload[..usize::try_from(valid).unwrap_or(payload.len())]);
        if valid < len {
            return Err(Boundary::Joined);
        }
        match (is_end, is_whole) {
            (true, false) => Err(Boundary::Split),
            (true, true) => {
                self.end_message();
                Ok(())
            }
            (false, _) => Ok(()),
        }
    }

    fn end_message(&mut self) {
        let is_last = self.in_flight.len() == 1 && self.is_unterminated;
        self.in_flight.pop_front();
        if self.format == Format::Lines && !is_last {
            self.inbox.push(b'\n');
        }
    }

    /// Receives bytes that have arrived.
    ///
    /// # Errors
    ///
    /// The server failed, or closed with a code that tells a failure.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let received = self.peek(buffer)?;
        if let Received::Bytes(count) = received {
            self.taken += count;
            if self.taken == self.inbox.len() {
                self.inbox.clear();
                self.taken = 0;
            }
        }
        Ok(received)
    }

    /// Does the same, and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`Session::receive`].
    pub(crate) fn peek(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let bytes = &self.inbox[self.taken..];
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

#[cfg(test)]
mod tests;

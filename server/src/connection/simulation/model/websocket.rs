//! The model of a WebSocket: whole frames and whole messages, from all bytes that a client has sent.
//!
//! It shares no code with the server, so that a fault of one is no fault of the other.

use common::exit::is_exit;

use super::{
    expected::{Expected, State},
    piece::Piece,
};
use crate::telemetry::CloseReason;

/// Maximum payload of a frame that may be an exit.
const EXIT: u64 = 1024;

/// A frame of a client, of which the payload may be incomplete.
struct Frame {
    first: u8,
    /// Length of the payload.
    len: u64,
    /// The payload without its mask, as far as it has arrived.
    payload: Vec<u8>,
    /// Length of the header.
    header: usize,
}

/// The beginning of some bytes.
enum Parsed {
    /// The header is not complete.
    Incomplete,
    /// No client may send it, as this number of bytes shows.
    Broken(usize),
    Frame(Frame),
}

/// A message, of which fragments have arrived.
#[derive(Default)]
struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    len: u64,
}

/// The part of a connection after its handshake.
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    /// Number of these bytes that had arrived when the server began to drain.
    drained_at: Option<usize>,
    max_message: u64,
    at: usize,
    message: Option<Message>,
    expected: Expected,
}

impl Parsed {
    fn new(bytes: &[u8]) -> Self {
        let &[first, second, ..] = bytes else { return Self::Incomplete };
        let opcode = first & 0x0f;
        let short = second & 0x7f;
        let is_control = opcode >= 8;
        let is_broken = first & 0x30 != 0
            || !matches!(opcode, 0..=2 | 8..=10)
            || second < 0x80
            || (is_control && (first & 0xc0 != 0x80 || short > 125));
        if is_broken {
            return Self::Broken(2);
        }
        let (extended, least) = match short {
            126 => (2, 126),
            127 => (8, 65_536),
            _ => (0, 0),
        };
        let Some(extension) = bytes.get(2..2 + extended) else { return Self::Incomplete };
        let number = extension.iter().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
        let len = if extended == 0 { u64::from(short) } else { number };
        if len < least || len >> 63 == 1 {
            return Self::Broken(2 + extended);
        }
        let header = 2 + extended + 4;
        let Some(mask) = bytes.get(2 + extended..header) else { return Self::Incomplete };
        let payload = bytes[header..].iter().take(usize::try_from(len).unwrap_or(usize::MAX));
        let payload = payload.enumerate().map(|(index, byte)| byte ^ mask[index % 4]).collect();
        Self::Frame(Frame { first, len, payload, header })
    }
}

impl Frame {
    fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    fn is_final(&self) -> bool {
        self.first & 0x80 != 0
    }

    fn is_complete(&self) -> bool {
        self.payload.len() as u64 == self.len
    }

    /// Returns the length of the whole frame.
    fn total(&self) -> usize {
        self.header.saturating_add(usize::try_from(self.len).unwrap_or(usize::MAX))
    }

    fn may_be_exit(&self) -> bool {
        self.is_final() && self.opcode() != 0 && self.len <= EXIT
    }

    /// Returns the frame of the server with the first bytes of the payload.
    fn echo(&self, payload: usize) -> Vec<u8> {
        let mut bytes = vec![self.first];
        match self.len {
            0..126 => bytes.push(self.len.to_le_bytes()[0]),
            126..65_536 => {
                bytes.push(126);
                bytes.extend(&self.len.to_be_bytes()[6..]);
            }
            _ => {
                bytes.push(127);
                bytes.extend(self.len.to_be_bytes());
            }
        }
        bytes.extend(&self.payload[..payload]);
        bytes
    }
}

/// Returns the position of the first byte after which a text cannot become valid.
fn wrong_byte(text: &[u8]) -> Option<usize> {
    let error = str::from_utf8(text).err()?;
    let from = error.valid_up_to();
    (from..text.len()).find(|&at| {
        str::from_utf8(&text[from..=at]).is_err_and(|error| error.error_len().is_some())
    })
}

impl<'a> Frames<'a> {
    /// Adds what the server sends for these frames.
    pub(super) fn expect(
        bytes: &'a [u8],
        drained_at: Option<usize>,
        max_message: u64,
        expected: Expected,
    ) -> Expected {
        let mut frames = Self { bytes, drained_at, max_message, at: 0, message: None, expected };
        while frames.expect_frame().is_some() {}
        frames.expected
    }

    /// Expects the answer to the next frame. Returns `None` after the last one that the server answers.
    fn expect_frame(&mut self) -> Option<()> {
        self.expected.state = State::Frames { is_inside: false };
        self.expected.pieces.push(Piece::Pings);
        let frame = match Parsed::new(&self.bytes[self.at..]) {
            Parsed::Incomplete => {
                self.drain_before(usize::MAX)?;
                return None;
            }
            Parsed::Broken(len) => {
                self.drain_before(len)?;
                return self.fail(1002);
            }
            Parsed::Frame(frame) => frame,
        };
        if frame.opcode() >= 8 {
            self.drain_before(frame.total())?;
            if !frame.is_complete() {
                return None;
            }
            self.at += frame.total();
            return self.answer_control(&frame);
        }
        self.drain_before(frame.header)?;
        let is_in_message = self.message.is_some();
        let message = match (self.message.take(), frame.opcode()) {
            (None, 0) | (Some(_), 1 | 2) => return self.fail(1002),
            _ if frame.first & 0x40 != 0 => return self.fail(1002),
            (Some(message), _) => message,
            (None, opcode) => Message { is_text: opcode == 1, ..Message::default() },
        };
        if message.len.saturating_add(frame.len) > self.max_message {
            return self.fail(1009);
        }
        self.expect_data(&frame, message, is_in_message)
    }

    /// Expects the echo of a data frame.
    fn expect_data(
        &mut self,
        frame: &Frame,
        mut message: Message,
        is_in_message: bool,
    ) -> Option<()> {
        let before = message.bytes.len();
        message.bytes.extend(&frame.payload);
        message.len += frame.len;
        let is_end = frame.is_final() && frame.is_complete();
        let mut wrong = None;
        if message.is_text {
            wrong = wrong_byte(&message.bytes).map(|at| at - before);
            if wrong.is_none() && is_end && str::from_utf8(&message.bytes).is_err() {
                wrong = Some(frame.payload.len().saturating_sub(1));
            }
        }
        if frame.may_be_exit() {
            // It is held until it is complete, unless it is wrong before.
            let decided = wrong.map_or(frame.total(), |at| frame.header + at + 1);
            self.drain_before(decided)?;
            if wrong.is_some() {
                return self.fail(1007);
            }
            if !frame.is_complete() {
                return None;
            }
            if is_exit(&frame.payload) {
                return self.say_goodbye(frame);
            }
        } else {
            // The echo begins with the first byte of the payload.
            let begun = frame.header + usize::from(frame.len > 0);
            if !is_in_message {
                self.drain_before(begun)?;
            }
            if let Some(at) = wrong {
                let piece = match at {
                    0 => Piece::Close(1007),
                    at => Piece::Cut { echo: frame.echo(at), header: frame.echo(0).len() },
                };
                self.expected.pieces.push(piece);
                self.expected.state = State::Over(CloseReason::ProtocolError);
                return None;
            }
            if frame.payload.is_empty() && frame.len > 0 {
                return None;
            }
        }
        self.expected.pieces.push(Piece::Bytes(frame.echo(frame.payload.len())));
        if !frame.is_complete() {
            self.expected.state = State::Frames { is_inside: true };
            return None;
        }
        let is_in_drain = !self.has_before_drain(frame.total());
        self.at += frame.total();
        self.message = (!frame.is_final()).then_some(message);
        if is_in_drain && frame.is_final() { self.drain() } else { Some(()) }
    }

    fn answer_control(&mut self, frame: &Frame) -> Option<()> {
        match frame.opcode() {
            8 => {
                if let Some(code) = close_error(&frame.payload) {
                    return self.fail(code);
                }
                self.expected.pieces.push(Piece::Bytes(frame.echo(frame.payload.len())));
                self.end(CloseReason::Complete)
            }
            9 => {
                let pong = [&[0x8a][..], &frame.echo(frame.payload.len())[1..]].concat();
                self.expected.pieces.push(Piece::Bytes(pong));
                Some(())
            }
            _ => Some(()),
        }
    }

    fn say_goodbye(&mut self, frame: &Frame) -> Option<()> {
        let goodbye = [&[frame.first, 8][..], b"Goodbye!", &[0x88, 2, 3, 0xe8]].concat();
        self.expected.pieces.push(Piece::Bytes(goodbye));
        self.at += frame.total();
        self.await_close(CloseReason::Exit)
    }

    /// Returns whether this many bytes of the next frame had arrived before the drain, or there is none.
    fn has_before_drain(&self, len: usize) -> bool {
        self.drained_at.is_none_or(|drained_at| self.at.saturating_add(len) <= drained_at)
    }

    /// Expects that a server that drains closes here, before a frame of which fewer than this many bytes had arrived, and
    /// not between the fragments of a message.
    fn drain_before(&mut self, len: usize) -> Option<()> {
        if self.message.is_some() || self.has_before_drain(len) { Some(()) } else { self.drain() }
    }

    fn drain(&mut self) -> Option<()> {
        self.expected.pieces.push(Piece::Close(1001));
        self.await_close(CloseReason::Drain)
    }

    fn fail(&mut self, code: u16) -> Option<()> {
        self.expected.pieces.push(Piece::Close(code));
        self.end(CloseReason::ProtocolError)
    }

    fn end(&mut self, reason: CloseReason) -> Option<()> {
        self.expected.state = State::Over(reason);
        None
    }

    /// The server has sent its close frame: of what follows, only the peer's has a meaning.
    fn await_close(&mut self, reason: CloseReason) -> Option<()> {
        self.expected.state = State::Closing(reason);
        loop {
            let frame = match Parsed::new(&self.bytes[self.at..]) {
                Parsed::Incomplete => return None,
                Parsed::Broken(_) => return self.end(CloseReason::ProtocolError),
                Parsed::Frame(frame) => frame,
            };
            if !frame.is_complete() {
                return None;
            }
            self.at += frame.total();
            if frame.opcode() == 8 {
                let is_valid = close_error(&frame.payload).is_none();
                return self.end(if is_valid { reason } else { CloseReason::ProtocolError });
            }
        }
    }
}

/// Returns the code of the answer to an invalid close frame.
fn close_error(payload: &[u8]) -> Option<u16> {
    match *payload {
        [] => None,
        [_] => Some(1002),
        [high, low, ref reason @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            let is_known = (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code);
            match (is_known, str::from_utf8(reason)) {
                (false, _) => Some(1002),
                (true, Err(_)) => Some(1007),
                (true, Ok(_)) => None,
            }
        }
    }
}

//! Session after the handshake: the bytes of a user on one side, frames on the other.
//!
//! It keeps the message boundaries: a user sends and receives a stream of bytes, and the session turns lines, or chunks,
//! into messages and back. A message that returns with another boundary, or with another type, is a failure.
//!
//! `outgoing.rs` has the way from bytes to messages, `in_flight.rs` the check of what returns, `inbox.rs` the bytes to receive.

mod in_flight;
mod inbox;
mod outgoing;

pub(crate) use self::inbox::Received;
use self::{
    in_flight::{InFlight, Kind},
    inbox::Inbox,
    outgoing::Outgoing,
};
use super::{
    close::{Close, NORMAL},
    decoder::{Decoder, Event},
    encoder::Opcode,
    error::{Error, MessageFault},
    options::Format,
    output::Output,
};

use crate::receipt::Ledger;

/// Maximum number of bytes that one call takes.
const MAX_TAKEN: usize = 64 * 1024;

/// WebSocket of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    format: Format,
    decoder: Decoder,
    output: Output,
    outgoing: Outgoing,
    in_flight: InFlight,
    /// A message of the server has been returned to it in part.
    is_mirroring: bool,
    inbox: Inbox,
    ping: Ping,
    /// What was sent and received, if the server is to send a receipt.
    ledger: Option<Box<Ledger>>,
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

impl Session {
    /// Starts a session.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            decoder: Decoder::default(),
            output: Output::default(),
            outgoing: Outgoing::new(format),
            in_flight: InFlight::default(),
            is_mirroring: false,
            inbox: Inbox::default(),
            ping: Ping::None,
            ledger: None,
        }
    }

    /// Keeps a ledger of the messages that follow, of which the last is the receipt of the server.
    pub(crate) fn keep_ledger(&mut self) {
        self.ledger = Some(Ledger::of_messages().into());
    }

    /// Returns the ledger.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    /// Takes bytes to send; returns how many. Nothing is taken while earlier frames are to be sent.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        if !self.output.is_empty() {
            return 0;
        }
        let bytes = &bytes[..bytes.len().min(MAX_TAKEN)];
        // After a close frame nothing may be sent, and the end is to be received.
        if !self.output.is_closed() {
            let Self { format, outgoing, output, in_flight, ledger, .. } = self;
            outgoing.push(bytes, |opcode, kind, part| {
                output.push(opcode, kind != Kind::Partial, part);
                if let Some(ledger) = ledger {
                    ledger.add_sent(part);
                }
                if *format != Format::Objects {
                    in_flight.add(opcode, kind, part.len());
                }
            });
        }
        bytes.len()
    }

    /// Ends the input: what is left of a line is the last message.
    pub(crate) fn end_input(&mut self) {
        if !self.output.is_closed() {
            let Self { outgoing, output, in_flight, ledger, .. } = self;
            outgoing.end(|opcode, kind, part| {
                output.push(opcode, kind != Kind::Partial, part);
                if let Some(ledger) = ledger {
                    ledger.add_sent(part);
                }
                in_flight.add(opcode, kind, part.len());
            });
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
        self.output.bytes()
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
        self.inbox.is_readable() || self.ping == Ping::Answered
    }

    /// Returns `false` while nothing should be fed, since what it returns to the server waits to be sent.
    pub(crate) fn wants_input(&self) -> bool {
        self.format != Format::Mirror || self.output.is_empty() || self.inbox.has_end()
    }

    /// Takes bytes that have arrived.
    pub(crate) fn feed(&mut self, mut input: &[u8]) {
        while !self.is_over() {
            match self.decoder.decode(input) {
                Ok((consumed, Some(event))) => {
                    self.handle(event, input);
                    input = &input[consumed..];
                }
                Ok((_, None)) => return,
                Err(violation) => {
                    self.output.close(Some(violation.code));
                    self.end(Err(Error::Protocol(violation)));
                }
            }
        }
    }

    /// Returns whether nothing more is to be fed. After a wrong message, the receipt still is.
    fn is_over(&self) -> bool {
        self.inbox.has_end() && self.ledger.as_ref().is_none_or(|ledger| ledger.has_ended())
    }

    fn end(&mut self, end: Result<(), Error>) {
        if let Some(ledger) = &mut self.ledger {
            ledger.end();
        }
        self.inbox.push_end(end);
    }

    /// Takes the end of the stream. After a close frame of ours it is expected.
    pub(crate) fn feed_end(&mut self) {
        let is_expected = self.output.is_closed();
        self.end(if is_expected { Ok(()) } else { Err(Error::NoClose) });
    }

    fn handle(&mut self, event: Event, input: &[u8]) {
        match event {
            Event::Payload { range, is_text, is_end } if self.format == Format::Mirror => {
                self.mirror(&input[range], is_text, is_end);
            }
            Event::Payload { range, is_end, .. } if self.format == Format::Objects => {
                self.inbox.push_line(&input[range], is_end);
            }
            Event::Payload { range, is_text, is_end } => {
                let part = &input[range];
                if self.is_withheld(part, is_text, is_end) {
                    return;
                }
                if let Err(fault) = self.deliver(part, is_text, is_end) {
                    self.inbox.push_end(Err(fault.into()));
                }
            }
            Event::Ping(payload) => self.output.push_pong(payload),
            Event::Pong(payload) if self.ping == Ping::Sent(payload.clone()) => {
                self.ping = Ping::Answered;
            }
            Event::Pong(_) => {}
            Event::Close(close) => self.handle_close(close),
        }
    }

    /// Returns a part of a message to the server.
    fn mirror(&mut self, part: &[u8], is_text: bool, is_end: bool) {
        let opcode = match (self.is_mirroring, is_text) {
            (true, _) => Opcode::Continuation,
            (false, true) => Opcode::Text,
            (false, false) => Opcode::Binary,
        };
        self.output.push(opcode, is_end, part);
        self.is_mirroring = !is_end;
    }

    fn handle_close(&mut self, close: Close) {
        let is_expected = self.output.is_closed() || close.is_normal();
        self.output.close(close.code);
        self.end(if is_expected { Ok(()) } else { Err(Error::Closed(close)) });
    }

    /// Adds a part of a message to the ledger, if there is one. Returns whether the user does not receive it: it may be the
    /// receipt, which answers no message, or follows a wrong message.
    fn is_withheld(&mut self, part: &[u8], is_text: bool, is_end: bool) -> bool {
        let Some(ledger) = &mut self.ledger else { return false };
        ledger.add_part(part, is_text, is_end);
        let may_be_receipt = self.in_flight.is_empty() && (!is_end || ledger.may_end_here());
        may_be_receipt || self.inbox.has_end()
    }

    /// Puts the bytes of a message into the inbox, as far as they belong to the message that is due.
    fn deliver(&mut self, part: &[u8], is_text: bool, is_end: bool) -> Result<(), MessageFault> {
        let (valid, checked) = self.in_flight.check(part.len(), is_text, is_end);
        self.inbox.push(&part[..valid]);
        checked?;
        if is_end {
            let is_last = self.in_flight.remove();
            if self.format == Format::Lines && !(is_last && self.outgoing.is_unterminated()) {
                self.inbox.push(b"\n");
            }
        }
        Ok(())
    }

    /// Receives bytes that have arrived.
    ///
    /// # Errors
    ///
    /// The server failed, or closed with a code that tells a failure.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        self.inbox.receive(buffer)
    }

    /// Does the same, and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`Session::receive`].
    pub(crate) fn peek(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        self.inbox.peek(buffer)
    }
}

#[cfg(test)]
mod tests;

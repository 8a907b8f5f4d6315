//! WebSocket on the wire of a load: lines become masked messages, and frames become lines again.
//!
//! A line with its newline is a message. So a message that returns must end after its only newline, and no state is
//! kept for each message. In a load of a room, where the server sends what it likes, the newline is no part of the
//! messages. Frames are decoded in the buffer of the receive, and an idle connection has no buffer.

use std::{
    io::{self, ErrorKind as Io},
    ops::Range,
    time::Duration,
};

use memchr::memchr;
use socket2::Socket;

use super::{context::Context, message_check::MessageCheck, wire::Wire};
use crate::{
    receipt::Ledger,
    websocket::{CloseFrames, Decoder, Error, Event, Format, Handshake, NORMAL, Output},
};

/// Maximum number of reads of the answer to the handshake in one call. It has room for the longest head.
const MAX_READS: usize = 64;

/// Wire with WebSocket above another one.
#[derive(Debug)]
pub(crate) struct WebSocketWire<W> {
    wire: W,
    /// Handshake that is not complete.
    handshake: Option<Box<Handshake>>,
    /// Frames that arrived with the answer of the handshake.
    early: Vec<u8>,
    decoder: Decoder,
    output: Output,
    messages: MessageCheck,
    /// A line without its newline is a message, and messages become lines without a check.
    are_events: bool,
    /// The last read filled its buffer, so that no event reports what is left.
    was_full: bool,
    close: CloseFrames,
    /// Failure that follows the bytes that were received.
    failure: Option<Error>,
    ledger: Option<Box<Ledger>>,
}

impl<W: Wire> WebSocketWire<W> {
    /// Sends the frames that wait. After a failure nothing is sent any more, and a receive returns the reason.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.wire.transmit(self.output.bytes(), || 0) {
                Ok(count) => self.output.mark_sent(count),
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(error) => {
                    self.output.discard();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Encodes lines; `rest` is the length of the last one after these bytes.
    #[inline]
    fn encode(&mut self, mut bytes: &[u8], rest: u64) {
        self.output.reserve(bytes.len() + bytes.len() / 8 + 16);
        while !bytes.is_empty() {
            if self.output.missing() == 0 {
                let newline = memchr(b'\n', bytes);
                if let (Some(newline), true) = (newline, self.are_events) {
                    self.output.begin(self.messages.opcode(), newline as u64);
                    self.output.extend(&bytes[..newline]);
                    bytes = &bytes[newline + 1..];
                    continue;
                }
                let len = newline.map_or(bytes.len() as u64 + rest, |newline| newline as u64 + 1);
                self.output.begin(self.messages.opcode(), len);
                self.messages.add();
            }
            let missing = usize::try_from(self.output.missing()).unwrap_or(usize::MAX);
            let (part, others) = bytes.split_at(missing.min(bytes.len()));
            self.output.extend(part);
            bytes = others;
        }
    }

    fn send_close(&mut self, code: Option<u16>) {
        self.output.close(code);
        let _ = self.flush();
    }

    /// Decodes these bytes of a buffer in place; returns the length of the payload, which then is at the start of the buffer.
    #[inline]
    fn decode(&mut self, buffer: &mut [u8], received: Range<usize>) -> usize {
        let (mut from, read, mut to) = (received.start, received.end, 0);
        // After a wrong message, the receipt still counts.
        let goes_on = self.ledger.is_some();
        while from < read && (goes_on || self.failure.is_none()) && !self.close.is_received {
            match self.decoder.decode(&buffer[from..read]) {
                Ok((consumed, event)) => {
                    if let Some(Event::Payload { range, is_text, is_end }) = event {
                        let start = from + range.start;
                        let part = &buffer[start..from + range.end];
                        if let Some(ledger) = &mut self.ledger {
                            ledger.add_part(part, is_text, is_end);
                        }
                        let valid = if self.are_events || self.is_receipt() {
                            part.len()
                        } else {
                            let (valid, fault) = self.messages.check(part, is_text, is_end);
                            if let Some(fault) = fault {
                                self.failure.get_or_insert(fault.into());
                            }
                            valid
                        };
                        buffer.copy_within(start..start + valid, to);
                        to += valid;
                        if self.are_events && is_end {
                            buffer[to] = b'\n';
                            to += 1;
                        }
                    } else if let Some(event) = event {
                        self.handle_control(event);
                    }
                    from += consumed;
                }
                Err(violation) => {
                    self.send_close(Some(violation.code));
                    self.failure = Some(Error::Protocol(violation));
                }
            }
        }
        to
    }

    /// Returns whether a message may be the receipt of the server: it follows our close frame.
    fn is_receipt(&self) -> bool {
        self.ledger.is_some() && self.close.is_ours
    }

    fn handle_control(&mut self, event: Event) {
        match event {
            Event::Ping(payload) => self.output.push_pong(payload),
            Event::Close(close) => {
                self.close.is_received = true;
                let is_expected = self.output.is_closed() || close.is_orderly();
                self.send_close(close.code);
                if !is_expected {
                    self.failure = Some(Error::Closed(close));
                }
            }
            _ => {}
        }
    }

    /// Reads bytes below WebSocket.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            let read = self.wire.receive(buffer)?;
            self.was_full = read == buffer.len();
            return Ok(read);
        }
        let early = std::mem::take(&mut self.early);
        let count = early.len().min(buffer.len());
        buffer[..count].copy_from_slice(&early[..count]);
        self.early = early[count..].to_vec();
        self.was_full = true;
        Ok(count)
    }
}

impl<W: Wire> Wire for WebSocketWire<W> {
    const IS_WEBSOCKET: bool = true;

    fn new<S>(context: &Context<'_, S>, socket: Socket) -> io::Result<Self> {
        let options = context.config.websocket.as_ref().ok_or(Io::Unsupported)?;
        Ok(Self {
            wire: W::new(context, socket)?,
            handshake: Some(Box::new(Handshake::new(options))),
            early: Vec::new(),
            decoder: Decoder::default(),
            output: Output::default(),
            messages: MessageCheck::new(matches!(options.format, Format::Texts | Format::Objects)),
            are_events: options.format == Format::Objects,
            was_full: false,
            close: CloseFrames::default(),
            failure: None,
            ledger: None,
        })
    }

    fn socket(&self) -> &Socket {
        self.wire.socket()
    }

    fn keep_ledger(&mut self) {
        self.ledger = Some(Ledger::of_messages().into());
    }

    fn ledger(&mut self) -> &mut Option<Box<Ledger>> {
        &mut self.ledger
    }

    fn complete_handshake(&mut self) -> io::Result<bool> {
        self.wire.complete_handshake()
    }

    fn complete_upgrade(&mut self) -> io::Result<bool> {
        let Some(handshake) = &mut self.handshake else { return Ok(true) };
        while !handshake.unsent().is_empty() {
            match self.wire.transmit(handshake.unsent(), || 0) {
                Ok(count) => handshake.mark_sent(count),
                Err(error) if error.kind() == Io::WouldBlock => break,
                // The server may have answered before it ended.
                Err(_) => handshake.mark_sent(handshake.unsent().len()),
            }
        }
        let mut buffer = [0; 4096];
        for _ in 0..MAX_READS {
            match self.wire.receive(&mut buffer) {
                Ok(0) => return Err(handshake.end().into()),
                Ok(count) => {
                    if let Some(accepted) =
                        handshake.receive(&buffer[..count]).map_err(io::Error::from)?
                    {
                        self.early = accepted.rest;
                        self.handshake = None;
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(false),
                Err(error) if error.kind() == Io::ConnectionReset => {
                    return Err(handshake.end().into());
                }
                Err(error) => return Err(error),
            }
        }
        // Only a server that sends records of TLS without bytes gets so far. The time limit ends it.
        Ok(false)
    }

    fn late(&self, is_secured: bool, limit: Duration) -> io::Error {
        if is_secured { Error::Late(limit).into() } else { self.wire.late(false, limit) }
    }

    fn is_resumed(&self) -> Option<bool> {
        self.wire.is_resumed()
    }

    fn has_closed(&self) -> bool {
        self.output.is_closed() && self.close.is_received
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // If the connection is lost, the receive returns the reason.
        let _ = self.flush();
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        // A close that the server began ends the stream; after ours, the server ends the connection.
        if self.close.is_received && !self.close.is_ours {
            return Ok(0);
        }
        // A newline takes the place of a header, which may have arrived before.
        let start = usize::from(self.are_events);
        let read = self.read(&mut buffer[start..])?;
        if read == 0 {
            return if self.close.is_received { Ok(0) } else { Err(Error::NoClose.into()) };
        }
        let len = if self.close.is_received { 0 } else { self.decode(buffer, start..start + read) };
        let _ = self.flush();
        // A server that sends only control frames must not hold the caller.
        if len > 0 { Ok(len) } else { Err(Io::Interrupted.into()) }
    }

    fn may_have_more(&mut self) -> bool {
        self.was_full
            || self.failure.is_some()
            || self.close.is_received
            || !self.early.is_empty()
            || self.wire.may_have_more()
    }

    #[inline]
    fn transmit(&mut self, bytes: &[u8], rest: impl FnOnce() -> u64) -> io::Result<usize> {
        self.flush()?;
        if !self.output.is_empty() {
            return Err(Io::WouldBlock.into());
        }
        // After a close frame nothing is sent, and the end of the server follows.
        if !self.output.is_closed() {
            self.encode(bytes, rest());
            if let Some(ledger) = &mut self.ledger {
                ledger.add_sent(bytes);
            }
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn half_close(&mut self) {
        if !self.output.is_closed() {
            self.close.is_ours = true;
            self.send_close(Some(NORMAL));
        }
    }
}

#[cfg(test)]
mod tests;

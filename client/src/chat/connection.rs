//! Events over a connection.
//!
//! Owns the bytes that the socket has not taken. Must not know what events mean.

use std::{os::fd::BorrowedFd, time::Duration};

use common::room::Input;

use super::{
    error::Error,
    event::Event,
    framing::{encode, kind::Framing, parser::Parser},
};
use crate::net::{
    poll::{Deadline, Interrupt},
    stream::{CHUNK, Ready, Received, Stream},
};

/// Limit for the server's end of the stream after its goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Connection to a server of rooms.
#[derive(Debug)]
pub(super) struct Connection<'i> {
    stream: Stream<'i>,
    framing: Framing,
    parser: Parser,
    unsent: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'i> Connection<'i> {
    /// Wraps a connected stream.
    pub(super) fn new(stream: Stream<'i>, framing: Framing) -> Self {
        let parser = Parser::new(framing);
        Self { stream, framing, parser, unsent: Vec::new(), buffer: vec![0; CHUNK] }
    }

    /// Makes every wait end with an error once `interrupt` is raised.
    pub(super) fn interrupted_by(self, interrupt: &'i Interrupt) -> Self {
        Self { stream: self.stream.interrupted_by(Some(interrupt)), ..self }
    }

    /// Returns the framing.
    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns the deadline of a reply whose time starts now.
    pub(super) fn deadline(&self) -> Deadline {
        self.stream.deadline()
    }

    /// Sends an input, as far as the socket accepts it now; the rest is sent in [`Connection::wait`].
    pub(super) fn send(&mut self, input: &Input<'_>) {
        self.unsent.extend(encode::encode(self.framing, input));
        self.flush();
    }

    /// Returns the number of bytes that the socket has not taken.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    fn flush(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        // After a failed send, the last bytes of the server, or the reason, can still be received.
        let sent = self.stream.send(&self.unsent).unwrap_or(self.unsent.len());
        self.unsent.drain(..sent);
    }

    /// Waits until there is something to receive, or until `input` is readable; sends meanwhile.
    ///
    /// # Errors
    ///
    /// The deadline passed, or the interrupt was raised.
    pub(super) fn wait(
        &mut self,
        input: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<Ready, Error> {
        self.flush();
        let ready = self.stream.wait(!self.unsent.is_empty(), input, deadline)?;
        self.flush();
        Ok(ready)
    }

    /// Adds the events that have arrived; returns `false` at the end of the stream.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the server sent something that is no event. The events before have been added.
    pub(super) fn receive(&mut self, events: &mut Vec<Event>) -> Result<bool, Error> {
        match self.stream.receive(&mut self.buffer)? {
            Received::Bytes(count) => {
                self.parser.feed(&self.buffer[..count], events)?;
                Ok(true)
            }
            Received::End => {
                self.parser.end()?;
                Ok(false)
            }
            Received::Nothing => Ok(true),
        }
    }

    /// Ends the connection, and waits for its end for a short time.
    pub(super) fn close(&self) {
        self.stream.half_close();
        self.stream.discard_until_end(Deadline::after(CLOSE_TIMEOUT));
    }
}

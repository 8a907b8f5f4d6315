//! Messages that a connection sends, and when.

use std::io::ErrorKind as Io;

use super::wire::ObservedWire;
use crate::load::{
    ipc::observation::{MessageTimes, Times},
    worker::io::wire::Wire as _,
};

/// Maximum number of messages whose times are noted.
const MAX_TIMED: usize = 1024;

/// Sending direction of one connection.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    message: Vec<u8>,
    /// Number of bytes of the message that were handed to the wire.
    sent: usize,
    /// Start of the message on the socket and its time, until it was sent.
    timed: Option<MessageTimes>,
    begun: u64,
    completed: u64,
    /// The socket takes nothing more. A receive returns the reason.
    is_broken: bool,
    /// This direction has ended.
    pub(super) has_ended: bool,
}

impl Outgoing {
    /// Begins a message. The one before is sent.
    pub(super) fn begin(&mut self, wire: &mut ObservedWire, message: Vec<u8>) {
        self.begun += 1;
        let (start, begun) = (wire.tap.sent, wire.tap.now());
        self.timed = Some(MessageTimes { start, begun, ..MessageTimes::default() });
        self.message = if wire.encode(&message) { Vec::new() } else { message };
        self.sent = 0;
    }

    /// Sends what the socket accepts; returns `true` if nothing waits.
    pub(super) fn advance(&mut self, wire: &mut ObservedWire, times: &mut Times) -> bool {
        while self.sent < self.message.len() && !self.is_broken {
            match wire.transmit(&self.message[self.sent..], || 0) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return false,
                Err(_) => self.is_broken = true,
            }
        }
        if self.is_broken || !wire.flush() {
            return false;
        }
        if let Some(message) = self.timed.take() {
            self.completed += 1;
            if times.messages.len() < MAX_TIMED {
                times.messages.push(MessageTimes { end: wire.tap.sent, ..message });
            }
        }
        true
    }

    /// Ends this direction, after a message that is complete.
    pub(super) fn end(&mut self, wire: &mut ObservedWire) {
        if !std::mem::replace(&mut self.has_ended, true) {
            wire.half_close();
        }
    }

    /// Returns the number of messages that were begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Returns the number of messages that were sent completely.
    pub(super) fn completed(&self) -> u64 {
        self.completed
    }
}

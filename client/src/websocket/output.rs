//! Frames of a session that wait to be sent.

use super::encoder::{Encoder, Opcode};

/// Length of the output from which a pong waits, and takes the place of one that waits already (RFC 6455, section 5.5.3): a
/// server may send pings and never read.
pub(super) const MAX_OUTPUT: usize = 64 * 1024;

/// Frames to send, the last of which is a close frame.
#[derive(Debug, Default)]
pub(super) struct Output {
    encoder: Encoder,
    bytes: Vec<u8>,
    /// Number of the bytes that were sent.
    sent: usize,
    /// Payload of the last ping whose pong waits for room.
    pong: Option<Vec<u8>>,
    has_close: bool,
}

impl Output {
    /// Adds a frame, unless there is a close frame.
    pub(super) fn push(&mut self, opcode: Opcode, is_final: bool, payload: &[u8]) {
        if !self.has_close {
            self.encoder.frame(&mut self.bytes, opcode, is_final, payload);
        }
    }

    /// Adds the pong to a ping, now or when there is room.
    pub(super) fn push_pong(&mut self, payload: Vec<u8>) {
        self.pong = Some(payload);
        self.push_waiting_pong();
    }

    fn push_waiting_pong(&mut self) {
        if self.unsent().len() < MAX_OUTPUT
            && let Some(payload) = self.pong.take()
        {
            self.push(Opcode::Pong, true, &payload);
        }
    }

    /// Adds a close frame, unless there is one. A message that is not complete is given up.
    pub(super) fn close(&mut self, code: Option<u16>) {
        let payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        self.push(Opcode::Close, true, &payload);
        self.has_close = true;
    }

    /// Returns `true` if a close frame was added.
    pub(super) fn has_close(&self) -> bool {
        self.has_close
    }

    /// Returns the bytes to send.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Marks the first `count` bytes as sent.
    pub(super) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        // Bytes that are never sent completely must not grow either.
        if self.sent == self.bytes.len() || self.sent >= MAX_OUTPUT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.push_waiting_pong();
    }

    /// Drops everything: nothing can be sent any more.
    pub(super) fn discard(&mut self) {
        self.pong = None;
        self.mark_sent(self.unsent().len());
    }

    /// Returns how much memory the bytes take.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

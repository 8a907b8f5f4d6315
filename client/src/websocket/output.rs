//! Frames that wait to be sent, with a bound on those that the server asks for.

use super::encoder::{Encoder, Opcode};

/// Length of the output from which a pong waits, and takes the place of one that waits already (RFC 6455, section 5.5.3): a
/// server may send pings and never read.
const MAX_OUTPUT: usize = 64 * 1024;

/// Capacity up to which an empty output is kept. An idle connection needs no buffer.
const KEPT: usize = 1024;

/// Output of one connection.
#[derive(Debug, Default)]
pub(crate) struct Output {
    encoder: Encoder,
    /// Encoded frames.
    frames: Vec<u8>,
    /// Number of their bytes that were sent.
    sent: usize,
    /// Payload of the last ping, whose pong waits for room, or for the end of a frame.
    pong: Option<Vec<u8>>,
    /// A close frame is the last one.
    is_closed: bool,
}

impl Output {
    /// Returns the bytes to send.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.frames[self.sent..]
    }

    /// Returns `true` if there is nothing to send.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.frames.len()
    }

    /// Returns `true` if a close frame was encoded, or given up because of a frame that was not complete.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Marks the first `count` bytes as sent.
    #[inline]
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        if self.is_empty() {
            self.clear();
        } else if self.sent >= MAX_OUTPUT {
            // An output that is never sent completely must not grow either.
            self.frames.drain(..self.sent);
            self.sent = 0;
        }
        self.encode_pong();
    }

    /// Drops everything: nothing can be sent any more.
    pub(crate) fn discard(&mut self) {
        self.pong = None;
        self.clear();
    }

    fn clear(&mut self) {
        self.sent = 0;
        if self.frames.capacity() > KEPT {
            self.frames = Vec::new();
        } else {
            self.frames.clear();
        }
    }

    /// Encodes a frame. After a close frame nothing is encoded.
    pub(crate) fn push(&mut self, opcode: Opcode, is_final: bool, payload: &[u8]) {
        if !self.is_closed {
            self.encoder.frame(&mut self.frames, opcode, is_final, payload);
        }
    }

    /// Encodes the header of a message in one frame, whose payload follows in any number of parts.
    #[inline]
    pub(crate) fn begin(&mut self, opcode: Opcode, len: u64) {
        self.encoder.begin(&mut self.frames, opcode, true, len);
    }

    /// Encodes the next part of the payload.
    #[inline]
    pub(crate) fn extend(&mut self, part: &[u8]) {
        self.encoder.continue_frame(&mut self.frames, part);
        self.encode_pong();
    }

    /// Returns how much of the payload of the current frame is missing.
    #[inline]
    pub(crate) fn missing(&self) -> u64 {
        self.encoder.missing()
    }

    /// Reserves room for `additional` bytes.
    #[inline]
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.frames.reserve(additional);
    }

    /// Answers a ping, at once or as soon as there is room. Only the last ping that waits gets an answer.
    pub(crate) fn push_pong(&mut self, payload: Vec<u8>) {
        self.pong = Some(payload);
        self.encode_pong();
    }

    #[inline]
    fn encode_pong(&mut self) {
        if self.pong.is_some() {
            self.encode_waiting_pong();
        }
    }

    fn encode_waiting_pong(&mut self) {
        if self.encoder.missing() == 0
            && self.bytes().len() < MAX_OUTPUT
            && let Some(payload) = self.pong.take()
        {
            self.push(Opcode::Pong, true, &payload);
        }
    }

    /// Encodes a close frame, with a code. Further calls have no effect.
    pub(crate) fn close(&mut self, code: Option<u16>) {
        // A frame that is not complete is given up, and with it everything after it.
        if self.encoder.missing() == 0 {
            let payload = code.map(u16::to_be_bytes);
            self.push(Opcode::Close, true, payload.as_ref().map_or(&[], |code| code));
        }
        self.is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the payload of the last frame of a stream, which has this length.
    fn last_payload(stream: &[u8], len: usize) -> Vec<u8> {
        let (key, payload) = stream[stream.len() - len - 4..].split_at(4);
        payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    #[test]
    fn pings_of_a_server_that_reads_little_cost_little_memory_and_the_last_is_answered() {
        // A server that never reads, one that reads a byte for each ping, and one that almost keeps up.
        for read in [0, 1, 9] {
            let (mut output, mut stream) = (Output::default(), Vec::new());
            let mut send = |output: &mut Output, count| {
                stream.extend_from_slice(&output.bytes()[..count]);
                output.mark_sent(count);
            };
            for number in 0..100_000_u32 {
                output.push_pong(number.to_be_bytes().to_vec());
                send(&mut output, read);
            }
            assert!(output.frames.capacity() <= 300_000, "{}", output.frames.capacity());
            while !output.is_empty() {
                let count = output.bytes().len();
                send(&mut output, count);
            }
            assert_eq!(last_payload(&stream, 4), 99_999_u32.to_be_bytes());
            assert!(output.frames.capacity() <= KEPT, "{}", output.frames.capacity());
        }
    }

    #[test]
    fn after_a_close_frame_nothing_follows() {
        let mut output = Output::default();
        output.close(Some(1000));
        let len = output.bytes().len();
        output.push(Opcode::Text, true, b"late");
        output.push_pong(b"?".to_vec());
        output.close(None);
        assert_eq!(output.bytes().len(), len);
        assert_eq!(last_payload(output.bytes(), 2), 1000_u16.to_be_bytes());
    }

    #[test]
    fn a_frame_that_is_not_complete_is_followed_by_no_other() {
        let mut output = Output::default();
        output.begin(Opcode::Binary, 3);
        output.extend(b"on");
        output.push_pong(b"?".to_vec());
        let len = output.bytes().len();
        output.close(Some(1000));
        assert!(output.is_closed() && output.bytes().len() == len);
    }
}

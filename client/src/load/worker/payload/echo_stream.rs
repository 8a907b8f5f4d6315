//! Bytes that a server without faults sends: the echo of each message, over WebSocket with its frame header.

use super::streams::{Streams, to_index};

/// Echo of the messages of one connection, from its first one on.
///
/// Positions count its bytes, with frame headers, and messages from the first one of the connection.
#[derive(Clone, Debug)]
pub(crate) struct EchoStream {
    streams: Streams,
    /// Number of the channel that sends the messages.
    channel: u64,
    /// Line of the channel with which the connection begins, and its offset in the channel's stream.
    first: (u64, u64),
    /// First byte of a frame header; `None` without WebSocket.
    opcode: Option<u8>,
    /// Start of each message, if they differ in length: in the echo, and in the payload. The last one is the end of the others.
    starts: Vec<(u64, u64)>,
}

impl EchoStream {
    /// Creates the echo of a connection of this channel that begins with line `first.0`, at the offset `first.1` of the channel's
    /// stream. `opcode` is the first byte of a frame header of WebSocket.
    pub(crate) fn new(
        streams: &Streams,
        channel: u64,
        first: (u64, u64),
        opcode: Option<u8>,
    ) -> Self {
        Self { streams: streams.clone(), channel, first, opcode, starts: vec![(0, 0)] }
    }

    /// Sets the first byte of a frame header, before any position is known.
    pub(crate) fn set_opcode(&mut self, opcode: Option<u8>) {
        (self.opcode, self.starts) = (opcode, vec![(0, 0)]);
    }

    /// Returns `true` if a message has a header, so that its number names it.
    pub(crate) fn has_headers(&self) -> bool {
        self.opcode.is_some()
    }

    /// Returns the start of a message, which is the end of the one before.
    pub(crate) fn start_of(&mut self, message: u64) -> u64 {
        self.starts_of(message).0
    }

    /// Returns the number of the message that contains a position.
    pub(crate) fn message_at(&mut self, position: u64) -> u64 {
        if let Some(len) = self.streams.uniform_len() {
            return position / (self.header_len(len) + len);
        }
        while self.starts.last().is_some_and(|&(end, _)| end <= position) {
            self.push_start();
        }
        (self.starts.partition_point(|&(start, _)| start <= position) - 1) as u64
    }

    /// Returns `true` if a message starts at a position.
    pub(crate) fn is_start(&mut self, position: u64) -> bool {
        let message = self.message_at(position);
        self.start_of(message) == position
    }

    /// Fills a buffer with the bytes from a position on.
    pub(crate) fn fill(&mut self, position: u64, buffer: &mut [u8]) {
        let mut message = self.message_at(position);
        let (mut at, mut rest) = (position, buffer);
        while !rest.is_empty() {
            let (start, payload) = self.starts_of(message);
            let len = self.len_of(message);
            let header = self.header(len);
            let end = start + header.len() as u64 + len;
            let (part, others) = rest.split_at_mut(rest.len().min(to_index(end - at)));
            let in_header = header.get(to_index(at - start)..).unwrap_or_default();
            let (head, body) = part.split_at_mut(part.len().min(in_header.len()));
            head.copy_from_slice(&in_header[..head.len()]);
            if let Some(last) = body.len().checked_sub(1) {
                let skipped = at + head.len() as u64 - start - header.len() as u64;
                self.streams.write_characters(self.channel, self.first.1 + payload + skipped, body);
                if skipped + body.len() as u64 == len {
                    body[last] = b'\n';
                }
            }
            (at, rest, message) = (end, others, message + 1);
        }
    }

    /// Returns the bytes of a range.
    pub(crate) fn bytes(&mut self, position: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(position, &mut bytes);
        bytes
    }

    /// Returns the length of the payload of a message.
    pub(crate) fn len_of(&self, message: u64) -> u64 {
        self.streams.line_len(self.channel, self.first.0 + message)
    }

    /// Returns the start of a message in the echo, and in the payload.
    fn starts_of(&mut self, message: u64) -> (u64, u64) {
        if let Some(len) = self.streams.uniform_len() {
            return (message * (self.header_len(len) + len), message * len);
        }
        while self.starts.len() as u64 <= message {
            self.push_start();
        }
        self.starts[to_index(message)]
    }

    fn push_start(&mut self) {
        let message = self.starts.len() as u64 - 1;
        let (start, payload) = self.starts[to_index(message)];
        let len = self.len_of(message);
        self.starts.push((start + self.header_len(len) + len, payload + len));
    }

    fn header_len(&self, len: u64) -> u64 {
        self.header(len).len() as u64
    }

    /// Returns the header of a frame without a mask (RFC 6455, section 5.2).
    fn header(&self, len: u64) -> Vec<u8> {
        let Some(opcode) = self.opcode else { return Vec::new() };
        let mut header = vec![opcode];
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(short @ ..=125), _) => header.push(short),
            (_, Ok(medium)) => {
                header.push(126);
                header.extend(medium.to_be_bytes());
            }
            _ => {
                header.push(127);
                header.extend(len.to_be_bytes());
            }
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::worker::payload::cursor::Cursor;

    #[test]
    fn the_echo_of_a_stream_is_the_stream_from_the_first_line_on() {
        for sizes in [64..=64, 33..=90] {
            let streams = Streams::new(7, sizes);
            let mut cursor = Cursor::new(&streams, 3);
            cursor.advance(&streams, cursor.len_of_lines(&streams, 5));
            let mut echo = EchoStream::new(&streams, 3, (5, cursor.offset()), None);
            let mut expected = vec![0; 1000];
            cursor.fill(&streams, &mut expected);
            assert_eq!(echo.bytes(0, 1000), expected);
            for at in [1, 63, 64, 65, 500] {
                assert_eq!(echo.bytes(at, 400), expected[to_index(at)..][..400], "from {at}");
                let message = echo.message_at(at);
                assert!(echo.start_of(message) <= at && at < echo.start_of(message + 1));
            }
        }
    }

    #[test]
    fn a_message_of_a_websocket_has_a_header() {
        let streams = Streams::new(7, 100..=200);
        let mut echo = EchoStream::new(&streams, 0, (0, 0), Some(0x82));
        for message in 0..20 {
            let (start, len) = (echo.start_of(message), echo.len_of(message));
            assert!(echo.is_start(start) && !echo.is_start(start + 1));
            let header = echo.bytes(start, 4);
            match len {
                ..=125 => assert_eq!(u64::from(header[1]), len),
                _ => assert_eq!(header[1..], [126, 0, u8::try_from(len).unwrap()]),
            }
            let end = echo.start_of(message + 1);
            assert_eq!(echo.bytes(end - 1, 2), [b'\n', 0x82]);
        }
    }
}

//! Decoder of the frames of a server.
//!
//! It copies nothing of a message: it tells which part of the input is payload. Only headers that are cut off and the
//! payload of control frames are kept.

use std::ops::Range;

use common::utf8::Utf8;

use super::close::{Close, Violation};

/// Maximum length of a header without a mask.
const MAX_HEADER: usize = 10;

/// Maximum length of the payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// What a part of the input means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Bytes of a message, possibly none.
    Payload {
        /// Where they are in the input.
        range: Range<usize>,
        /// The message is a text.
        is_text: bool,
        /// The message ends after them.
        is_end: bool,
    },
    /// Ping, with its payload.
    Ping(Vec<u8>),
    /// Pong, with its payload.
    Pong(Vec<u8>),
    /// Close.
    Close(Close),
}

/// State between two parts of the input.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Bytes of a header that is cut off, and their number.
    header: [u8; MAX_HEADER],
    header_len: u8,
    frame: Option<Frame>,
    /// A message has begun and has not ended.
    is_in_message: bool,
    /// It is a text.
    is_text: bool,
    utf8: Utf8,
    /// Payload of a control frame so far.
    control: Vec<u8>,
}

/// Frame whose header is complete.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    /// Bytes of payload that have not been received.
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data { is_final: bool },
    Close,
    Ping,
    Pong,
}

impl Decoder {
    /// Decodes the beginning of the input: returns how much of it, and its meaning. Without a meaning, all of the input
    /// was decoded.
    ///
    /// # Errors
    ///
    /// How the server broke the protocol.
    #[inline]
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), Violation> {
        let mut at = 0;
        loop {
            let Some(frame) = &mut self.frame else {
                if !self.read_header(input, &mut at)? {
                    return Ok((at, None));
                }
                continue;
            };
            let available = input.len() - at;
            if available == 0 && frame.left > 0 {
                return Ok((at, None));
            }
            let take = usize::try_from(frame.left).map_or(available, |left| left.min(available));
            let range = at..at + take;
            at += take;
            frame.left -= take as u64;
            let (kind, is_complete) = (frame.kind, frame.left == 0);
            if is_complete {
                self.frame = None;
            }
            if let Kind::Data { is_final } = kind {
                let is_end = is_complete && is_final;
                self.is_in_message = !is_end;
                if self.is_text {
                    self.check_text(&input[range.clone()], is_end)?;
                }
                let is_text = self.is_text;
                return Ok((at, Some(Event::Payload { range, is_text, is_end })));
            }
            self.control.extend_from_slice(&input[range]);
            if is_complete {
                return Ok((at, Some(self.control_event(kind)?)));
            }
        }
    }

    /// Checks the next part of a text.
    fn check_text(&mut self, part: &[u8], is_end: bool) -> Result<(), Violation> {
        if self.utf8.check(part) && (!is_end || self.utf8.end()) {
            Ok(())
        } else {
            Err(Violation::not_utf8("a text message is not UTF-8"))
        }
    }

    fn control_event(&mut self, kind: Kind) -> Result<Event, Violation> {
        let payload = std::mem::take(&mut self.control);
        Ok(match kind {
            Kind::Ping => Event::Ping(payload),
            Kind::Pong => Event::Pong(payload),
            _ => Event::Close(Close::parse(&payload)?),
        })
    }

    /// Reads a header; returns `false` if the input ends before it is complete.
    #[inline]
    fn read_header(&mut self, input: &[u8], at: &mut usize) -> Result<bool, Violation> {
        loop {
            let len = usize::from(self.header_len);
            let needed = match self.header[1] & 0x7f {
                _ if len < 2 => 2,
                126 => 4,
                127 => MAX_HEADER,
                _ => 2,
            };
            if len == needed {
                break;
            }
            let Some(&byte) = input.get(*at) else { return Ok(false) };
            self.header[len] = byte;
            self.header_len += 1;
            *at += 1;
        }
        let frame = self.parse_header()?;
        if let opcode @ (1 | 2) = self.header[0] & 0xf {
            self.is_text = opcode == 1;
        }
        self.frame = Some(frame);
        self.header_len = 0;
        Ok(true)
    }

    fn parse_header(&self) -> Result<Frame, &'static str> {
        let [first, second, rest @ ..] = &self.header;
        if first & 0x70 != 0 {
            return Err("a frame has a reserved bit, and no extension was negotiated");
        }
        if second & 0x80 != 0 {
            return Err("a frame is masked, which only a client may do");
        }
        let (left, minimum) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), 126),
            127 => (u64::from_be_bytes(*rest), 1 << 16),
            len => (u64::from(len), 0),
        };
        if left < minimum || left > u64::MAX >> 1 {
            return Err("the length of a frame has an invalid form");
        }
        let is_final = first & 0x80 != 0;
        let kind = match first & 0xf {
            0 if !self.is_in_message => return Err("a fragment continues no message"),
            1 | 2 if self.is_in_message => {
                return Err("a message begins before the previous one has ended");
            }
            0..=2 => Kind::Data { is_final },
            8 => Kind::Close,
            9 => Kind::Ping,
            10 => Kind::Pong,
            _ => return Err("a frame has a reserved opcode"),
        };
        if !matches!(kind, Kind::Data { .. }) {
            if !is_final {
                return Err("a control frame is fragmented");
            }
            if left > MAX_CONTROL {
                return Err("a control frame is longer than 125 bytes");
            }
        }
        Ok(Frame { kind, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the pieces of a stream: messages, and the names of control frames between them.
    fn decode(pieces: &[&[u8]]) -> Result<Vec<String>, Violation> {
        let (mut decoder, mut events, mut message) = (Decoder::default(), Vec::new(), Vec::new());
        for mut input in pieces.iter().copied() {
            while !input.is_empty() {
                let (consumed, event) = decoder.decode(input)?;
                match event {
                    Some(Event::Payload { range, is_end, .. }) => {
                        message.extend_from_slice(&input[range]);
                        if is_end {
                            events.push(String::from_utf8(std::mem::take(&mut message)).unwrap());
                        }
                    }
                    Some(Event::Close(close)) => events.push(close.to_string()),
                    Some(event) => events.push(format!("{event:?}")),
                    None => assert_eq!(consumed, input.len()),
                }
                input = &input[consumed..];
            }
        }
        Ok(events)
    }

    /// A fragmented message with control frames between its fragments, empty frames, and a frame with a long length.
    fn stream() -> Vec<u8> {
        let mut stream = b"\x01\x02he\x89\x01!\x00\x00\x80\x03llo\x8a\x00\x82\x00".to_vec();
        stream.extend(b"\x81\x7e\x00\x7e");
        stream.extend([b'x'; 126]);
        stream.extend(b"\x88\x02\x03\xe8");
        stream
    }

    #[test]
    fn decodes_the_same_at_every_split() {
        let stream = stream();
        let expected = decode(&[&stream]).unwrap();
        let control = ["Ping([33])", "hello", "Pong([])", ""];
        assert_eq!(expected[..4], control);
        assert_eq!(expected[4..], ["x".repeat(126), "code 1000 (normal closure)".to_owned()]);
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(decode(&[head, tail]).as_ref(), Ok(&expected), "split at {at}");
        }
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(decode(&bytes), Ok(expected));
    }

    #[test]
    fn refuses_what_a_server_must_not_send() {
        for (frame, reason) in [
            (&b"\xc1\x00"[..], "a reserved bit"),
            (b"\x81\x81abcd!", "is masked"),
            (b"\x83\x00", "a reserved opcode"),
            (b"\x8b\x00", "a reserved opcode"),
            (b"\x80\x00", "continues no message"),
            (b"\x01\x00\x81\x00", "begins before"),
            (b"\x09\x00", "is fragmented"),
            (b"\x89\x7e\x00\x7e", "longer than 125"),
            (b"\x81\x7e\x00\x7d", "invalid form"),
            (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "invalid form"),
            (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "invalid form"),
            (b"\x88\x01\x03", "a close frame with one byte"),
        ] {
            let error = decode(&[frame]).unwrap_err();
            assert!(error.to_string().contains(reason), "{frame:?}: {error}");
            assert_eq!(error.code, 1002);
        }
    }

    #[test]
    fn refuses_a_text_at_its_first_byte_that_is_not_utf_8() {
        // A character in two fragments, with a ping between them, and binary bytes that are no character.
        let valid = b"\x01\x01\xc3\x89\x00\x80\x01\xa9\x82\x01\xff\x81\x00";
        let mut decoder = Decoder::default();
        let mut input = &valid[..];
        while !input.is_empty() {
            input = &input[decoder.decode(input).unwrap().0..];
        }
        for text in [
            &b"\x81\x7e\xff\xff\xff"[..],
            b"\x81\x01\xc3",
            b"\x01\x01\xc3\x80\x00",
            b"\x88\x03\x03\xe8\xff",
        ] {
            let error = decode(&[text]).unwrap_err();
            assert!(error.to_string().contains("is not UTF-8"), "{text:?}: {error}");
            assert_eq!(error.code, 1007);
        }
    }
}

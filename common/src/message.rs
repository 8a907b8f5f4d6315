//! Message boundaries, for the log.
//!
//! The server echoes without waiting for complete messages, so a message never spans two reads: a line that
//! arrives in two reads is two messages in the log. The server splits the same bytes twice, when it has
//! received them and when it has sent them, and both results must agree. So a splitter is a small value: the
//! server copies it when it receives, and runs the copy when it has sent.

use memchr::memchr;

use crate::{
    frame::{PREFIX_LEN, payload_len},
    protocol::Protocol,
};

/// Splits the bytes of one connection into messages.
///
/// ```
/// use common::{message::Splitter, protocol::Protocol};
/// let mut splitter = Splitter::new(Protocol::Text);
/// let first = splitter.next(b"one\r\ntwo").unwrap();
/// assert_eq!((first.text, first.len), (&b"one"[..], 5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splitter(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A message ends at a newline, or at the end of the read.
    Lines,
    /// A message is a whole read.
    Reads,
    /// A message is a frame, or the part of it in this read; `left` bytes of the current payload are missing.
    Frames { left: u32 },
    /// A message is a frame of a WebSocket server, or the part of it in this read.
    WebSocket { left: u32 },
}

/// Message, or the part of it in one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Content, without the newline or the prefix.
    pub text: &'a [u8],
    /// Length on the wire, in bytes.
    pub len: usize,
}

impl Splitter {
    /// Creates the splitter of a new connection that speaks `protocol`.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self(match protocol {
            Protocol::Text => Kind::Lines,
            Protocol::Raw => Kind::Reads,
            Protocol::Length => Kind::Frames { left: 0 },
        })
    }

    /// Creates the splitter of a WebSocket: of data frames without a mask (RFC 6455, section 5.2), shorter than 4 GiB.
    ///
    /// ```
    /// use common::message::Splitter;
    /// let message = Splitter::websocket().next(b"\x81\x05hello").unwrap();
    /// assert_eq!((message.text, message.len), (&b"hello"[..], 7));
    /// ```
    #[must_use]
    pub fn websocket() -> Self {
        Self(Kind::WebSocket { left: 0 })
    }

    /// Returns the first message in `bytes`, or `None` if `bytes` is empty.
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Option<Message<'a>> {
        if bytes.is_empty() {
            return None;
        }
        Some(match &mut self.0 {
            Kind::Lines => {
                let len = memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
                Message { text: without_newline(&bytes[..len]), len }
            }
            Kind::Reads => Message { text: without_newline(bytes), len: bytes.len() },
            Kind::Frames { left } => {
                frame(left, bytes, payload_len(bytes).map(|len| (PREFIX_LEN, len)))
            }
            Kind::WebSocket { left } => frame(left, bytes, websocket_header(bytes)),
        })
    }
}

/// Returns the message in the first frame, or in the rest of one. `header` is what the bytes would be at the beginning of a
/// frame: the lengths of its header and its payload.
fn frame<'a>(left: &mut u32, bytes: &'a [u8], header: Option<(usize, u32)>) -> Message<'a> {
    let text = if *left > 0 {
        bytes
    } else if let Some((len, payload)) = header {
        *left = payload;
        &bytes[len..]
    } else {
        // The stream ended inside a header. The bytes are no frame, but the log shows them.
        return Message { text: bytes, len: bytes.len() };
    };
    let prefix = bytes.len() - text.len();
    let here = text.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= u32::try_from(here).expect("at most `left`, a u32");
    Message { text: &text[..here], len: prefix + here }
}

/// Returns the lengths of the header and the payload of a server's frame.
fn websocket_header(bytes: &[u8]) -> Option<(usize, u32)> {
    let (_, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    Some(match short {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, u32::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, u32::from(short)),
    })
}

/// Returns a message without the newline (`\n` or `\r\n`) at its end.
#[must_use]
pub fn without_newline(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else {
        return bytes;
    };
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(protocol: Protocol, reads: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(protocol);
        let mut texts = Vec::new();
        for read in reads {
            let mut at = 0;
            while let Some(message) = splitter.next(&read[at..]) {
                texts.push(message.text.to_vec());
                at += message.len;
            }
        }
        texts
    }

    #[test]
    fn splits_text_at_newlines_and_at_the_end_of_a_read() {
        assert_eq!(
            texts(Protocol::Text, &[b"a\nb\r\n\nlone\rcr\nre", b"st\n"]),
            [&b"a"[..], b"b", b"", b"lone\rcr", b"re", b"st"]
        );
    }

    #[test]
    fn takes_a_raw_read_as_one_message() {
        assert_eq!(texts(Protocol::Raw, &[b"a\nb\n", b"c"]), [&b"a\nb"[..], b"c"]);
    }

    #[test]
    fn returns_the_payload_of_frames_and_continues_them_in_later_reads() {
        assert_eq!(
            texts(
                Protocol::Length,
                &[b"\0\0\0\x02hi\0\0\0\0\0\0\0\x05wo", b"rld\0\0\0\x01!", b"\0\0"]
            ),
            [&b"hi"[..], b"", b"wo", b"rld", b"!", b"\0\0"]
        );
    }

    proptest! {
        /// The messages cover any bytes without gap or overlap.
        #[test]
        fn messages_cover_the_bytes(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(0), any::<u8>()], 0..200)) {
            for protocol in [Protocol::Text, Protocol::Raw, Protocol::Length] {
                let mut splitter = Splitter::new(protocol);
                let mut at = 0;
                while let Some(message) = splitter.next(&bytes[at..]) {
                    prop_assert!(message.len > 0 && message.text.len() <= message.len);
                    at += message.len;
                }
                prop_assert_eq!(at, bytes.len());
            }
        }
    }
}

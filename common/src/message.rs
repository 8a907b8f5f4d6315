//! Where one message ends and the next begins, for the log.
//!
//! Echoing does not wait for messages, so a message is what a *read* holds of it: a line that came
//! in two reads is two messages to the log. The same bytes are split twice, when they have been
//! received and when they have been sent, and must fall apart the same way both times: a splitter is
//! a small value that can be copied at the first and run again at the second.

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
    /// Up to a newline, or to the end of the read.
    Lines,
    /// All of the read.
    Reads,
    /// Frames; `left` bytes of a payload that began in an earlier read are still to come.
    Frames { left: u32 },
}

/// One message, or as much of it as the read held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What to show of it: without its newline, without its prefix.
    pub text: &'a [u8],
    /// How many bytes it has on the wire.
    pub len: usize,
}

impl Splitter {
    /// For the first byte of a connection that speaks `protocol`.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self(match protocol {
            Protocol::Text => Kind::Lines,
            Protocol::Raw => Kind::Reads,
            Protocol::Length => Kind::Frames { left: 0 },
        })
    }

    /// The message at the head of `bytes`; `None` if there are none.
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
            Kind::Frames { left } => frame(left, bytes),
        })
    }
}

fn frame<'a>(left: &mut u32, bytes: &'a [u8]) -> Message<'a> {
    let text = if *left > 0 {
        bytes
    } else if let Some(payload) = payload_len(bytes) {
        *left = payload;
        &bytes[PREFIX_LEN..]
    } else {
        // A prefix cut off by the end of the stream: no frame, but it is shown.
        return Message { text: bytes, len: bytes.len() };
    };
    let prefix = bytes.len() - text.len();
    let here = text.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= u32::try_from(here).expect("at most `left`, a u32");
    Message { text: &text[..here], len: prefix + here }
}

/// A message without the newline at its end, if it has one.
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
    fn text_is_split_at_newlines_and_at_the_end_of_a_read() {
        assert_eq!(
            texts(Protocol::Text, &[b"a\nb\r\n\nlone\rcr\nre", b"st\n"]),
            [&b"a"[..], b"b", b"", b"lone\rcr", b"re", b"st"]
        );
    }

    #[test]
    fn raw_is_one_message_a_read() {
        assert_eq!(texts(Protocol::Raw, &[b"a\nb\n", b"c"]), [&b"a\nb"[..], b"c"]);
    }

    #[test]
    fn frames_show_their_payload_and_go_on_over_reads() {
        assert_eq!(
            texts(
                Protocol::Length,
                &[b"\0\0\0\x02hi\0\0\0\0\0\0\0\x05wo", b"rld\0\0\0\x01!", b"\0\0"]
            ),
            [&b"hi"[..], b"", b"wo", b"rld", b"!", b"\0\0"]
        );
    }

    proptest! {
        /// Whatever the bytes, the messages cover them without gap or overlap.
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

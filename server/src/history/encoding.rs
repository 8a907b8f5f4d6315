//! The form of messages in a batch and in the queue. It never leaves the process.
//!
//! A message is: flags, time, sequence (if it has one), origin (unless it is that of the message before), length, body.

use bytes::{Buf as _, BufMut as _};

use super::message::{Message, Origin};
use crate::config::history_limits;

const HAS_ORIGIN: u8 = 1;
const HAS_SEQUENCE: u8 = 2;
const DIRECTION_SHIFT: u32 = 2;

/// A message, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Unix microseconds.
    pub(super) time: i64,
    /// Encoded origin, if it is not that of the message before.
    pub(super) origin: Option<&'a [u8]>,
    pub(super) direction: u8,
    pub(super) sequence: Option<u64>,
    /// Length of the message; `body` has at most the first part.
    pub(super) length: u64,
    pub(super) body: &'a [u8],
}

/// Adds a message to `out`.
pub(super) fn encode(out: &mut Vec<u8>, time: i64, origin: Option<&[u8]>, message: &Message<'_>) {
    let body = &message.bytes[..message.bytes.len().min(history_limits::BODY)];
    let mut flags = (message.direction as u8) << DIRECTION_SHIFT;
    flags |= if origin.is_some() { HAS_ORIGIN } else { 0 };
    flags |= if message.sequence.is_some() { HAS_SEQUENCE } else { 0 };
    out.put_u8(flags);
    out.put_i64_ne(time);
    if let Some(sequence) = message.sequence {
        out.put_u64_ne(sequence);
    }
    if let Some(origin) = origin {
        put_bytes(out, origin);
    }
    out.put_u64_ne(message.bytes.len() as u64);
    put_bytes(out, body);
}

/// Takes the first message from `bytes`, or `None` at the end.
pub(super) fn decode<'a>(bytes: &mut &'a [u8]) -> Option<Record<'a>> {
    if bytes.is_empty() {
        return None;
    }
    let flags = bytes.get_u8();
    let time = bytes.get_i64_ne();
    let sequence = (flags & HAS_SEQUENCE != 0).then(|| bytes.get_u64_ne());
    let origin = (flags & HAS_ORIGIN != 0).then(|| take_bytes(bytes));
    let length = bytes.get_u64_ne();
    let body = take_bytes(bytes);
    Some(Record { time, origin, direction: flags >> DIRECTION_SHIFT, sequence, length, body })
}

/// Writes an origin into `out`, which it replaces.
pub(super) fn encode_origin(out: &mut Vec<u8>, origin: &Origin<'_>) {
    let Origin { listener, protocol, peer, user, room } = *origin;
    out.clear();
    for text in [Some(listener), Some(protocol), Some(peer), user, room] {
        out.put_u8(u8::from(text.is_some()));
        put_bytes(out, text.unwrap_or_default().as_bytes());
    }
}

/// Returns the parts of an origin: listener, protocol, peer, user and room.
pub(super) fn decode_origin(mut bytes: &[u8]) -> [Option<&str>; 5] {
    [(); 5].map(|()| {
        let is_present = bytes.get_u8() != 0;
        let text = take_bytes(&mut bytes);
        is_present.then(|| str::from_utf8(text).expect("an origin is encoded from text"))
    })
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32_ne(u32::try_from(bytes.len()).expect("names and bodies are shorter than 4 GiB"));
    out.put_slice(bytes);
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let len = bytes.get_u32_ne() as usize;
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::message::Direction;

    #[test]
    fn messages_and_their_origins_come_out_as_they_went_in() {
        let origin = Origin {
            listener: "tcp://[::]:7",
            protocol: "text",
            peer: "[::1]:5",
            user: None,
            room: Some("lobby"),
        };
        let (mut encoded, mut batch) = (Vec::new(), Vec::new());
        encode_origin(&mut encoded, &origin);
        let long = vec![7; history_limits::BODY + 1];
        let first = Message { direction: Direction::Sent, sequence: Some(9), bytes: b"a\0b" };
        let second = Message { direction: Direction::Received, sequence: None, bytes: &long };
        encode(&mut batch, -5, Some(&encoded), &first);
        encode(&mut batch, 6, None, &second);

        let mut bytes = &batch[..];
        let first = decode(&mut bytes).unwrap();
        assert_eq!((first.time, first.direction, first.sequence), (-5, 2, Some(9)));
        assert_eq!((first.length, first.body), (3, &b"a\0b"[..]));
        assert_eq!(
            decode_origin(first.origin.unwrap()),
            [Some("tcp://[::]:7"), Some("text"), Some("[::1]:5"), None, Some("lobby")]
        );
        let second = decode(&mut bytes).unwrap();
        assert_eq!((second.origin, second.direction, second.sequence), (None, 0, None));
        assert_eq!((second.length, second.body.len()), (65537, history_limits::BODY));
        assert_eq!(decode(&mut bytes), None);
    }
}

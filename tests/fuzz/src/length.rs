//! The `length` protocol: the server echoes complete frames, and streams frames that are too long to be an exit. An
//! exit or a frame over the limit ends the session.

use std::ops::Range;

use common::{
    frame,
    protocol::{MAX_EXIT_PAYLOAD, MAX_FRAME_PAYLOAD, Protocol},
};

use crate::{
    exchange::{self, Model, Progress},
    exit::is_exit_line,
    session::Reason,
};

/// Checks a session, and a frame with the input as its payload.
///
/// # Panics
///
/// If the session does not match the specification.
pub fn check(input: &[u8]) {
    exchange::check::<Length>(input);

    let frame = frame::encode(input).expect("an input is shorter than 4 GiB");
    assert_eq!(frame, encoded(input));
    let announced = frame::payload_len(&frame).map(u64::from);
    assert_eq!(announced, Some(input.len() as u64));
    assert_eq!(frame::payload_len(&frame[..frame.len().min(3)]), None);
}

struct Length;

impl Model for Length {
    const PROTOCOL: Protocol = Protocol::Length;

    fn progress(stream: &[u8], read: Range<usize>) -> Progress {
        let received = &stream[..read.end];
        let mut start = 0;
        while let Some(Frame { announced, payload, end }) = Frame::at(received, start) {
            if announced > MAX_FRAME_PAYLOAD {
                let reply = format!(
                    "Error: a frame of {announced} bytes is over the limit of {MAX_FRAME_PAYLOAD}"
                );
                return over(start, payload, Reason::FrameTooLong(announced), reply.as_bytes());
            }
            if end > received.len() {
                // The server echoes the received part of a streamed frame, and holds a frame that may be an exit.
                return Progress::echoed(match announced {
                    ..=MAX_EXIT_PAYLOAD => start,
                    _ => received.len(),
                });
            }
            if announced <= MAX_EXIT_PAYLOAD && is_exit_line(&received[payload..end]) {
                return over(start, end, Reason::Exit, b"Goodbye!");
            }
            start = end;
        }
        Progress::echoed(start)
    }

    fn message(stream: &[u8], part: Range<usize>) -> (&[u8], usize) {
        let mut start = 0;
        while let Some(frame) = Frame::at(stream, start) {
            if part.start < frame.end {
                let end = frame.end.min(part.end);
                return (&stream[part.start.max(frame.payload)..end], end);
            }
            start = frame.end;
        }
        // An incomplete prefix.
        (&stream[part.clone()], part.end)
    }
}

/// Position of a frame in a stream, which may end before the frame.
struct Frame {
    announced: u32,
    payload: usize,
    end: usize,
}

impl Frame {
    /// Returns the frame at `start`, if its prefix is complete.
    fn at(stream: &[u8], start: usize) -> Option<Self> {
        let [a, b, c, d, ..] = stream[start..] else { return None };
        let announced = u32::from_be_bytes([a, b, c, d]);
        let payload = start + 4;
        Some(Self { announced, payload, end: payload + announced as usize })
    }
}

fn over(echoed: usize, consumed: usize, reason: Reason, reply: &[u8]) -> Progress {
    Progress { echoed, consumed, end: Some((reason, encoded(reply))) }
}

fn encoded(payload: &[u8]) -> Vec<u8> {
    let [.., a, b, c, d] = payload.len().to_be_bytes();
    [&[a, b, c, d], payload].concat()
}

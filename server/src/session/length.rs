//! The `length` protocol: frames of a 4-byte length and a payload, which are echoed unchanged.
//!
//! A payload that is short enough for an exit is held until it is complete, by not consuming it. A longer
//! payload streams through, so the length of a frame costs no memory.

use std::borrow::Cow;

use common::{
    exit::{Newline, goodbye, is_exit},
    frame::{PREFIX_LEN, encode, payload_len},
    protocol::{MAX_EXIT_PAYLOAD, MAX_FRAME_PAYLOAD},
};

use super::step::{Next, Reason, Reply, Step};

/// State between two reads.
#[derive(Debug, Default)]
pub(crate) struct Length {
    /// Remaining bytes of a payload that streams through.
    streaming: u32,
}

impl Length {
    /// Returns what to do with one read. A message is a frame, and complete with its last byte.
    pub(super) fn receive(&mut self, input: &[u8]) -> Step {
        let (mut at, mut frames) = self.stream(input);
        while let Some(payload) = payload_len(&input[at..]) {
            let body = at + PREFIX_LEN;
            if payload > MAX_FRAME_PAYLOAD {
                let reply = too_long(payload);
                return end(at, body, frames, Reason::FrameTooLong(payload), reply);
            }
            if payload > MAX_EXIT_PAYLOAD {
                self.streaming = payload;
                let (passing, complete) = self.stream(&input[body..]);
                at = body + passing;
                frames += complete;
                continue;
            }
            let next = body + payload as usize;
            let Some(text) = input.get(body..next) else {
                break;
            };
            frames += 1;
            if is_exit(text) {
                return end(at, next, frames, Reason::Exit, frame(goodbye(Newline::None)));
            }
            at = next;
        }
        Step::echo(at, frames)
    }

    pub(super) fn unfinished_messages(&self) -> isize {
        isize::from(self.streaming > 0)
    }

    /// Passes bytes of a streaming payload. Returns their number, and 1 if they complete its frame.
    fn stream(&mut self, input: &[u8]) -> (usize, isize) {
        let passing = input.len().min(self.streaming as usize);
        self.streaming -= u32::try_from(passing).expect("at most `streaming`, a u32");
        (passing, isize::from(passing > 0 && self.streaming == 0))
    }
}

fn end(echo: usize, consumed: usize, messages: isize, reason: Reason, bytes: Vec<u8>) -> Step {
    let reply = Reply { bytes: Cow::Owned(bytes), next: Next::Close(reason) };
    Step { consumed, echo, messages, reply: Some(reply) }
}

fn too_long(payload: u32) -> Vec<u8> {
    frame(
        format!("Error: a frame of {payload} bytes is over the limit of {MAX_FRAME_PAYLOAD}")
            .as_bytes(),
    )
}

fn frame(payload: &[u8]) -> Vec<u8> {
    encode(payload).expect("a sentence is shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use common::protocol::Protocol;

    use super::*;
    use crate::session::tests::run_session;

    fn prefix(len: u32) -> Vec<u8> {
        len.to_be_bytes().to_vec()
    }

    /// The replies are the same at every split of the stream into two reads.
    #[track_caller]
    fn assert_at_every_split(stream: &[u8], replies: &[u8], reason: Option<&Reason>) {
        for at in 0..=stream.len() {
            let reads = [&stream[..at], &stream[at..]];
            assert_eq!(
                run_session(Protocol::Length, &reads),
                (replies.to_vec(), reason.cloned()),
                "split at {at}"
            );
        }
    }

    #[test]
    fn complete_frames_are_echoed_unchanged() {
        let stream =
            [frame(b"hello"), frame(b""), frame(b"exit stage left"), frame(&[0xff; 300])].concat();
        assert_at_every_split(&stream, &stream, None);
    }

    #[test]
    fn an_exit_is_answered_by_a_frame_and_nothing_after_it_is_echoed() {
        for exit in [&b"exit"[..], b"EXIT", b" exit\r\n"] {
            let stream = [frame(b"hello"), frame(exit), frame(b"more")].concat();
            assert_at_every_split(
                &stream,
                &[frame(b"hello"), frame(b"Goodbye!")].concat(),
                Some(&Reason::Exit),
            );
        }
    }

    /// Returns the echoed bytes and the complete messages of a step that consumes what it echoes.
    fn summary(step: &Step) -> (usize, isize) {
        assert!(step.reply.is_none() && step.consumed == step.echo);
        (step.echo, step.messages)
    }

    #[test]
    fn a_long_payload_streams_through() {
        let mut session = Length::default();
        let start = [prefix(MAX_EXIT_PAYLOAD + 1), b"abc".to_vec()].concat();
        assert_eq!(summary(&session.receive(&start)), (start.len(), 0));
        let rest = vec![b'x'; MAX_EXIT_PAYLOAD as usize - 2];
        assert_eq!(summary(&session.receive(&rest)), (rest.len(), 1));
        assert_eq!(summary(&session.receive(b"\0\0\0\x01")), (0, 0), "the next frame is held");
    }

    #[test]
    fn a_frame_over_the_maximum_length_is_refused() {
        let longest = prefix(MAX_FRAME_PAYLOAD);
        assert_at_every_split(&longest, &longest, None);
        for over in [MAX_FRAME_PAYLOAD + 1, u32::MAX] {
            let stream = [frame(b"ok"), prefix(over), b"whatever".to_vec()].concat();
            let replies = [frame(b"ok"), too_long(over)].concat();
            assert_at_every_split(&stream, &replies, Some(&Reason::FrameTooLong(over)));
        }
        let expected =
            b"\0\0\0\x40Error: a frame of 4294967295 bytes is over the limit of 16777216";
        assert_eq!(too_long(u32::MAX), expected);
    }

    #[test]
    fn an_incomplete_frame_is_echoed_at_the_end_of_the_stream() {
        assert_at_every_split(b"\0\0\0", b"\0\0\0", None);
        assert_at_every_split(b"\0\0\0\x05hel", b"\0\0\0\x05hel", None);
    }
}

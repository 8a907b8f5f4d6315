//! Frames of a WebSocket in front of a transcript: takes control frames out, and recognises a frame that is masked.
//!
//! The frames of echoes stay as they are, since their headers are part of the echo.

use std::ops::Range;

use super::transcript::Transcript;
use crate::{
    load::{ipc::observation::Control, worker::payload::block::is_character},
    websocket::Opcode,
};

/// First byte of a control frame.
const CLOSE: u8 = 0x80 | Opcode::Close as u8;
const PING: u8 = 0x80 | Opcode::Ping as u8;
const PONG: u8 = 0x80 | Opcode::Pong as u8;

/// Bit of the second byte that tells that the frame is masked.
const MASKED: u8 = 0x80;

/// Length of the longest payload of a control frame (RFC 6455, section 5.5).
const MAX_CONTROL: u8 = 125;

/// Code of a close frame without a code (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// Number of bytes by which a payload is recognised.
const SAMPLE: usize = 4;

/// Frames of one connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes from the start of a frame on that do not tell yet what it is.
    held: Vec<u8>,
    /// Number of placed bytes at which a frame started that is an echo.
    echo_at: Option<u64>,
    pub(super) controls: Vec<Control>,
    pub(super) close_code: Option<u16>,
    pub(super) masked_at: Option<u64>,
    /// Payload of the last ping, to be answered.
    pub(super) ping: Option<Vec<u8>>,
}

/// What starts with some bytes.
enum Start {
    /// The bytes do not tell.
    Unknown,
    /// An echo, which may be damaged.
    Echo,
    /// A control frame of this length, with its header.
    Control(usize),
    /// A frame with a mask.
    Masked,
}

impl Frames {
    /// Adds received bytes, and passes echoes to the transcript. After a masked frame, it does nothing.
    pub(super) fn receive(
        &mut self,
        transcript: &mut Transcript,
        bytes: &[u8],
        sent: u64,
        mut on_placed: impl FnMut(Range<u64>),
    ) {
        self.held.extend_from_slice(bytes);
        self.advance(transcript, sent, false, &mut on_placed);
    }

    fn advance(
        &mut self,
        transcript: &mut Transcript,
        sent: u64,
        is_final: bool,
        on_placed: &mut impl FnMut(Range<u64>),
    ) {
        while self.masked_at.is_none() {
            let is_new = self.echo_at != Some(transcript.placed());
            if is_new && transcript.is_at_start() {
                let mut held = transcript.take_pending();
                held.append(&mut self.held);
                self.held = held;
                if self.held.is_empty() {
                    return;
                }
                match start(&self.held, transcript) {
                    Start::Unknown if is_final => self.echo_at = Some(transcript.placed()),
                    Start::Unknown => return,
                    Start::Control(len) => self.take_control(transcript.placed(), len),
                    Start::Masked => self.masked_at = Some(transcript.placed()),
                    Start::Echo => self.echo_at = Some(transcript.placed()),
                }
                continue;
            }
            // The transcript stops behind a message, since a control frame may follow.
            let placed = transcript.placed();
            transcript.add(&std::mem::take(&mut self.held));
            transcript.place_message(sent, is_final, &mut *on_placed);
            if transcript.placed() == placed {
                return;
            }
        }
    }

    /// Passes everything to the transcript: no more bytes will come.
    pub(super) fn finish(
        &mut self,
        transcript: &mut Transcript,
        sent: u64,
        mut on_placed: impl FnMut(Range<u64>),
    ) {
        self.advance(transcript, sent, true, &mut on_placed);
    }

    /// Returns the number of bytes that it holds.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn take_control(&mut self, at: u64, len: usize) {
        let frame: Vec<u8> = self.held.drain(..len).collect();
        self.controls.push(Control { at, len: len as u64 });
        match frame[0] {
            CLOSE => {
                let code = frame.get(2..4).map(|code| u16::from_be_bytes([code[0], code[1]]));
                self.close_code.get_or_insert(code.unwrap_or(NO_CODE));
            }
            PING => self.ping = Some(frame[2..].to_vec()),
            _ => {}
        }
    }
}

/// Returns what starts with these bytes, at the start of a message.
fn start(held: &[u8], transcript: &mut Transcript) -> Start {
    let expected = transcript.expected(2);
    let [first, second, rest @ ..] = held else {
        let may_be_control = matches!(held[0], CLOSE | PING | PONG);
        return if may_be_control || held[0] == expected[0] { Start::Unknown } else { Start::Echo };
    };
    if matches!(*first, CLOSE | PING | PONG) && *second <= MAX_CONTROL {
        // A damaged header is followed by an echo.
        let is_payload = rest.len() >= SAMPLE && rest[..SAMPLE].iter().all(|&it| is_character(it));
        let len = 2 + usize::from(*second);
        return match held.len() {
            _ if is_payload && *second == expected[1] => Start::Echo,
            have if have < len => Start::Unknown,
            _ => Start::Control(len),
        };
    }
    if *second & MASKED == 0 {
        return Start::Echo;
    }
    let extended = match second & !MASKED {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(sample) = rest.get(extended..extended + 4 + SAMPLE) else { return Start::Unknown };
    let (key, payload) = sample.split_at(4);
    // Two characters of a payload, combined, are none.
    let is_masked = payload.iter().zip(key).all(|(byte, key)| is_character(byte ^ key));
    if is_masked { Start::Masked } else { Start::Echo }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        ipc::observation::Piece,
        worker::payload::{echo_stream::EchoStream, streams::Streams},
    };

    fn echo() -> EchoStream {
        EchoStream::new(&Streams::new(5, 40..=300), 1, (0, 0), Some(0x82))
    }

    fn frame(number: u64) -> Vec<u8> {
        let mut echo = echo();
        let (start, end) = (echo.start_of(number), echo.start_of(number + 1));
        echo.bytes(start, usize::try_from(end - start).unwrap())
    }

    /// Returns what is found in these bytes, which arrive in parts.
    fn run(bytes: &[u8], part: usize) -> (Frames, Vec<Piece>, usize) {
        let (mut frames, mut transcript) = (Frames::default(), Transcript::new(echo()));
        let sent = echo().start_of(20);
        for part in bytes.chunks(part) {
            frames.receive(&mut transcript, part, sent, |_| {});
        }
        frames.finish(&mut transcript, sent, |_| {});
        let (pieces, damage, _) = transcript.into_parts();
        (frames, pieces, damage.len())
    }

    #[test]
    fn control_frames_are_taken_out_also_after_a_missing_message() {
        let (ping, close) = ([0x89, 3, b'a', b'b', b'c'], [0x88, 2, 3, 0xe8]);
        for numbers in [&[0, 1, 2][..], &[0, 2, 3], &[0, 1, 3]] {
            let echoes: Vec<_> = numbers.iter().map(|&number| frame(number)).collect();
            let bytes = [&echoes[0], &ping[..], &echoes[1], &echoes[2], &close].concat();
            for part in [1, 3, 64, 5000] {
                let (frames, pieces, damage) = run(&bytes, part);
                assert_eq!((frames.close_code, damage), (Some(1000), 0), "{numbers:?}");
                assert_eq!(frames.controls.len(), 2);
                assert_eq!(frames.ping.as_deref(), Some(&b"abc"[..]));
                assert_eq!(pieces.len(), if numbers == [0, 1, 2] { 1 } else { 2 });
            }
        }
    }

    #[test]
    fn a_masked_frame_is_recognised_and_a_damaged_header_is_not_one() {
        let mut masked = frame(1);
        let header = if masked[1] == 126 { 4 } else { 2 };
        let key = [9, 0x80, 200, 77];
        masked[1] |= 0x80;
        let payload: Vec<_> =
            masked[header..].iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        let bytes = [&frame(0)[..], &masked[..header], &key, &payload, &frame(2)].concat();
        for part in [1, 10, 5000] {
            let (frames, _, damage) = run(&bytes, part);
            assert_eq!((frames.masked_at, damage), (Some(frame(0).len() as u64), 0));
        }
        for (at, mask) in [(0, 0x0a), (0, 0x0b), (1, 0x80), (1, 1), (2, 1)] {
            let mut damaged = frame(1);
            damaged[at] ^= mask;
            let bytes = [&frame(0)[..], &damaged, &frame(2)].concat();
            for part in [1, 10, 5000] {
                let (frames, pieces, damage) = run(&bytes, part);
                assert_eq!((frames.masked_at, frames.controls.len()), (None, 0), "{at} {mask}");
                assert_eq!((pieces.len(), damage), (1, 1), "{at} {mask} {part}");
            }
        }
    }
}

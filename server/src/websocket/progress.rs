//! The place in a stream of frames: of the connection, and of one call.

use common::{exit::is_exit, protocol::MAX_EXIT_PAYLOAD, utf8::Utf8};

use super::{
    frame::{Header, Opcode},
    mask::unmask,
};
use crate::config::limits;

/// The rest of a frame's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streaming {
    pub(super) left: u64,
    pub(super) mask: [u8; 4],
    pub(super) is_final: bool,
    /// What the frame inflates to may be an exit.
    pub(super) may_be_exit: bool,
}

/// A message under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) is_compressed: bool,
    /// The check of its text. It is here because it fills the padding: a WebSocket that is idle takes less memory.
    pub(super) utf8: Utf8,
    /// Payload of its frames so far, with that of the present one.
    pub(super) len: u64,
}

/// Positions in the input of one call.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Consumed bytes.
    pub(super) read: usize,
    /// Bytes of the echo, which are at the beginning.
    pub(super) echo: usize,
    /// Bytes for the log: those of the echo, and an exit.
    pub(super) logged: usize,
    /// The place in the echo of the header of the present frame, if it has arrived in this call.
    pub(super) header_at: Option<usize>,
    /// The last frame is an exit, of this type.
    pub(super) exit: Option<Opcode>,
    /// Complete frames.
    pub(super) frames: isize,
    /// Bytes that the compressed payload has inflated to.
    pub(super) inflated: usize,
}

impl Progress {
    /// Returns whether the step has inflated as much as it may.
    pub(super) fn is_share_used(&self) -> bool {
        self.inflated >= limits::INFLATED
    }
}

/// Returns the payload of a control frame without its mask, and consumes it. `None`: it is not complete.
pub(super) fn complete<'a>(
    input: &'a mut [u8],
    progress: &mut Progress,
    header: Header,
) -> Option<&'a [u8]> {
    let len = usize::try_from(header.payload).unwrap_or(usize::MAX);
    let from = progress.read + header.len;
    if input.len() < from + len {
        return None;
    }
    unmask(input, from, from, len, header.mask);
    progress.read = from + len;
    Some(&input[from..from + len])
}

/// Returns whether a frame may be an exit: a whole message, short enough. It is echoed when it is complete.
pub(super) fn may_be_exit(header: Header) -> bool {
    header.is_final
        && header.opcode != Opcode::Continuation
        && header.payload <= u64::from(MAX_EXIT_PAYLOAD)
}

/// Returns whether the payload of an incomplete frame, which begins a text, can still become one.
pub(super) fn is_text_so_far(frame: &[u8], header: Header) -> bool {
    let mut payload = frame.get(header.len..).unwrap_or_default().to_vec();
    let len = payload.len();
    unmask(&mut payload, 0, 0, len, header.mask);
    Utf8::default().check(&payload)
}

/// Returns whether a complete frame that is not compressed is an exit. Then it is consumed, and the log shows it.
pub(super) fn take_exit(input: &mut [u8], progress: &mut Progress, header: Header) -> bool {
    let from = progress.read + header.len;
    let len = usize::try_from(header.payload).unwrap_or(usize::MAX);
    let first = input.get(from).map(|byte| byte ^ header.mask[0]);
    // Most messages are decided by their first byte.
    if !first.is_some_and(|first| first.eq_ignore_ascii_case(&b'e') || !first.is_ascii_graphic()) {
        return false;
    }
    let mut payload = input[from..from + len].to_vec();
    unmask(&mut payload, 0, 0, len, header.mask);
    if !is_exit(&payload) {
        return false;
    }
    let at = progress.echo + header.write(&mut input[progress.echo..]);
    input[at..at + len].copy_from_slice(&payload);
    progress.logged = at + len;
    progress.read = from + len;
    progress.frames += 1;
    true
}

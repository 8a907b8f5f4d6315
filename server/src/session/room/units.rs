//! The messages in a stream: lines, or frames.

use common::{
    exit::Newline,
    frame::{PREFIX_LEN, payload_len},
    protocol::MAX_FRAME_PAYLOAD,
    room::MAX_TEXT,
};
use memchr::memchr;

/// How the messages of a stream are found.
#[derive(Debug)]
pub(super) enum Units {
    Lines {
        /// The rest of a line is discarded, because it is too long.
        is_skipping: bool,
    },
    Frames {
        /// Bytes of a payload that are discarded, because it is too long.
        skipping: usize,
    },
}

/// The beginning of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit<'a> {
    /// A message, and the length with its newline or prefix.
    Complete { text: &'a [u8], newline: Newline, len: usize },
    /// Bytes to discard, and whether they are the beginning of a message that is too long.
    Skipped { len: usize, is_first: bool },
    /// A frame that no protocol allows.
    Refused { payload: u32 },
    /// More bytes are needed.
    Incomplete,
}

impl Units {
    /// Finds the first message in the input.
    pub(super) fn find<'a>(&mut self, input: &'a [u8]) -> Unit<'a> {
        if input.is_empty() {
            return Unit::Incomplete;
        }
        match self {
            Self::Lines { is_skipping } => find_line(is_skipping, input),
            Self::Frames { skipping } => find_frame(skipping, input),
        }
    }

    /// Returns the text of a message that ends with the stream.
    pub(super) fn last<'a>(&self, held: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Lines { is_skipping: false } => held.strip_suffix(b"\r").unwrap_or(held),
            _ => b"",
        }
    }
}

fn find_line<'a>(is_skipping: &mut bool, input: &'a [u8]) -> Unit<'a> {
    let newline = memchr(b'\n', input);
    if *is_skipping {
        *is_skipping = newline.is_none();
        let len = newline.map_or(input.len(), |at| at + 1);
        return Unit::Skipped { len, is_first: false };
    }
    let Some(at) = newline else {
        // A carriage return may follow the text.
        if input.len() <= MAX_TEXT + 1 {
            return Unit::Incomplete;
        }
        *is_skipping = true;
        return Unit::Skipped { len: input.len(), is_first: true };
    };
    let (text, newline) = match input[..at].strip_suffix(b"\r") {
        Some(text) => (text, Newline::CrLf),
        None => (&input[..at], Newline::Lf),
    };
    Unit::Complete { text, newline, len: at + 1 }
}

fn find_frame<'a>(skipping: &mut usize, input: &'a [u8]) -> Unit<'a> {
    if *skipping > 0 {
        let len = input.len().min(*skipping);
        *skipping -= len;
        return Unit::Skipped { len, is_first: false };
    }
    let Some(payload) = payload_len(input) else { return Unit::Incomplete };
    if payload > MAX_FRAME_PAYLOAD {
        return Unit::Refused { payload };
    }
    let len = payload as usize;
    if len > MAX_TEXT {
        *skipping = len;
        return Unit::Skipped { len: PREFIX_LEN, is_first: true };
    }
    match input.get(PREFIX_LEN..PREFIX_LEN + len) {
        Some(text) => Unit::Complete { text, newline: Newline::None, len: PREFIX_LEN + len },
        None => Unit::Incomplete,
    }
}

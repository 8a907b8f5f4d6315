//! The `text` protocol: everything goes back until a line reads `exit`, or a bare read of a peer that
//! has never sent a newline.

use std::ops::Range;

use common::protocol::Protocol;

use crate::{
    conversation::{self, Model, Progress},
    exit::reads_exit,
    session::{End, Reason},
};

/// A conversation.
///
/// # Panics
///
/// If it does not go as it should.
pub fn check(input: &[u8]) {
    conversation::check::<Text>(input);
}

struct Text;

impl Model for Text {
    const PROTOCOL: Protocol = Protocol::Text;

    fn progress(stream: &[u8], read: Range<usize>) -> Progress {
        let received = &stream[..read.end];
        let mut start = 0;
        for line in received.split_inclusive(|&byte| byte == b'\n') {
            let end = start + line.len();
            // Earlier lines have been judged, and the last one may not have ended.
            if end > read.start && line.ends_with(b"\n") && reads_exit(line) {
                let goodbye = match line {
                    [.., b'\r', b'\n'] => "Goodbye!\r\n",
                    _ => "Goodbye!\n",
                };
                // What an earlier read had of the line has gone back.
                return exit(start.max(read.start), end, goodbye);
            }
            start = end;
        }
        if !received.contains(&b'\n') && reads_exit(&stream[read.clone()]) {
            return exit(read.start, read.end, "Goodbye!");
        }
        Progress::echoed(read.end)
    }

    fn message(stream: &[u8], part: Range<usize>) -> (&[u8], usize) {
        let line = stream[part.clone()].split_inclusive(|&byte| byte == b'\n').next();
        let line = line.unwrap_or_default();
        (without_newline(line), part.start + line.len())
    }
}

fn exit(echoed: usize, consumed: usize, goodbye: &'static str) -> Progress {
    let end = End { reason: Reason::Exit, reply: goodbye.as_bytes().into() };
    Progress { echoed, consumed, end: Some(end) }
}

pub(crate) fn without_newline(bytes: &[u8]) -> &[u8] {
    match bytes {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] | text => text,
    }
}

//! The `text` protocol: the server echoes everything up to an exit. An exit is a line, or a read of a peer that has not
//! sent a newline.

use std::ops::Range;

use common::protocol::Protocol;

use crate::{
    exchange::{self, Model, Progress},
    exit::is_exit_line,
    session::Reason,
};

/// Checks a session.
///
/// # Panics
///
/// If the session does not match the specification.
pub fn check(input: &[u8]) {
    exchange::check::<Text>(input);
}

struct Text;

impl Model for Text {
    const PROTOCOL: Protocol = Protocol::Text;

    fn progress(stream: &[u8], read: Range<usize>) -> Progress {
        let received = &stream[..read.end];
        let mut start = 0;
        for line in received.split_inclusive(|&byte| byte == b'\n') {
            let end = start + line.len();
            // An earlier read has handled the lines before it, and the last line may be incomplete.
            if end > read.start && line.ends_with(b"\n") && is_exit_line(line) {
                let goodbye = match line {
                    [.., b'\r', b'\n'] => "Goodbye!\r\n",
                    _ => "Goodbye!\n",
                };
                // The part of the line in an earlier read is already echoed.
                return exit(start.max(read.start), end, goodbye);
            }
            start = end;
        }
        if !received.contains(&b'\n') && is_exit_line(&stream[read.clone()]) {
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
    Progress { echoed, consumed, end: Some((Reason::Exit, goodbye.into())) }
}

pub(crate) fn without_newline(bytes: &[u8]) -> &[u8] {
    match bytes {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] | text => text,
    }
}

//! The `raw` protocol: the server echoes everything, and no input ends the session.

use std::ops::Range;

use common::protocol::Protocol;

use crate::{
    exchange::{self, Model, Progress},
    text::without_newline,
};

/// Checks a session.
///
/// # Panics
///
/// If the session does not match the specification.
pub fn check(input: &[u8]) {
    exchange::check::<Raw>(input);
}

struct Raw;

impl Model for Raw {
    const PROTOCOL: Protocol = Protocol::Raw;

    fn progress(_: &[u8], read: Range<usize>) -> Progress {
        Progress::echoed(read.end)
    }

    fn message(stream: &[u8], part: Range<usize>) -> (&[u8], usize) {
        (without_newline(&stream[part.clone()]), part.end)
    }
}

//! The `raw` protocol: everything goes back, and nothing ever ends it.

use std::ops::Range;

use common::protocol::Protocol;

use crate::{
    conversation::{self, Model, Progress},
    text::without_newline,
};

/// A conversation.
///
/// # Panics
///
/// If it does not go as it should.
pub fn check(input: &[u8]) {
    conversation::check::<Raw>(input);
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

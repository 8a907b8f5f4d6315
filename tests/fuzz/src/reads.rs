//! An input as the reads that a peer's bytes come in.

use std::ops::Range;

/// A peer's bytes, and where each read of them is.
#[derive(Debug)]
pub(crate) struct Reads<'a> {
    /// All that the peer sends.
    pub(crate) stream: &'a [u8],
    /// The reads, in order: without gap or overlap, and none is empty.
    pub(crate) ranges: Vec<Range<usize>>,
}

impl<'a> Reads<'a> {
    /// The input's first byte says how many bytes of it are lengths of reads; the others are the
    /// stream. What is left of that after those reads is one more.
    pub(crate) fn from_input(input: &'a [u8]) -> Self {
        let (cuts, rest) = input.split_first().unwrap_or((&0, &[]));
        let (lengths, stream) = rest.split_at(usize::from(cuts % 16).min(rest.len()));
        let mut ranges = Vec::new();
        let mut start = 0;
        for length in lengths.iter().map(|&length| usize::from(length)).chain([stream.len()]) {
            let end = stream.len().min(start + length);
            if start < end {
                ranges.push(start..end);
            }
            start = end;
        }
        Self { stream, ranges }
    }
}

//! An input as a stream of a peer and the reads in which it arrives.

use std::ops::Range;

/// Stream of a peer, and the range of each read.
#[derive(Debug)]
pub(crate) struct Reads<'a> {
    /// All bytes that the peer sends.
    pub(crate) stream: &'a [u8],
    /// Invariant: in order, without gaps or overlaps, and not empty.
    pub(crate) ranges: Vec<Range<usize>>,
}

impl<'a> Reads<'a> {
    /// Decodes an input. The first byte is the number of bytes that are lengths of reads; the other bytes are the
    /// stream. The rest of the stream after these reads is one more read.
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

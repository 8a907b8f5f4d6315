//! Streams of a run: the characters of each connection, and the lengths of its lines and datagrams.

use std::ops::RangeInclusive;

use common::split_mix::finalize;

use super::block::{BLOCK_LEN, BlockGenerator, HALF_BITS, NAME_LEN, Position, parse_name};

/// All streams of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Streams {
    seed: u64,
    sizes: RangeInclusive<u32>,
}

/// Constant that makes line lengths independent of block names.
const LINE_KEY: u64 = 0x5851_f42d_4c95_7f2d;

impl Streams {
    /// Creates streams with lines of `sizes` bytes, including the newline; the seed determines the size of
    /// each line.
    ///
    /// # Panics
    ///
    /// If a line could be empty: it has at least its newline.
    pub(crate) fn new(seed: u64, sizes: RangeInclusive<u32>) -> Self {
        assert!(
            0 < *sizes.start() && sizes.start() <= sizes.end(),
            "a line has at least its newline"
        );
        Self { seed, sizes }
    }

    /// Returns the length of all lines, if they have the same.
    pub(crate) fn uniform_len(&self) -> Option<u64> {
        let (min, max) = self.sizes.clone().into_inner();
        (min == max).then_some(min.into())
    }

    /// Returns the length of a line with its newline, or of a datagram.
    pub(crate) fn line_len(&self, connection: u64, line: u64) -> u64 {
        if let Some(len) = self.uniform_len() {
            return len;
        }
        let (min, max) = (u64::from(*self.sizes.start()), u64::from(*self.sizes.end()));
        min + finalize(self.seed ^ finalize((connection << HALF_BITS | line) ^ LINE_KEY))
            % (max - min + 1)
    }

    /// Writes the characters of a stream from `offset` on, without newlines.
    pub(super) fn write_characters(&self, connection: u64, offset: u64, buffer: &mut [u8]) {
        let generator = BlockGenerator::new(self.seed, connection);
        let mut number = offset / BLOCK_LEN as u64;
        let mut next_block = || {
            let block = generator.block(number);
            number += 1;
            block
        };
        let skip = to_index(offset % BLOCK_LEN as u64);
        let (head, rest) = buffer.split_at_mut(buffer.len().min((BLOCK_LEN - skip) % BLOCK_LEN));
        if !head.is_empty() {
            head.copy_from_slice(&next_block()[skip..skip + head.len()]);
        }
        let mut blocks = rest.chunks_exact_mut(BLOCK_LEN);
        for block in &mut blocks {
            block.copy_from_slice(&next_block());
        }
        let tail = blocks.into_remainder();
        let len = tail.len();
        tail.copy_from_slice(&next_block()[..len]);
    }

    /// Returns the position of a block, from its name; `None` if it does not belong to this seed.
    pub(crate) fn identify(&self, name: &[u8; NAME_LEN]) -> Option<Position> {
        parse_name(self.seed, name)
    }

    /// Writes a datagram to the start of `buffer`; returns its length.
    ///
    /// Datagrams are not lines: each starts with a block of its connection's stream, and has no newline, so
    /// that its first [`NAME_LEN`] bytes identify it ([`Streams::identify_datagram`]).
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than the longest message.
    pub(crate) fn write_datagram(&self, connection: u64, number: u64, buffer: &mut [u8]) -> usize {
        let len = to_index(self.line_len(connection, number));
        self.write_characters(connection, number.wrapping_mul(self.stride()), &mut buffer[..len]);
        len
    }

    /// Returns the connection and the number of the datagram that starts with `name`.
    pub(crate) fn identify_datagram(&self, name: &[u8; NAME_LEN]) -> Option<(u64, u64)> {
        let Position { connection, offset } = self.identify(name)?;
        offset.is_multiple_of(self.stride()).then(|| (connection, self.datagram_at(offset)))
    }

    /// Returns the number of the datagram that contains the block at `offset`.
    pub(crate) fn datagram_at(&self, offset: u64) -> u64 {
        offset / self.stride()
    }

    /// Returns the distance from the start of one datagram to the start of the next.
    fn stride(&self) -> u64 {
        u64::from(*self.sizes.end()).next_multiple_of(BLOCK_LEN as u64)
    }
}

/// Converts an offset in a buffer.
pub(super) fn to_index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("within a buffer")
}

//! What a load connection sends, and so what it must get back: a function of its position alone.
//!
//! A connection's stream is a sequence of lines. Its bytes are a function of the seed, the
//! connection's number and the offset, so nothing that was sent need be kept to check what returns,
//! however much is under way. Every 32 bytes begin by saying where they belong and whose they are, in
//! digits that can be read back ([`Streams::identify`]): bytes that came out of place can be told from
//! bytes that were damaged. Making them costs a multiplication a block: what a load client spends on
//! its payload it cannot spend on load.
//!
//! The bytes are the 32 printable characters from `!` to `@`, none of them a letter: no line can
//! read `exit`, or mean anything to a terminal. Each line ends with a newline in place of its last
//! byte.

use std::ops::RangeInclusive;

/// Bytes that are made at once, from one number.
pub const BLOCK: usize = 32;

/// Bytes at the head of a block by which it can be told where the block belongs.
pub const NAME: usize = 16;

/// The first of the 32 characters that a stream is made of.
const FIRST_CHARACTER: u8 = b'!';

/// Bits of a half block, five in each of its eight characters.
const HALF_BITS: u32 = 40;

/// Bits by which a half block that names a connection is recognised as one; the rest is the name.
const CHECK_BITS: u32 = 16;

/// The most connections that one run can tell apart.
pub const MAX_CONNECTIONS: u64 = 1 << (HALF_BITS - CHECK_BITS);

/// All the streams of a run: the seed, and how long the lines are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
    sizes: RangeInclusive<u32>,
}

/// A place in a connection's stream that goes through it line by line.
///
/// A sender and a receiver each have one of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    connection: u64,
    offset: u64,
    /// The number of the line that `offset` is in.
    line: u64,
    /// Where that line ends: the offset behind its newline.
    line_end: u64,
}

/// Where some bytes belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The connection in whose stream they are.
    pub connection: u64,
    /// Their offset there.
    pub offset: u64,
}

impl Streams {
    /// Lines of `sizes` bytes, newline included, the size of each picked by `seed`.
    ///
    /// # Panics
    ///
    /// If a line could be empty: it would have no room for its newline.
    #[must_use]
    pub fn new(seed: u64, sizes: RangeInclusive<u32>) -> Self {
        assert!(
            0 < *sizes.start() && sizes.start() <= sizes.end(),
            "a line has at least its newline"
        );
        Self { seed, sizes }
    }

    /// The start of a connection's stream.
    #[must_use]
    pub fn cursor(&self, connection: u64) -> Cursor {
        debug_assert!(connection < MAX_CONNECTIONS);
        Cursor { connection, offset: 0, line: 0, line_end: self.line_len(connection, 0) }
    }

    /// How long all lines are, if they are all as long.
    #[must_use]
    pub fn same_len(&self) -> Option<u64> {
        let (least, most) = self.sizes.clone().into_inner();
        (least == most).then_some(least.into())
    }

    fn line_len(&self, connection: u64, line: u64) -> u64 {
        if let Some(len) = self.same_len() {
            return len;
        }
        let (least, most) = (u64::from(*self.sizes.start()), u64::from(*self.sizes.end()));
        least
            + mix(self.seed ^ mix((connection << HALF_BITS | line) ^ LINE_KEY)) % (most - least + 1)
    }

    /// Writes the bytes from `cursor` on, all of `buffer`; the cursor stays where it is.
    pub fn fill(&self, cursor: &Cursor, buffer: &mut [u8]) {
        self.characters(cursor.connection, cursor.offset, buffer);
        // Then the newlines of the lines that end in it.
        let start = cursor.offset;
        let end = start + buffer.len() as u64;
        let (mut line, mut line_end) = (cursor.line, cursor.line_end);
        while line_end <= end {
            buffer[index(line_end - 1 - start)] = b'\n';
            line += 1;
            line_end += self.line_len(cursor.connection, line);
        }
    }

    /// The bytes of a datagram, written to the beginning of `buffer`; says how many they are.
    ///
    /// Datagrams are not lines: each begins with a block of its connection's stream, and has no newline,
    /// so that the first [`NAME`] bytes say which it is ([`Streams::identify_datagram`]).
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than the longest message.
    pub fn datagram(&self, connection: u64, number: u64, buffer: &mut [u8]) -> usize {
        let len = index(self.line_len(connection, number));
        self.characters(connection, number.wrapping_mul(self.stride()), &mut buffer[..len]);
        len
    }

    /// Whose datagram begins so, and which of its datagrams it is.
    #[must_use]
    pub fn identify_datagram(&self, name: &[u8; NAME]) -> Option<(u64, u64)> {
        let Place { connection, offset } = self.identify(name)?;
        offset.is_multiple_of(self.stride()).then(|| (connection, self.datagram_at(offset)))
    }

    /// In which of a socket's datagrams a block is.
    #[must_use]
    pub fn datagram_at(&self, offset: u64) -> u64 {
        offset / self.stride()
    }

    /// From the beginning of one datagram to that of the next.
    fn stride(&self) -> u64 {
        u64::from(*self.sizes.end()).next_multiple_of(BLOCK as u64)
    }

    /// As [`fill`](Self::fill), without newlines.
    fn characters(&self, connection: u64, offset: u64, buffer: &mut [u8]) {
        let (owner, key) = (self.owner(connection), self.key(connection));
        let mut number = offset / BLOCK as u64;
        let mut next_block = || {
            let position = spread(scatter(number ^ key));
            number += 1;
            // The same digits on top of the owner's: else half of every block would be alike.
            let name = [position, position ^ owner];
            // The second half says nothing new, and costs little.
            let words = [name[0], name[1], name[1] ^ FILLER[0], name[0] ^ FILLER[1]];
            let mut block = [0; BLOCK];
            for (bytes, word) in block.chunks_exact_mut(8).zip(words) {
                bytes.copy_from_slice(&(word + CHARACTERS).to_le_bytes());
            }
            block
        };
        let skip = index(offset % BLOCK as u64);
        let (head, rest) = buffer.split_at_mut(buffer.len().min((BLOCK - skip) % BLOCK));
        if !head.is_empty() {
            head.copy_from_slice(&next_block()[skip..skip + head.len()]);
        }
        let mut blocks = rest.chunks_exact_mut(BLOCK);
        for block in &mut blocks {
            block.copy_from_slice(&next_block());
        }
        let tail = blocks.into_remainder();
        let len = tail.len();
        tail.copy_from_slice(&next_block()[..len]);
    }

    /// Digits that name a connection.
    fn owner(&self, connection: u64) -> u64 {
        spread(connection << CHECK_BITS | self.key(connection) & CHECK_MASK)
    }

    /// Makes the digits of connections, and of runs with different seeds, differ.
    fn key(&self, connection: u64) -> u64 {
        mix(connection ^ self.seed) & MASK_40
    }

    /// Where these bytes belong, if they are the name of a block in one of this seed's streams.
    #[must_use]
    pub fn identify(&self, name: &[u8; NAME]) -> Option<Place> {
        let digits = |half: [u8; 8]| {
            let digits = half.map(|byte| byte.wrapping_sub(FIRST_CHARACTER));
            digits.iter().all(|&digit| digit < 32).then(|| u64::from_le_bytes(digits))
        };
        let position = digits(*name.first_chunk()?)?;
        let owner = digits(*name.last_chunk()?)? ^ position;
        let connection = gather(owner) >> CHECK_BITS;
        let number = unscatter(gather(position)) ^ self.key(connection);
        let place = Place { connection, offset: number * BLOCK as u64 };
        (owner == self.owner(connection)).then_some(place)
    }
}

impl Cursor {
    /// The connection whose stream this is.
    #[must_use]
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// How many bytes come before.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many lines end before.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.line
    }

    /// How many bytes are left of the present line.
    #[must_use]
    pub fn left_of_line(&self) -> u64 {
        self.line_end - self.offset
    }

    /// Whether a line begins here.
    #[must_use]
    pub fn is_at_line(&self, streams: &Streams) -> bool {
        self.offset + streams.line_len(self.connection, self.line) == self.line_end
    }

    /// Moves on by `bytes`; says how many lines ended on the way.
    pub fn advance(&mut self, streams: &Streams, bytes: u64) -> u64 {
        self.offset += bytes;
        let first = self.line;
        if let Some(len) = streams.same_len() {
            self.line = self.offset / len;
            self.line_end = (self.line + 1) * len;
            return self.line - first;
        }
        while self.line_end <= self.offset {
            self.line += 1;
            self.line_end += streams.line_len(self.connection, self.line);
        }
        self.line - first
    }

    /// Goes back to where the present line begins.
    pub fn rewind(&mut self, streams: &Streams) {
        self.offset = self.line_end - streams.line_len(self.connection, self.line);
    }

    /// How many bytes the next `lines` lines have, what is left of the present one included.
    #[must_use]
    pub fn bytes_of(&self, streams: &Streams, lines: u64) -> u64 {
        if lines == 0 {
            return 0;
        }
        if let Some(len) = streams.same_len() {
            return self.left_of_line() + (lines - 1) * len;
        }
        let further = (1..lines).map(|line| streams.line_len(self.connection, self.line + line));
        self.left_of_line() + further.sum::<u64>()
    }
}

const MASK_40: u64 = (1 << HALF_BITS) - 1;

const CHECK_MASK: u64 = (1 << CHECK_BITS) - 1;

/// Sets line lengths apart from block names.
const LINE_KEY: u64 = 0x5851_f42d_4c95_7f2d;

/// Set the second half of a block apart from the first, and from a name: eight digits each, different
/// ones, or the second half would name the same owner.
const FILLER: [u64; 2] = [0x150b_1e07_0d12_0319, 0x081a_0311_1f06_160d];

/// Added to eight digits, makes them characters.
const CHARACTERS: u64 = u64::from_ne_bytes([FIRST_CHARACTER; 8]);

/// Spreads 40 bits over eight bytes, five to each: digits.
fn spread(bits: u64) -> u64 {
    // 20 bits to each half, then 10 to each quarter, then 5 to each byte.
    let halves = bits & 0xf_ffff | (bits & 0xff_fff0_0000) << 12;
    let quarters = halves & 0x0000_03ff_0000_03ff | (halves & 0x000f_fc00_000f_fc00) << 6;
    quarters & 0x001f_001f_001f_001f | (quarters & 0x03e0_03e0_03e0_03e0) << 3
}

/// Undoes [`spread`].
fn gather(digits: u64) -> u64 {
    digits.to_le_bytes().iter().rev().fold(0, |bits, &digit| bits << 5 | u64::from(digit))
}

/// An odd number, so that multiplying by it can be undone; 40 bits of the golden ratio.
const SCATTER: u64 = 0x9e_3779_b97f;

/// Its inverse modulo 2^40.
const UNSCATTER: u64 = 0x4c_19bc_067f;

const _: () = assert!(SCATTER.wrapping_mul(UNSCATTER) & MASK_40 == 1);

/// Makes neighbouring numbers of 40 bits differ in nearly every digit.
fn scatter(number: u64) -> u64 {
    let product = number.wrapping_mul(SCATTER) & MASK_40;
    product ^ product >> (HALF_BITS / 2)
}

/// Undoes [`scatter`].
fn unscatter(scattered: u64) -> u64 {
    (scattered ^ scattered >> (HALF_BITS / 2)).wrapping_mul(UNSCATTER) & MASK_40
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of the result depends on every
/// bit of the argument.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("within a buffer")
}

#[cfg(test)]
mod tests;

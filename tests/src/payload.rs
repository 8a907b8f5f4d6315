//! What tests send: bytes that are the same in every run, so that a failure can be run again.

use std::fmt::Write as _;

/// `WORD 0`, `WORD 1` and so on, this many lines.
#[must_use]
pub fn numbered_lines(word: &str, count: u32) -> String {
    (0..count).fold(String::new(), |mut lines, number| {
        writeln!(lines, "{word} {number}").expect("a string takes everything");
        lines
    })
}

/// Bytes that look random.
///
/// A small generator (`xorshift64*`): good enough that no two stretches of it are alike.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The state must not be zero; an odd multiplier keeps neighbouring seeds apart.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("64 bits or less");
        usize::try_from(self.number() % bound).expect("less than a usize")
    }

    /// The next `len` bytes, of all values.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// The next `len` bytes, none of them a newline or anything else but a printable character.
    pub fn letters(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = self.bytes(len);
        for byte in &mut bytes {
            *byte = b'!' + *byte % 90;
        }
        bytes
    }
}

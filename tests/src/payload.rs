//! Bytes to send: the same in every run, so that a failure can be repeated.

use std::fmt::Write as _;

/// Returns this many lines: `WORD 0`, `WORD 1` and so on.
#[must_use]
pub fn numbered_lines(word: &str, count: u32) -> String {
    (0..count).fold(String::new(), |mut lines, number| {
        writeln!(lines, "{word} {number}").expect("writing to a string does not fail");
        lines
    })
}

/// Generator of pseudo-random numbers and bytes (`xorshift64*`).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The state must not be zero; an odd multiplier gives neighbouring seeds different sequences.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns the next number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("64 bits or less");
        usize::try_from(self.number() % bound).expect("less than a usize")
    }

    /// Returns the next `len` bytes, of all values.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Returns the next `len` bytes, all of them printable characters.
    pub fn letters(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = self.bytes(len);
        for byte in &mut bytes {
            *byte = b'!' + *byte % 90;
        }
        bytes
    }
}

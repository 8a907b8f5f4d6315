//! Masking keys of frames (RFC 6455, section 5.3), and the key of a handshake.

use std::hash::{BuildHasher as _, RandomState};

/// Generator of masking keys that a server cannot predict: `SipHash` of a counter, under a key from the system's random
/// numbers. A call of the system for each frame would cost more than a small frame.
#[derive(Debug, Default)]
pub(super) struct Masks {
    key: RandomState,
    count: u64,
}

impl Masks {
    /// Returns the next masking key.
    #[inline]
    pub(super) fn next(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next_eight();
        [a, b, c, d]
    }

    /// Returns sixteen random bytes, for the key of a handshake.
    pub(super) fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.next_eight());
        nonce[8..].copy_from_slice(&self.next_eight());
        nonce
    }

    fn next_eight(&mut self) -> [u8; 8] {
        self.count += 1;
        self.key.hash_one(self.count).to_le_bytes()
    }
}

/// Masks bytes that begin at this offset in the payload of their frame.
#[inline]
pub(super) fn mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let at = |index: u64| key[usize::try_from((offset + index) % 4).unwrap_or(0)];
    let key: [u8; 8] = std::array::from_fn(|index| at(index as u64));
    let word = u64::from_ne_bytes(key);
    let mut words = bytes.chunks_exact_mut(8);
    for chunk in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ word).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_each_byte_by_its_position_at_every_length_and_offset() {
        for len in 0..40_u8 {
            for offset in 0..9_u64 {
                let plain: Vec<u8> = (0..len).collect();
                let mut masked = plain.clone();
                mask(&mut masked, [1, 20, 30, 200], offset);
                for (index, (masked, plain)) in masked.iter().zip(&plain).enumerate() {
                    let key = [1, 20, 30, 200][(index + usize::try_from(offset).unwrap()) % 4];
                    assert_eq!(*masked, plain ^ key);
                }
            }
        }
    }

    #[test]
    fn keys_differ_from_frame_to_frame_and_from_connection_to_connection() {
        let (mut one, mut other) = (Masks::default(), Masks::default());
        let keys: std::collections::HashSet<_> =
            (0..100).flat_map(|_| [one.nonce(), other.nonce()]).collect();
        assert_eq!(keys.len(), 200);
    }
}

//! The bytes of a stream whose bits are inverted.

use super::random::Random;

/// The index of the mask of the first block. Those below draw places.
const MASKS: u64 = 1 << 63;

/// The damaged bytes of a stream: one in each block of so many bytes, at any place in it.
///
/// Places and masks follow from the block alone, so they are the same wherever the stream is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    random: Random,
    /// Length of a block, at least 1.
    block: u64,
}

impl Damage {
    /// Creates the damage of a stream, with one damaged byte in every `block` bytes.
    pub(super) fn new(random: Random, block: u64) -> Self {
        Self { random, block: block.max(1) }
    }

    /// Returns the place of the first damaged byte behind the first `passed` bytes.
    pub(super) fn next(&self, passed: u64) -> u64 {
        let index = passed / self.block;
        let place = self.place(index);
        if place >= passed { place } else { self.place(index + 1) }
    }

    /// Returns the bits that are inverted at a place; at least one.
    pub(super) fn mask(&self, place: u64) -> u8 {
        let index = MASKS | (place / self.block);
        let mask = self.random.between(index, 1, u64::from(u8::MAX));
        u8::try_from(mask).expect("it is drawn from the range of a byte")
    }

    fn place(&self, index: u64) -> u64 {
        let within = self.random.between(index, 0, self.block - 1);
        index.saturating_mul(self.block).saturating_add(within)
    }
}

#[cfg(test)]
mod tests {
    use common::fault::Fault;

    use super::*;

    fn damage(block: u64) -> Damage {
        Damage::new(Random::new(7, 0, Fault::Corrupt), block)
    }

    #[test]
    fn each_block_has_one_damaged_byte() {
        let mut places = Vec::new();
        let mut next = damage(100).next(0);
        while next < 10_000 {
            places.push(next);
            next = damage(100).next(next + 1);
        }
        assert_eq!(places.len(), 100);
        assert!(places.iter().enumerate().all(|(block, place)| place / 100 == block as u64));
        let first: Vec<u64> = places.iter().map(|place| place % 100).collect();
        assert!(first.iter().any(|place| *place < 20) && first.iter().any(|place| *place > 80));
    }

    #[test]
    fn a_place_is_found_from_any_byte_before_it() {
        for passed in 0..1_000 {
            let next = damage(64).next(passed);
            assert!(next >= passed && next < passed + 128, "{passed}: {next}");
            assert_eq!(damage(64).next(next), next);
        }
        assert_eq!(damage(1).next(12), 12, "every byte is damaged");
        assert!(damage(u64::MAX).next(u64::MAX - 1) >= u64::MAX - 1);
        assert!((0..1_000).all(|place| damage(1).mask(place) != 0));
    }
}

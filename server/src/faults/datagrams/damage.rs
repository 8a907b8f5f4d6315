//! Inverted bits in a stream of bytes.

use crate::faults::random::Random;

/// Index of the draw of the first mask. Gaps are drawn from 0 on.
const MASKS: u64 = u64::MAX / 2;

/// The places at which bits are inverted. They depend on nothing but the seed.
#[derive(Debug)]
pub(super) struct Damage {
    random: Random,
    /// Mean distance of two places, in bytes.
    mean: u64,
    /// The next place.
    next: u64,
    /// Number of gaps that were drawn.
    gaps: u64,
}

impl Damage {
    pub(super) fn new(random: Random, mean: u64) -> Self {
        Self { random, mean, next: random.gap(0, mean) - 1, gaps: 1 }
    }

    /// Returns the next place before `end`, with the bits to invert there.
    pub(super) fn next_before(&mut self, end: u64) -> Option<(u64, u8)> {
        let place = self.next;
        if place >= end {
            return None;
        }
        let mask = self.random.between(MASKS + self.gaps, 1, 255);
        self.next = place.saturating_add(self.random.gap(self.gaps, self.mean));
        self.gaps += 1;
        Some((place, u8::try_from(mask).expect("at most 255")))
    }
}

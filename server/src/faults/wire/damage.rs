//! Bytes whose bits are inverted.

use common::fault::Fault;

use crate::{config::FaultRule, faults::plan::FaultPlan, faults::random::Random};

/// The index of the first draw of a mask. Those below draw gaps.
const MASKS: u64 = 1 << 32;

/// The bytes of a stream that are damaged, one after the other.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) rule: FaultRule,
    random: Random,
    mean: u64,
    /// Number of damages before the next one.
    count: u64,
    /// Place of the next one.
    at: u64,
}

impl Damage {
    /// Begins behind the first `sent` bytes of a stream.
    pub(super) fn new(plan: &FaultPlan, rule: &FaultRule, mean: u64, sent: u64) -> Self {
        let random = plan.random(Fault::Corrupt);
        let mut damage = Self { rule: rule.clone(), random, mean, count: 0, at: 0 };
        damage.at = random.gap(0, mean) - 1;
        while damage.at < sent {
            damage.advance();
        }
        damage
    }

    /// Returns the place of the next damaged byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Returns the bits of the next damaged byte that are inverted; at least one.
    pub(super) fn mask(&self) -> u8 {
        let mask = self.random.between(MASKS + self.count, 1, u64::from(u8::MAX));
        u8::try_from(mask).expect("it is drawn from the range of a byte")
    }

    /// Goes on to the next place.
    pub(super) fn advance(&mut self) {
        self.count += 1;
        self.at = self.at.saturating_add(self.random.gap(self.count, self.mean));
    }
}

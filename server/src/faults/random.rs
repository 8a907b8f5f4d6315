//! Numbers that are decided by a seed and by what they are for.
//!
//! There is no state: the same question has the same answer in another run, in another order and in another thread. The numbers are
//! a part of what a seed promises, with one exception: delays that are not uniform use functions that another platform may round
//! differently, by a nanosecond.

use std::time::Duration;

use common::{fault::Fault, split_mix::SplitMix64};

use crate::config::{Jitter, Share, limits};

/// The source of chance for one fault of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Creates the source of chance for a fault of a connection.
    pub(crate) fn new(seed: u64, connection: u64, fault: Fault) -> Self {
        Self(mix(mix(mix(seed) ^ connection) ^ fault.index() as u64))
    }

    /// Returns the number of this index, from 0 to 2⁶⁴ - 1.
    pub(crate) fn number(self, index: u64) -> u64 {
        mix(self.0 ^ mix(index))
    }

    /// Returns the fraction of this index, at least 0 and below 1, in steps of 2⁻⁵³.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn fraction(self, index: u64) -> f64 {
        (self.number(index) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns whether the event of this index, which happens in this share of the cases, happens.
    pub(crate) fn happens(self, index: u64, share: Share) -> bool {
        // Less than 2⁻⁴⁴ from the exact share.
        self.number(index) % u64::from(Share::ALL.millionths()) < u64::from(share.millionths())
    }

    /// Returns a number from `min` to `max`.
    pub(crate) fn between(self, index: u64, min: u64, max: u64) -> u64 {
        let count = u128::from(max - min) + 1;
        let drawn = (u128::from(self.number(index)) * count) >> 64;
        min + u64::try_from(drawn).expect("it is less than the count")
    }

    /// Returns a delay around `mean`, by the inverse of the distribution; `Normal` by the transform of Box and Muller.
    pub(crate) fn delay(
        self,
        index: u64,
        mean: Duration,
        spread: Duration,
        jitter: Jitter,
    ) -> Duration {
        let chance = self.fraction(index);
        let spread = spread.as_secs_f64();
        let difference = match jitter {
            Jitter::Uniform => spread * (2.0 * chance - 1.0),
            Jitter::Normal => {
                let radius = (-2.0 * (1.0 - chance).ln()).sqrt();
                let angle = std::f64::consts::TAU * Self(!self.0).fraction(index);
                spread * radius * angle.cos()
            }
            Jitter::Exponential => -spread * (1.0 - chance).ln(),
            // The mean of Lomax is the scale divided by the shape minus 1.
            Jitter::Pareto => 2.0 * spread * ((1.0 - chance).powf(-1.0 / 3.0) - 1.0),
        };
        let delay = mean.as_secs_f64() + difference;
        Duration::try_from_secs_f64(delay.max(0.0))
            .map_or(limits::FAULT_TIME, |delay| delay.min(limits::FAULT_TIME))
    }
}

/// Returns a number of which each bit depends on each bit of this one.
fn mix(number: u64) -> u64 {
    SplitMix64::new(number).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Random {
        Random::new(1, 2, Fault::Corrupt)
    }

    #[test]
    fn a_seed_promises_these_numbers() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf, "the first number of SplitMix64 with the seed 0");
        let other = [Random::new(2, 2, Fault::Corrupt), Random::new(1, 3, Fault::Corrupt)];
        assert!(other.iter().all(|other| other.number(0) != random().number(0)));
        assert_ne!(Random::new(1, 2, Fault::Drop).number(0), random().number(0));
        assert_eq!(random().number(7), random().number(7));
        // They were computed by another program.
        let numbers = [0, 1, 7, u64::MAX].map(|index| random().number(index));
        let promised = [
            0xb002_506b_1faa_eec5,
            0x0eac_4724_2265_9c3b,
            0xbe11_50a0_1694_dfd0,
            0x82ed_3d26_8a5e_e9ba,
        ];
        assert_eq!(numbers, promised);
        let last = Random::new(1 << 63, 1_000_000, Fault::LoginWrongProof);
        assert_eq!(last.number(3), 0xa4df_21a9_88ea_1ae8);
        let from_1_to_7: Vec<u64> = (0..12).map(|index| random().between(index, 1, 7)).collect();
        assert_eq!(from_1_to_7, [5, 1, 3, 5, 3, 5, 6, 6, 7, 3, 3, 6]);
        let quarter = Share::from_millionths(250_000).unwrap();
        let happens: Vec<u64> = (0..40).filter(|&index| random().happens(index, quarter)).collect();
        assert_eq!(happens, [2, 3, 7, 10, 14, 15, 17, 18, 19, 21, 24, 26, 33]);
    }

    #[test]
    fn a_share_is_met_on_average_and_its_ends_exactly() {
        let share = Share::from_millionths(250_000).unwrap();
        let count = (0..10_000).filter(|&index| random().happens(index, share)).count();
        assert!((2_350..2_650).contains(&count), "{count}");
        assert!((0..1_000).all(|index| random().happens(index, Share::ALL)));
        assert!(!(0..1_000).any(|index| random().happens(index, Share::NONE)));
    }

    #[test]
    fn numbers_are_within_their_range() {
        let drawn: Vec<u64> = (0..1_000).map(|index| random().between(index, 3, 5)).collect();
        assert!(drawn.iter().all(|drawn| (3..=5).contains(drawn)));
        assert!((3..=5).all(|number| drawn.contains(&number)));
        assert_eq!(random().between(0, 0, u64::MAX), random().number(0));
    }

    #[test]
    fn delays_have_their_mean() {
        let ms = Duration::from_millis;
        for (jitter, mean) in [
            (Jitter::Uniform, 50.0),
            (Jitter::Normal, 50.0),
            (Jitter::Exponential, 60.0),
            (Jitter::Pareto, 60.0),
        ] {
            let delays = (0..100_000).map(|index| random().delay(index, ms(50), ms(10), jitter));
            let sum: Duration = delays.sum();
            let average = sum.as_secs_f64() / 100.0;
            assert!((average - mean).abs() < 0.5, "{jitter:?}: {average}");
        }
        let none = random().delay(0, Duration::ZERO, Duration::ZERO, Jitter::Uniform);
        assert_eq!(none, Duration::ZERO);
    }
}

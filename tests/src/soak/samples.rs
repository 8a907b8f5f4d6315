//! The samples of a soak: evenly spread over its time, and never more than are needed.

use std::time::Duration;

use crate::judge::Sample;

/// A slope looks at all pairs of samples: of so many there are eighty thousand.
const MOST: usize = 400;

/// Samples, from the first to the last.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<Sample>,
    /// The least time between two of them.
    spacing: Duration,
}

impl Samples {
    /// Adds one, unless the last is too near.
    ///
    /// When they are too many, every second one goes, and those that follow keep twice the distance.
    pub(crate) fn add(&mut self, sample: Sample) {
        match self.kept[..] {
            [.., last] if sample.at < last.at + self.spacing => return,
            [first, .., last] if self.kept.len() == MOST => {
                let mut keep = false;
                self.kept.retain(|_| {
                    keep = !keep;
                    keep
                });
                let intervals = u32::try_from(MOST / 2).expect("a small number");
                self.spacing = last.at.saturating_sub(first.at) / intervals;
            }
            _ => {}
        }
        self.kept.push(sample);
    }

    /// Those that there are, in their order.
    pub(crate) fn kept(&self) -> &[Sample] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_has_no_more_samples_than_a_short_one_and_as_evenly_spread() {
        let mut samples = Samples::default();
        let day = 24 * 3600;
        for second in 1..=day {
            let at = Duration::from_secs(second);
            samples.add(Sample { at, resident: 0, anonymous: 0, descriptors: 0 });
        }
        let kept = samples.kept();
        assert!((MOST / 2..=MOST).contains(&kept.len()), "{}", kept.len());
        let apart = kept.windows(2).map(|pair| pair[1].at.as_secs() - pair[0].at.as_secs());
        let (least, most) = (apart.clone().min().unwrap(), apart.max().unwrap());
        assert!(most <= 2 * least, "{least} s to {most} s");
        assert!(kept[kept.len() - 1].at.as_secs() > day - 2 * most);
    }
}

//! A bounded number of samples, spread evenly over a run of any length.

use std::time::Duration;

use crate::evaluate::Sample;

/// Maximum number of samples. A slope takes all pairs of samples: eighty thousand for this number.
const MAX: usize = 400;

/// Samples in the order of their time.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<Sample>,
    /// Minimum time between two samples.
    spacing: Duration,
}

impl Samples {
    /// Adds a sample, unless it is too close to the last one.
    ///
    /// If there are too many, removes every second one and doubles the minimum time between samples.
    pub(crate) fn add(&mut self, sample: Sample) {
        match self.kept[..] {
            [.., last] if sample.at < last.at + self.spacing => return,
            [first, .., last] if self.kept.len() == MAX => {
                let mut keep = false;
                self.kept.retain(|_| {
                    keep = !keep;
                    keep
                });
                let intervals = u32::try_from(MAX / 2).expect("a small number");
                self.spacing = last.at.saturating_sub(first.at) / intervals;
            }
            _ => {}
        }
        self.kept.push(sample);
    }

    /// Returns the samples in the order of their time.
    pub(crate) fn kept(&self) -> &[Sample] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_a_bounded_number_of_evenly_spread_samples() {
        let mut samples = Samples::default();
        let day = 24 * 3600;
        for second in 1..=day {
            let at = Duration::from_secs(second);
            samples.add(Sample { at, resident: 0, anonymous: 0, descriptors: 0 });
        }
        let kept = samples.kept();
        assert!((MAX / 2..=MAX).contains(&kept.len()), "{}", kept.len());
        let apart = kept.windows(2).map(|pair| pair[1].at.as_secs() - pair[0].at.as_secs());
        let (min, max) = (apart.clone().min().unwrap(), apart.max().unwrap());
        assert!(max <= 2 * min, "{min} s to {max} s");
        assert!(kept[kept.len() - 1].at.as_secs() > day - 2 * max);
    }
}

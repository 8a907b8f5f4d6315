//! Confidence of a ratio, from the time series of two reports: a circular block bootstrap.
//!
//! A resample takes blocks of neighbouring intervals at random, as many as the report has intervals, and adds their histograms; its
//! percentiles are those of the sum. Blocks, because what disturbs a second often disturbs the next one. The middle 95 % of the
//! ratios of all resamples are the interval. See Politis and Romano, A circular block-resampling procedure for stationary data
//! (1992).
//!
//! The interval shows how much the figures vary within the two loads. It does not show how much they vary from one load to the
//! next.

use common::split_mix::SplitMix64;

use crate::load::report::{document::Report, time_series::TimeInterval};

/// Confidence of the interval.
pub(super) const LEVEL: f64 = 0.95;

/// Number of resamples: the ends of the interval are those of the 50th from each side.
pub(super) const RESAMPLES: usize = 2000;

/// Minimum number of intervals of a report: fewer do not show how much the figures vary.
pub(super) const MIN_INTERVALS: usize = 10;

/// Minimum number of messages above a percentile in a report: it would depend on single messages.
const MIN_ABOVE: f64 = 10.0;

/// Seed of the choices, so that a comparison can be repeated.
const SEED: u64 = 0x6563_686f_2d6c_6f61;

/// Figure of a resample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    /// Messages per second.
    Rate,
    /// Latency that this share of the messages does not exceed.
    Quantile(f64),
}

/// Whole intervals of a report, in which blocks are chosen.
#[derive(Debug)]
pub(super) struct Sample {
    /// Length of an interval.
    seconds: f64,
    /// Length of a block in intervals.
    block: usize,
    /// Longest time of each bucket in nanoseconds.
    buckets: Vec<u64>,
    /// Counts of the block that begins with each interval, by the bucket.
    blocks: Vec<Vec<u64>>,
    /// Messages of these blocks.
    messages: Vec<f64>,
}

/// Reason why there is no confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unknown {
    /// The report has no time series.
    #[error("has no time series")]
    NoSeries,
    /// It has too few intervals.
    #[error(
        "has {0} whole intervals, and {MIN_INTERVALS} are the minimum: use a longer --duration"
    )]
    TooShort(usize),
}

impl Sample {
    /// Returns the whole intervals of a report.
    pub(super) fn of(report: &Report) -> Result<Self, Unknown> {
        let series = report.series.as_ref().ok_or(Unknown::NoSeries)?;
        let seconds = f64::from(series.interval_seconds.max(1));
        let whole = whole(report.seconds / seconds).min(series.intervals.len());
        if whole < MIN_INTERVALS {
            return Err(Unknown::TooShort(whole));
        }
        Ok(Self::of_intervals(&series.intervals[..whole], seconds))
    }

    fn of_intervals(intervals: &[TimeInterval], seconds: f64) -> Self {
        let block = block_len(intervals.len());
        let all = || intervals.iter().flat_map(|interval| interval.histogram.buckets());
        let mut buckets: Vec<_> = all().map(|(bucket, _)| bucket).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let from =
            |start: usize| (start..start + block).map(|index| &intervals[index % intervals.len()]);
        let counts = |start| {
            let mut counts = vec![0; buckets.len()];
            for (bucket, count) in from(start).flat_map(|interval| interval.histogram.buckets()) {
                let index = buckets.binary_search(&bucket).unwrap_or_else(|index| index);
                counts[index] += count;
            }
            counts
        };
        let blocks = (0..intervals.len()).map(counts).collect();
        // The last interval may be longer than the others, so its rate counts.
        let messages = |start| from(start).map(|interval| interval.rate * seconds).sum();
        let messages = (0..intervals.len()).map(messages).collect();
        Self { seconds, block, buckets, blocks, messages }
    }

    /// Returns the length of a block in seconds.
    pub(super) fn block_seconds(&self) -> f64 {
        self.seconds * float(self.block as u64)
    }

    /// Returns the number of intervals.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Returns the figures of a resample; `None` for a percentile of no message.
    fn resample(&self, random: &mut SplitMix64, figures: &[Figure]) -> Vec<Option<f64>> {
        let mut counts = vec![0_u64; self.buckets.len()];
        let mut messages = 0.0;
        let blocks = self.len().div_ceil(self.block);
        for _ in 0..blocks {
            let start = below(random, self.len());
            messages += self.messages[start];
            for (sum, count) in counts.iter_mut().zip(&self.blocks[start]) {
                *sum += count;
            }
        }
        let seconds = float(blocks as u64) * self.block_seconds();
        let figure = |figure: &Figure| match figure {
            Figure::Rate => Some(messages / seconds),
            Figure::Quantile(share) => self.quantile(&counts, *share),
        };
        figures.iter().map(figure).collect()
    }

    fn quantile(&self, counts: &[u64], share: f64) -> Option<f64> {
        let rank = share * float(counts.iter().sum());
        let mut passed = 0;
        let index = counts.iter().position(|count| {
            passed += count;
            *count > 0 && float(passed) >= rank
        })?;
        Some(float(self.buckets[index]))
    }
}

/// Returns the interval of the ratio of each figure, `other` to `base`; `None` if it is unknown.
pub(super) fn intervals(
    base: &Sample,
    other: &Sample,
    figures: &[Figure],
) -> Vec<Option<(f64, f64)>> {
    intervals_of(RESAMPLES, base, other, figures)
}

fn intervals_of(
    resamples: usize,
    base: &Sample,
    other: &Sample,
    figures: &[Figure],
) -> Vec<Option<(f64, f64)>> {
    let mut random = SplitMix64::new(SEED);
    let mut ratios = vec![Vec::with_capacity(resamples); figures.len()];
    for _ in 0..resamples {
        let base = base.resample(&mut random, figures);
        let other = other.resample(&mut random, figures);
        for ((ratios, base), other) in ratios.iter_mut().zip(base).zip(other) {
            let ratio = base.zip(other).filter(|(base, _)| *base > 0.0);
            ratios.extend(ratio.map(|(base, other)| other / base));
        }
    }
    ratios.into_iter().map(|ratios| middle(ratios, resamples)).collect()
}

/// Returns the ends of the middle [`LEVEL`] of the ratios of so many resamples.
fn middle(mut ratios: Vec<f64>, resamples: usize) -> Option<(f64, f64)> {
    // Resamples without a figure, such as those of a server that stood still for half of the time, leave it unknown.
    if ratios.len() < resamples {
        return None;
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let outside = whole((1.0 - LEVEL) / 2.0 * float(resamples as u64));
    Some((ratios[outside], ratios[resamples - 1 - outside]))
}

/// Returns `true` if a report has enough messages above a percentile.
pub(super) fn has_tail(report: &Report, share: f64) -> bool {
    (1.0 - share) * float(report.latency.count) >= MIN_ABOVE
}

/// Returns the length of a block for this number of intervals: its cube root, which balances that neighbours are
/// correlated against that there are enough different blocks.
fn block_len(intervals: usize) -> usize {
    whole(float(intervals as u64).cbrt().round()).max(1)
}

/// Returns a random number below a limit. That the first ones are chosen more often by 2^-50 has no effect.
fn below(random: &mut SplitMix64, limit: usize) -> usize {
    usize::try_from(random.next_u64() % limit as u64).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn whole(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_precision_loss, reason = "ratios have three digits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;

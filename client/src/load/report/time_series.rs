//! Course of a load over time, as the report shows it.

use std::iter::zip;

use jiff::{RoundMode, SignedDuration, SignedDurationRound, Timestamp, TimestampRound, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::stats::{
    compact_histogram::CompactHistogram,
    format::nanos,
    rate::per_second,
    series::{Interval, Series},
};

/// Figures of a load by the second, from the end of the warm-up; of a load over an hour, by a multiple of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeSeries {
    /// Begin of the first interval by the clock of the client; of merged reports, of the first one.
    #[schemars(with = "String")]
    pub(crate) start: Timestamp,
    /// Length of an interval. The last one may be shorter.
    pub(crate) interval_seconds: u32,
    /// Intervals, without a gap.
    pub(crate) intervals: Vec<TimeInterval>,
}

/// Figures of one interval. A message counts in the interval in which it returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeInterval {
    /// Messages that returned with every byte right.
    pub(crate) messages: u64,
    /// Messages per second that returned.
    pub(crate) rate: f64,
    /// Median latency in nanoseconds with two digits; null if no message returned.
    pub(crate) p50_ns: Option<u64>,
    /// Latency that 99 % do not exceed.
    pub(crate) p99_ns: Option<u64>,
    /// Longest latency.
    pub(crate) max_ns: Option<u64>,
    /// Messages that were given up, including those that returned later.
    pub(crate) lost: u64,
    /// Errors of all kinds.
    pub(crate) errors: u64,
    /// Connections made; those that were made before the start are in the first interval if there is no warm-up.
    pub(crate) connects: u64,
    /// Connections that were open at its end.
    pub(crate) connections: u64,
    /// Latency: an HDR histogram (V2, compressed) in base64, with two significant digits.
    #[schemars(with = "String")]
    pub(crate) histogram: CompactHistogram,
}

impl TimeSeries {
    /// Returns the course of a load that was measured from `start` for this time.
    pub(crate) fn new(start: Timestamp, seconds: f64, series: &Series) -> Self {
        let interval_seconds = u32::try_from(series.interval().as_secs()).unwrap_or(u32::MAX);
        let (full, mut left) = (f64::from(interval_seconds), seconds);
        let mut intervals: Vec<_> = series
            .intervals()
            .iter()
            .map(|interval| {
                let length = if left > 0.0 { left.min(full) } else { full };
                left -= full;
                TimeInterval::new(interval, length)
            })
            .collect();
        // After the end, errors and losses of what was in flight may follow, and then nothing.
        #[expect(clippy::cast_precision_loss, reason = "at most 3,600 intervals")]
        while (intervals.len() as f64 - 1.0) * full >= seconds
            && intervals.pop_if(|last| last.is_quiet()).is_some()
        {}
        Self { start: to_milliseconds(start), interval_seconds, intervals }
    }

    /// Adds the courses of several loads, by their times.
    pub(crate) fn merge(all: &[&Self]) -> Option<Self> {
        let start = all.iter().map(|one| one.start).min()?;
        let interval_seconds = all.iter().map(|one| one.interval_seconds).max()?;
        let mut intervals: Vec<TimeInterval> = Vec::new();
        for one in all {
            let (offset, coarse) = one.aligned(start, interval_seconds);
            let len = intervals.len().max(offset + coarse.len());
            intervals.resize_with(len, TimeInterval::default);
            for (sum, interval) in zip(&mut intervals[offset..], coarse) {
                sum.add(&interval);
            }
        }
        Some(Self { start, interval_seconds, intervals })
    }

    /// Returns the intervals in this length, and how many precede them from `start` on.
    fn aligned(&self, start: Timestamp, interval_seconds: u32) -> (usize, Vec<TimeInterval>) {
        let own = self.interval_seconds.max(1);
        let precede = rounded_seconds(self.start.duration_since(start)) / u64::from(own);
        let factor = (interval_seconds / own).max(1) as usize;
        let precede = usize::try_from(precede).unwrap_or(usize::MAX);
        let (offset, part) = (precede / factor, precede % factor);
        if factor == 1 {
            return (offset, self.intervals.clone());
        }
        let (first, rest) = self.intervals.split_at(self.intervals.len().min(factor - part));
        let chunks = std::iter::once(first).chain(rest.chunks(factor));
        (offset, chunks.map(TimeInterval::joined).collect())
    }
}

impl TimeInterval {
    /// Returns `true` if nothing returned, failed or was given up.
    fn is_quiet(&self) -> bool {
        (self.messages, self.lost, self.errors) == (0, 0, 0)
    }

    fn new(interval: &Interval, seconds: f64) -> Self {
        Self {
            messages: interval.messages,
            rate: per_second(interval.messages, seconds),
            lost: interval.lost,
            errors: interval.errors,
            connects: interval.connects,
            connections: interval.connections,
            ..Self::default()
        }
        .with_latency(interval.latency.clone())
    }

    fn with_latency(self, histogram: CompactHistogram) -> Self {
        let known = |time| (!histogram.is_empty()).then(|| nanos(time));
        Self {
            p50_ns: known(histogram.quantile(0.5)),
            p99_ns: known(histogram.quantile(0.99)),
            max_ns: known(histogram.max()),
            histogram,
            ..self
        }
    }

    /// Adds the interval of another load at the same time.
    fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.rate += other.rate;
        self.add_counts(other);
    }

    /// Returns the sum of neighbours.
    fn joined(neighbours: &[Self]) -> Self {
        let mut sum = Self::default();
        for one in neighbours {
            sum.add_counts(one);
            sum.connections = one.connections;
            #[expect(clippy::cast_precision_loss, reason = "the number of intervals of a report")]
            let share = 1.0 / neighbours.len() as f64;
            sum.rate += one.rate * share;
        }
        sum
    }

    fn add_counts(&mut self, other: &Self) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.errors += other.errors;
        self.connects += other.connects;
        let mut histogram = std::mem::take(&mut self.histogram);
        histogram.merge(&other.histogram);
        // The histogram of a report that was read has fewer digits.
        let max_ns = self.max_ns.max(other.max_ns);
        *self = Self { max_ns, ..std::mem::take(self).with_latency(histogram) };
    }
}

fn to_milliseconds(time: Timestamp) -> Timestamp {
    let round = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc);
    time.round(round).unwrap_or(time)
}

/// Returns a time to the nearest second.
fn rounded_seconds(time: SignedDuration) -> u64 {
    let rounded = time.round(SignedDurationRound::new().smallest(Unit::Second)).unwrap_or(time);
    u64::try_from(rounded.as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::stats::counters::Stats;

    /// Returns the course of a load that begins at this millisecond, with these numbers of messages.
    fn series(start_ms: i64, messages: &[u64]) -> TimeSeries {
        let mut series = Series::default();
        for (second, &messages) in zip(0.., messages) {
            let mut stats = Stats { messages, ..Stats::default() };
            stats.latency.record_n(Duration::from_micros(100 * messages), messages);
            series.record(Duration::from_secs(second), &stats, 5);
        }
        let start = Timestamp::from_millisecond(start_ms).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "few intervals")]
        TimeSeries::new(start, messages.len() as f64, &series)
    }

    fn messages(series: &TimeSeries) -> Vec<u64> {
        series.intervals.iter().map(|interval| interval.messages).collect()
    }

    #[test]
    fn the_rate_of_the_last_interval_counts_its_length() {
        let mut load = Series::default();
        let stats = Stats { messages: 50, ..Stats::default() };
        for second in [0, 1, 2] {
            load.record(Duration::from_secs(second), &stats, 1);
        }
        let series = TimeSeries::new(Timestamp::UNIX_EPOCH, 1.5, &load);
        let rates: Vec<_> = series.intervals.iter().map(|interval| interval.rate).collect();
        assert_eq!(rates, [50.0, 100.0, 50.0]);
        assert_eq!(series.intervals[0].p99_ns, None);
    }

    #[test]
    fn what_follows_the_end_is_in_the_course_until_the_last_loss() {
        let mut load = Series::default();
        let (some, lost) =
            (Stats { messages: 9, ..Stats::default() }, Stats { lost: 1, ..Stats::default() });
        let stats = [&some, &Stats::default(), &Stats::default(), &lost, &Stats::default()];
        for (second, stats) in zip(0.., stats) {
            load.record(Duration::from_secs(second), stats, 1);
        }
        let series = |seconds| TimeSeries::new(Timestamp::UNIX_EPOCH, seconds, &load);
        assert_eq!(messages(&series(1.0)), [9, 0, 0, 0]);
        assert_eq!(series(5.0).intervals.len(), 5);
        assert_eq!(series(4.0).intervals.len(), 4);
    }

    #[test]
    fn loads_of_several_machines_are_added_by_their_times() {
        let (early, late) = (series(10_000, &[1, 2, 3]), series(11_400, &[10, 20, 30]));
        let sum = TimeSeries::merge(&[&late, &early]).unwrap();
        assert_eq!((sum.start, messages(&sum)), (early.start, vec![1, 12, 23, 30]));
        assert_eq!(sum.intervals[1].connections, 10);
        assert!((sum.intervals[1].rate - 12.0).abs() < 1e-9);
        // Ten of twelve messages took one millisecond, the others 200 \u{b5}s.
        let (p50, max) = (sum.intervals[1].p50_ns.unwrap(), sum.intervals[1].max_ns.unwrap());
        assert!(p50.abs_diff(1_000_000) < 10_000 && max.abs_diff(1_000_000) < 10_000);
        assert_eq!(TimeSeries::merge(&[]), None);
    }

    /// One of two loads took more than an hour, so its intervals are longer.
    #[test]
    fn intervals_of_different_lengths_are_added_in_the_longer_one() {
        let mut long = series(10_000, &[100, 200]);
        long.interval_seconds = 2;
        let short = series(11_000, &[1, 2, 3]);
        let sum = TimeSeries::merge(&[&long, &short]).unwrap();
        assert_eq!((sum.interval_seconds, messages(&sum)), (2, vec![101, 205]));
        assert_eq!(sum.intervals[1].connections, 10);
    }
}

//! Sum of the time series of several loads, by their times.

use jiff::Timestamp;

use crate::load::{
    report::time_series::{TimeInterval, TimeSeries},
    stats::series::Series,
};

/// Time series with its place in the sum.
struct Placed<'s> {
    series: &'s TimeSeries,
    /// Length of an interval in seconds.
    interval: u64,
    /// Begin in seconds from the begin of the sum: a multiple of the length of an interval.
    from: u64,
    /// End in seconds.
    to: u64,
}

/// Adds the time series of several loads, by their times. The sum has as few intervals as that of one load, so they may be longer.
///
/// Returns `None` if there is a time between them in which no load ran, or if the lengths of their intervals are no multiples of each
/// other.
pub(super) fn merge(all: &[&TimeSeries]) -> Option<TimeSeries> {
    let start = all.iter().map(|one| one.start).min()?;
    let mut interval_seconds = all.iter().map(|one| one.interval_seconds).max()?;
    let placed = all.iter().map(|one| Placed::new(one, start, interval_seconds));
    let mut placed = placed.collect::<Option<Vec<_>>>()?;
    let end = end(&mut placed, interval_seconds.into())?;
    let count = |length: u32| usize::try_from(end.div_ceil(length.into())).ok();
    while count(interval_seconds)? > Series::MAX_INTERVALS {
        interval_seconds = interval_seconds.checked_mul(2)?;
    }
    let mut intervals = vec![TimeInterval::default(); count(interval_seconds)?];
    for one in placed {
        one.add_to(&mut intervals, interval_seconds.into());
    }
    Some(TimeSeries { start, interval_seconds, intervals })
}

impl<'s> Placed<'s> {
    /// Returns `None` if the length of its intervals does not divide that of the longest.
    fn new(series: &'s TimeSeries, start: Timestamp, longest: u32) -> Option<Self> {
        if longest.checked_rem(series.interval_seconds)? != 0 {
            return None;
        }
        let interval = u64::from(series.interval_seconds);
        let after_ms = u64::try_from(series.start.duration_since(start).as_millis()).ok()?;
        let from = (after_ms + interval * 500) / (interval * 1000) * interval;
        let length = interval.checked_mul(series.intervals.len() as u64)?;
        Some(Self { series, interval, from, to: from.checked_add(length)? })
    }

    /// Adds it to intervals of this length, a multiple of its own.
    fn add_to(&self, sum: &mut [TimeInterval], length: u64) {
        let (mut left, mut time) = (&self.series.intervals[..], self.from);
        while !left.is_empty() {
            let fitting = (length - time % length) / self.interval;
            let fitting = usize::try_from(fitting).map_or(left.len(), |it| it.min(left.len()));
            let (first, rest) = left.split_at(fitting);
            if let Some(sum) = usize::try_from(time / length).ok().and_then(|it| sum.get_mut(it)) {
                sum.add(&TimeInterval::joined(first));
            }
            time += self.interval * fitting as u64;
            left = rest;
        }
    }
}

/// Returns the end of the last time series, and `None` if there is an interval of this length in which none of them runs.
fn end(placed: &mut [Placed<'_>], length: u64) -> Option<u64> {
    placed.sort_by_key(|one| one.from);
    placed.iter().try_fold(0_u64, |end, one| {
        (one.from / length <= end.div_ceil(length)).then_some(end.max(one.to))
    })
}

#[cfg(test)]
mod tests {
    use std::{iter::zip, time::Duration};

    use super::*;
    use crate::load::stats::counters::Stats;

    /// Returns the time series of a load that begins at this millisecond, with these numbers of messages.
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

    /// Returns a time series of intervals of this length with one message each, that begins at this second.
    fn even(start: i64, interval_seconds: u32, len: usize) -> TimeSeries {
        let interval = TimeInterval { messages: 1, rate: 1.0, ..TimeInterval::default() };
        let start = Timestamp::from_second(start).unwrap();
        TimeSeries { start, interval_seconds, intervals: vec![interval; len] }
    }

    #[test]
    fn loads_of_several_machines_are_added_by_their_times() {
        let (early, late) = (series(10_000, &[1, 2, 3]), series(11_400, &[10, 20, 30]));
        let sum = merge(&[&late, &early]).unwrap();
        assert_eq!((sum.start, messages(&sum)), (early.start, vec![1, 12, 23, 30]));
        assert_eq!(sum.intervals[1].connections, 10);
        assert!((sum.intervals[1].rate - 12.0).abs() < 1e-9);
        // Ten of twelve messages took one millisecond, the others 200 \u{b5}s.
        let (p50, max) = (sum.intervals[1].p50_ns.unwrap(), sum.intervals[1].max_ns.unwrap());
        assert!(p50.abs_diff(1_000_000) < 10_000 && max.abs_diff(1_000_000) < 10_000);
        assert_eq!(merge(&[]), None);
    }

    /// One of two loads took more than an hour, so its intervals are longer.
    #[test]
    fn intervals_of_different_lengths_are_added_in_the_longer_one() {
        let mut long = series(10_000, &[100, 200]);
        long.interval_seconds = 2;
        let short = series(11_000, &[1, 2, 3]);
        let sum = merge(&[&long, &short]).unwrap();
        assert_eq!((sum.interval_seconds, messages(&sum)), (2, vec![101, 205]));
        assert_eq!(sum.intervals[1].connections, 10);
    }

    #[test]
    fn loads_with_a_time_between_them_have_no_time_series() {
        let one = even(1_800_000_000, 1, 10);
        assert_eq!(merge(&[&one, &even(1_800_000_011, 1, 10)]), None);
        for start in [0, Timestamp::MIN.as_second(), Timestamp::MAX.as_second()] {
            assert_eq!(merge(&[&even(start, 1, 10), &one]), None, "{start}");
            let hostile = merge(&[&even(start, u32::MAX, 3600), &one]);
            assert!(hostile.is_none_or(|sum| sum.intervals.len() <= Series::MAX_INTERVALS));
        }
        // One that begins when the other has ended.
        let sum = merge(&[&even(1_800_000_010, 1, 10), &one]).unwrap();
        assert_eq!((sum.start, messages(&sum)), (one.start, vec![1; 20]));
    }

    #[test]
    fn a_sum_has_longer_intervals_instead_of_more_than_a_load_has() {
        let loads: Vec<_> = (0..10).map(|load| even(3000 * load, 1, 3600)).collect();
        let sum = merge(&loads.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((sum.interval_seconds, sum.intervals.len()), (16, 1913));
        assert_eq!(messages(&sum).iter().sum::<u64>(), 36_000);
        assert_eq!(sum.intervals.len() * 16, 30_608);
        assert!((sum.intervals[10].rate - 1.0).abs() < 1e-9, "{:?}", sum.intervals[10]);
    }

    #[test]
    fn a_start_counts_to_the_nearest_interval() {
        let one = even(0, 4, 2);
        for (start, sum) in [(1, [2, 2, 0]), (2, [1, 2, 1]), (3, [1, 2, 1])] {
            let merged = merge(&[&one, &even(start, 4, 2)]).unwrap();
            let sum: Vec<_> = sum.into_iter().filter(|&count| count > 0).collect();
            assert_eq!(messages(&merged), sum, "{start}");
        }
    }

    #[test]
    fn intervals_that_are_no_multiples_of_each_other_are_not_added() {
        for (one, other) in [(2, 3), (0, 1), (0, 0)] {
            assert_eq!(merge(&[&even(0, one, 5), &even(0, other, 5)]), None);
        }
    }

    #[test]
    fn counts_of_a_sum_saturate() {
        let mut one = even(0, 1, 1);
        one.intervals[0].messages = u64::MAX;
        assert_eq!(messages(&merge(&[&one, &one]).unwrap()), [u64::MAX]);
    }
}

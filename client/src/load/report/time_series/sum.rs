//! Sum of the courses of several loads, by their times.

use jiff::Timestamp;

use super::{TimeInterval, TimeSeries};
use crate::load::stats::series::Series;

/// Course with its place in the sum.
struct Placed<'s> {
    series: &'s TimeSeries,
    /// Length of an interval in seconds.
    interval: u64,
    /// Begin in seconds from the begin of the sum: a multiple of the length of an interval.
    from: u64,
    /// End in seconds.
    to: u64,
}

impl TimeSeries {
    /// Adds the courses of several loads, by their times. The sum has as few intervals as that of one load, so they may be longer.
    ///
    /// Returns `None` if there is a time between them in which no load ran, or if the lengths of their intervals are no multiples of each
    /// other.
    pub(crate) fn merge(all: &[&Self]) -> Option<Self> {
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
        Some(Self { start, interval_seconds, intervals })
    }
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

/// Returns the end of the last course, and `None` if there is an interval of this length in which none of them runs.
fn end(placed: &mut [Placed<'_>], length: u64) -> Option<u64> {
    placed.sort_by_key(|one| one.from);
    placed.iter().try_fold(0_u64, |end, one| {
        (one.from / length <= end.div_ceil(length)).then_some(end.max(one.to))
    })
}

//! Time series of a load as points to draw: as many as can be told apart.

use std::time::Duration;

use super::scale::float;
use crate::load::{
    report::time_series::{TimeInterval, TimeSeries},
    stats::{compact_histogram::CompactHistogram, format::nanos},
};

/// Maximum number of points.
const MAX_POINTS: usize = 600;

/// Points of a time series.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// Time between two points in seconds.
    pub(crate) step: u64,
    pub(crate) points: Vec<Point>,
}

/// Figures of a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) rate: f64,
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) errors: u64,
    pub(crate) lost: u64,
    pub(crate) connects: u64,
    pub(crate) connections: u64,
}

impl Point {
    /// Returns the number of errors and lost messages.
    pub(crate) fn losses(&self) -> u64 {
        self.errors + self.lost
    }
}

impl Timeline {
    /// Returns the points of the time series of a load of this length; `None` if it is empty. Neighbours are joined if there
    /// are too many. What follows the end is left out unless something happened.
    pub(crate) fn of(series: &TimeSeries, seconds: f64) -> Option<Self> {
        // Half an interval may be left after the last whole one, because no load ends exactly on time.
        let is_after = |index: usize| {
            (float(index as u64) + 0.5) * f64::from(series.interval_seconds) >= seconds
        };
        let is_idle = |it: &TimeInterval| it.messages + it.errors + it.lost == 0;
        let all = series.intervals.iter().enumerate();
        let last = all.rev().find(|(index, interval)| !(is_after(*index) && is_idle(interval)))?.0;
        let intervals = &series.intervals[..=last];
        let joined = intervals.len().div_ceil(MAX_POINTS);
        let step = u64::from(series.interval_seconds) * joined as u64;
        Some(Self { step, points: intervals.chunks(joined).map(point).collect() })
    }

    /// Returns the time at its end in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        self.step * self.points.len() as u64
    }

    /// Returns each point with its place, the middle of its step.
    pub(crate) fn places(&self) -> impl Iterator<Item = (f64, &Point)> {
        self.places_of(self.seconds())
    }

    /// Does the same on an axis of this length.
    pub(crate) fn places_of(&self, seconds: u64) -> impl Iterator<Item = (f64, &Point)> {
        let scale = float(self.seconds()) / float(seconds);
        self.spans().map(move |(from, to, point)| (f64::midpoint(from, to) * scale, point))
    }

    /// Returns each point with the places of the beginning and the end of its step.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (f64, f64, &Point)> {
        let count = float(self.points.len() as u64);
        let place = move |index: usize| float(index as u64) / count;
        let all = self.points.iter().enumerate();
        all.map(move |(index, point)| (place(index), place(index + 1), point))
    }
}

/// Joins neighbouring intervals.
fn point(intervals: &[TimeInterval]) -> Point {
    let mut latency = CompactHistogram::default();
    for interval in intervals {
        latency.merge(&interval.histogram);
    }
    let sum = |value: fn(&TimeInterval) -> u64| intervals.iter().map(value).sum();
    let known = |time: Duration| (!latency.is_empty()).then(|| nanos(time));
    let rates: f64 = intervals.iter().map(|interval| interval.rate).sum();
    Point {
        rate: rates / float(intervals.len() as u64),
        p50: known(latency.quantile(0.5)),
        p99: known(latency.quantile(0.99)),
        max: intervals.iter().filter_map(|interval| interval.max_ns).max(),
        errors: sum(|it| it.errors),
        lost: sum(|it| it.lost),
        connects: sum(|it| it.connects),
        connections: intervals.iter().map(|it| it.connections).min().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::evaluate::testing::report_over_time;

    #[test]
    fn a_long_time_series_has_joined_points() {
        let series = report_over_time(100, (0..1500).map(|it| 100 + it)).series.unwrap();
        let timeline = Timeline::of(&series, 1500.0).unwrap();
        assert_eq!((timeline.step, timeline.points.len(), timeline.seconds()), (3, 500, 1500));
        assert!((timeline.points[0].rate - 100.0).abs() < 1e-9);
    }

    #[test]
    fn what_follows_the_end_is_left_out_unless_something_happened() {
        let mut series = report_over_time(100, [500; 5]).series.unwrap();
        series.intervals[4] = TimeInterval::default();
        assert_eq!(Timeline::of(&series, 4.01).unwrap().points.len(), 4);
        // A server that stood still until the end.
        assert_eq!(Timeline::of(&series, 5.0).unwrap().points.len(), 5);
        series.intervals[4].errors = 1;
        assert_eq!(Timeline::of(&series, 4.0).unwrap().points.len(), 5);
        series.intervals.clear();
        assert!(Timeline::of(&series, 4.0).is_none());
    }
}
